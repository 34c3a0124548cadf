"""Who is who, as broadcast facts. One compacted partition, so that everyone reads them in one order.

A link record is keyed by `link_id`; a later record with the same key replaces the earlier one. Of two links with
one key the one that `supersedes` the other stands, whatever order they are learned in; what several may be true at
once (decisions, changes of a membership or of a record) has a key each. So knowledge is a set, and order never shows.

What a newer mapping no longer says is told anew under a higher generation: from the best evidence that is left, or,
without any, as retracted. Evidence that comes later counts in that generation, and before the retraction.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from schemas.base import Contract, UtcTime
from schemas.touchpoints import Alias

_FIRST_TOLD = {"mapping", "generation", "retracted"}


class BaseLink(Contract):
    """What every link says of where it comes from."""

    evidence: str = Field(description="event id of the evidence that stands")
    source: str = Field(description="configured source of that event")
    scoped: bool = Field(False, description="whether its ids carry their source; false: written before they did")
    mapping: int = Field(1, description="version of the mapping whose reading of the event is the evidence")
    generation: int = Field(0, description="how often it was told anew because a newer mapping no longer said so")
    retracted: bool = Field(False, description="no evidence for it was left when this generation began")

    @property
    def link_id(self) -> str:
        raise NotImplementedError

    def encoded(self) -> bytes:
        """As JSON. There are millions of links, and hardly any of them was ever told anew."""
        told = _FIRST_TOLD if (self.mapping, self.generation, self.retracted) == (1, 0, False) else None
        return self.__pydantic_serializer__.to_json(self, exclude=told)


class _Earliest(BaseLink):
    """Seen again and again; the earliest evidence stands."""

    since: UtcTime = Field(description="time of the evidence")

    def outdoes(self, known: _Earliest) -> bool:
        return (self.since, self.evidence) < (known.since, known.evidence)


class Edge(_Earliest):
    """Two aliases seen on one event: the same person, unless a veto says otherwise.

    `a` equals `b` for an alias that came alone: that it was seen, and when, is knowledge too.
    """

    kind: Literal["edge"] = "edge"
    a: Alias
    b: Alias
    typed: bool = Field(False, description="an address typed into a form: it need not be the typist's own")

    @property
    def link_id(self) -> str:
        return f"{'typed' if self.typed else 'edge'}|{self.a}|{self.b}"


class Membership(_Earliest):
    """A person (or a deal, a ticket …) and an account; or a deal or ticket and the person it is of.

    `seen`: a group call, a helpdesk's record or a deal's or ticket's event says so; the earliest counts. `named`: one
    event of theirs named the account, which makes nobody a member. `joined` and `left`: the CRM tied or untied them,
    each time counts.
    `stated`: someone states from when to when; of statements with one begin the last stands.

    Of the account `staff:<source>` are the operator's own people: agents of a helpdesk, users of a CRM. It makes them
    internal, and is no account of theirs: nothing is attributed to it.
    """

    kind: Literal["membership"] = "membership"
    alias: Alias
    account_id: str = Field(description="account; or alias of the person whose a deal or ticket is")
    how: Literal["seen", "named", "joined", "left", "stated"] = "seen"
    valid_from: UtcTime | None = Field(None, description="stated begin; None: from the beginning")
    valid_to: UtcTime | None = Field(None, description="stated end, exclusive; None: until now")
    primary: bool = Field(False, description="joined: the CRM calls it the first of the record's accounts")

    @property
    def link_id(self) -> str:
        about = f"{self.alias}|{self.account_id}"
        if self.how == "seen":
            return f"membership|{about}"
        if self.how == "named":
            return f"named|{about}"
        if self.how == "stated":
            return f"stated|{about}|{self.valid_from.isoformat() if self.valid_from else ''}"
        return f"{self.how}|{about}|{self.since.isoformat()}"

    def outdoes(self, known: _Earliest) -> bool:
        if self.how == "stated":
            return (self.since, self.evidence) > (known.since, known.evidence)
        return super().outdoes(known)


class AccountClaim(_Earliest):
    """One trait of an account: a `domain` or a `name` it goes by, or which account it `is`; several of each may be.

    Seen on an event it stays. What a record of the CRM says of one of its properties (`stated_as`) stands until the
    same source says something else of that property: the last statement counts.
    """

    kind: Literal["account"] = "account"
    account_id: str
    trait: str
    value: str = Field(description="stated domains are all the property holds, with blanks between; empty: none")
    stated_as: str = Field("", description="property of the CRM's record that says so; empty: seen on an event")

    @property
    def link_id(self) -> str:
        if self.stated_as:
            return f"account|{self.account_id}|{self.trait}|stated|{self.source}|{self.stated_as}"
        suffix = f"|{self.value}" if self.trait in ("domain", "name", "is") else ""
        return f"account|{self.account_id}|{self.trait}{suffix}"

    def outdoes(self, known: _Earliest) -> bool:
        if self.stated_as:
            return (self.since, self.evidence) > (known.since, known.evidence)
        return super().outdoes(known)


class RecordChange(_Earliest):
    """The CRM deleted one of its records, restored it, or made it one with another; each time counts."""

    kind: Literal["record"] = "record"
    record: str = Field(description="account, or alias of a contact")
    how: Literal["removed", "restored", "merged"]
    into: str = Field("", description="merged: the record that it is from then on")

    @property
    def link_id(self) -> str:
        return f"record|{self.record}|{self.how}|{self.into}|{self.since.isoformat()}"

    @property
    def is_of_account(self) -> bool:
        """Whether it is an account's record, not a contact's."""
        return self.record.startswith("crm:")

    def outdoes(self, known: _Earliest) -> bool:
        """Of several at one moment the last event's stands, so that one order holds for all changes of a record."""
        return (self.since, self.evidence) > (known.since, known.evidence)


class Declared(_Earliest):
    """A person (or a thing) says which company it is of, or was seen in an account's network."""

    kind: Literal["declared"] = "declared"
    alias: Alias
    trait: Literal["domain", "name", "network"]
    value: str = Field(description="domain, name, or account id of the network")

    @property
    def link_id(self) -> str:
        return f"declared|{self.alias}|{self.trait}|{self.value}"


Verdict = Literal["link", "unlink", "belongs", "not_belongs"]


class Decision(BaseLink):
    """Somebody decides: two aliases are (not) one person, or an alias does (not) belong to an account.

    Each decision keeps its own record, so none can replace a later one in the compacted topic, and who said what
    when stays known. Of those on one pair the latest by (decided_at, evidence) holds.
    """

    kind: Literal["decision"] = "decision"
    a: str = Field(description="alias; or an organisation or group that is, or is not, the account `b`")
    b: str = Field(description="alias; for `belongs` and `not_belongs` an account")
    verdict: Verdict
    by: str
    decided_at: UtcTime

    @property
    def link_id(self) -> str:
        return f"decision|{self.a}|{self.b}|{self.decided_at.isoformat()}|{self.evidence}"

    @property
    def about_people(self) -> bool:
        """Whether two aliases are decided on, not an alias and an account."""
        return self.verdict in ("link", "unlink")

    @property
    def rank(self) -> tuple[UtcTime, str]:
        """The higher one holds."""
        return (self.decided_at, self.evidence)

    def outdoes(self, known: Decision) -> bool:
        return self.rank > known.rank


class Carried(BaseLink):
    """How far it is with what an earlier version wrote.

    `begun`: what was attributed with less knowledge than this is attributed again. `done`: nothing is left of ids that
    were written before they carried their source. `ruled`: everything was attributed by the rules of the version that
    is the evidence, or by newer ones.
    """

    kind: Literal["carried"] = "carried"
    how: Literal["begun", "done", "ruled"]

    @property
    def link_id(self) -> str:
        return f"carried|{self.how}"


class Erasure(BaseLink):
    """A person or an account was erased: what occurred up to `before` is gone, also when it arrives later.

    It names nobody: `marks` are keyed hashes of their ids, and only who has the key can tell whether an id is meant.
    """

    kind: Literal["erasure"] = "erasure"
    erasure_id: str
    part: int = Field(0, description="of an erasure with many ids")
    round: int = Field(0, description="how often it was told again, after a restore")
    before: UtcTime
    suppress: bool = Field(False, description="what occurs later is dropped, too")
    lifts: bool = Field(False, description="suppression ends at `before`: what occurs later is kept again")
    key_id: str = Field(description="which key the marks are made with")
    marks: tuple[str, ...]

    @property
    def link_id(self) -> str:
        return f"erasure|{self.erasure_id}|{self.part}"


Link = Edge | Membership | AccountClaim | RecordChange | Declared | Decision


def supersedes(link: Link, known: Link) -> bool:
    """Of two links with one id, whether the first stands: its generation, then what is not retracted, its evidence."""
    rank, standing = ((one.generation, not one.retracted) for one in (link, known))
    return rank > standing if rank != standing else link.outdoes(known)  # type: ignore[arg-type]


AnyLink = Link | Carried | Erasure
LINKS = TypeAdapter[list[AnyLink]](list[Annotated[AnyLink, Field(discriminator="kind")]])
