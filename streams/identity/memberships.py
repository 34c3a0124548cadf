"""Who belongs to which account, from when to when: stints, and what people say of them.

A membership begins at its first evidence and lasts until it is ended, unless somebody states its dates; while the
CRM's record of the contact or of the account is deleted, it rests. Everything is a set of what was seen and said, so
the order in which it was learned never shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from sys import intern
from typing import Literal, TypeAlias

from schemas.links import Decision, Membership
from schemas.touchpoints import Alias
from streams.identity.edges import once
from streams.identity.record_changes import Gap, Records
from streams.identity.verdicts import Verdicts

MAX_SEEN = 50
"""Accounts that an alias, or a person, was seen with and that count: the first. Whoever is seen with more says little,
and each of them costs every event."""
MAX_CHANGES = 100
"""Of what a CRM tied and untied and of stated dates, so many count of an alias, or a person: the last."""
MAX_REMEMBERED = 500
"""Accounts of an alias beyond those that count, of which it is known that it was seen there. More are not told."""

AT_ONCE = timedelta(minutes=1)
"""What a CRM tells of one record it tells within this time."""

_ONCE = ("seen", "named")
"""Kinds of which the earliest evidence stands. What is only named says where to look, and makes nobody a member."""

_BEGINNING = datetime.min.replace(tzinfo=UTC)
_END = datetime.max.replace(tzinfo=UTC)


@dataclass(slots=True, eq=False)
class _Told:
    """A membership link as it is kept."""

    alias: Alias
    account_id: str
    how: Literal["seen", "named", "joined", "left", "stated"]
    since: datetime
    evidence: str
    source: str
    valid_from: datetime | None
    valid_to: datetime | None
    is_primary: bool = False

    def link(self) -> Membership:
        return Membership(
            alias=self.alias,
            account_id=self.account_id,
            how=self.how,
            since=self.since,
            evidence=self.evidence,
            source=self.source,
            valid_from=self.valid_from,
            valid_to=self.valid_to,
            primary=self.is_primary,
        )

    def about(self) -> tuple[object, ...]:
        """Equal for links with one id."""
        if self.how in _ONCE:
            return (self.alias, self.account_id, self.how)
        moment = self.valid_from if self.how == "stated" else self.since
        return (self.alias, self.account_id, self.how, moment)


_All: TypeAlias = "tuple[_Told, ...]"


@dataclass(frozen=True, slots=True)
class Stint:
    """A time at an account; `account_id` is canonical, `named` as the evidence has it."""

    begin: datetime
    end: datetime
    account_id: str
    named: str
    alias: Alias
    is_stated: bool
    evidence: str
    is_decided: bool = False
    is_primary: bool = False
    gaps: tuple[Gap, ...] = ()

    def covers(self, at: datetime) -> bool:
        """Whether it was running at that time; at the moment of a deletion it still was."""
        if not self.begin <= at < self.end:
            return False
        return not self.gaps or not any(gone < at < back for gone, back in self.gaps)

    @property
    def by_crm(self) -> bool:
        """Whether a CRM contact's own account says so."""
        return not self.is_decided and self.alias.startswith("crm_contact:")


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a person's accounts, decisions heeded."""

    stints: tuple[Stint, ...] = ()
    excluded: frozenset[str] = frozenset()

    def at(self, moment: datetime) -> Stint | None:
        """The stint that counts then: a CRM contact's before others, of these what the CRM calls the first account, of
        these the latest; before all, the first stint. Of two with one begin the stated one.
        """
        running = [stint for stint in self.stints if stint.covers(moment)]
        if running:
            return max(running, key=lambda s: (s.by_crm, s.is_primary, s.begin, s.is_stated, s.account_id, s.alias))
        first = min(self._earliest(), key=_first_of, default=None)
        reaches_back = first is not None and not first.is_stated and moment < first.begin
        return first if reaches_back else None

    def _earliest(self) -> list[Stint]:
        """Those that began with the first one: a record's associations come one after the other."""
        since = min((stint.begin for stint in self.stints), default=_BEGINNING)
        return [stint for stint in self.stints if stint.begin - since <= AT_ONCE]


def _first_of(stint: Stint) -> tuple[object, ...]:
    return (not stint.is_primary, stint.begin, not stint.is_stated, stint.account_id, stint.alias)


_NOTHING = Standing()


class Memberships:
    """Memberships by alias, and the decisions on them."""

    def __init__(self, records: Records | None = None) -> None:
        self._records = Records() if records is None else records
        self._told: dict[Alias, _All] = {}
        self._decisions = Verdicts[tuple[Alias, str]]()
        self._decided: dict[Alias, set[str]] = {}
        self._members: dict[str, list[Alias]] = {}
        self._beyond: dict[Alias, dict[tuple[object, ...], _Told]] = {}

    def known(self, link: Membership) -> Membership | None:
        """The link with this id, as it is known."""
        found = self._find(_told(link))
        return found.link() if found else None

    def knows(self, link: Membership) -> bool:
        """Whether nothing new would be learned from it."""
        known = self.known(link)
        if known is None:
            return self._is_forgotten(_told(link))
        return not link.outdoes(known)

    @property
    def beyond(self) -> int:
        """How many aliases are told to belong to more than counts."""
        return len(self._beyond)

    def _is_forgotten(self, told: _Told) -> bool:
        """Whether so many others of this alias come before it that it is not even remembered."""
        beyond = self._beyond.get(told.alias)
        if beyond is None or len(beyond) < MAX_REMEMBERED:
            return False
        return told not in _parted((*self._told.get(told.alias, ()), *beyond.values(), told))[0]

    def add(self, link: Membership) -> set[str]:
        """Take it in, unless nothing new is learned; returns the accounts of its alias that are forgotten for it."""
        if self.knows(link):
            return set()
        told = _told(link)
        self._index(told.alias, told.account_id)
        return self._keep(told.alias, (*self._others(told), told))

    def retell(self, link: Membership) -> set[str]:
        """Put a link in the place of what was known of it, or, retracted, nothing: then others may count again.

        Returns the accounts that its alias is not known to be of any more.
        """
        told = _told(link)
        others = self._others(told)
        if link.retracted:
            return self._keep(told.alias, others) | {told.account_id}
        self._index(told.alias, told.account_id)
        return self._keep(told.alias, (*others, told))

    def _others(self, told: _Told) -> _All:
        """What is known of its alias, without what has its id."""
        about, known = told.about(), self._told.get(told.alias, ())
        if beyond := self._beyond.get(told.alias):
            known = (*known, *beyond.values())
        return tuple(one for one in known if one.about() != about)

    def _keep(self, alias: Alias, told: _All) -> set[str]:
        """Returns the accounts that are not even remembered."""
        remembered, counting = _parted(told)
        if counting:
            self._told[alias] = counting
        else:
            self._told.pop(alias, None)
        if beyond := remembered.difference(counting):
            self._beyond[alias] = {one.about(): one for one in beyond}
        else:
            self._beyond.pop(alias, None)
        return {one.account_id for one in told} - self.accounts((alias,)) if remembered else set()

    def decide(self, decision: Decision) -> None:
        """Take in what somebody says of an alias and an account."""
        self._ruled(decision, changes=self._decisions.add((decision.a, decision.b), decision))

    def undecide(self, decision: Decision) -> None:
        """A decision was never made."""
        self._ruled(decision, changes=self._decisions.drop((decision.a, decision.b), decision))

    def _ruled(self, decision: Decision, *, changes: bool) -> None:
        if not changes:
            return
        decided = self._decided.setdefault(decision.a, set())
        (decided.add if (decision.a, decision.b) in self._decisions else decided.discard)(decision.b)
        self._index(decision.a, decision.b)

    def decision(self, alias: Alias, account_id: str) -> Decision | None:
        """What was decided last on an alias and an account."""
        return self._decisions.last((alias, account_id))

    def knows_decision(self, decision: Decision) -> bool:
        """Whether this decision is known, be it the last word or not."""
        return self._decisions.knows((decision.a, decision.b), decision)

    def decisions(self, aliases: Iterable[Alias]) -> Iterator[Decision]:
        """What was decided on these aliases and accounts, the last word on each pair."""
        told = (self._decisions.last((name, other)) for name in aliases for other in self._decided.get(name, ()))
        return (decision for decision in told if decision is not None)

    def links(self, aliases: Iterable[Alias]) -> list[Membership]:
        """Every membership told of these aliases, earliest first."""
        found = [told for name in aliases for told in self._told.get(name, ())]
        return [told.link() for told in sorted(found, key=lambda t: (t.since, t.account_id, t.alias, t.how))]

    def first_seen(self, alias: Alias, account_id: str) -> tuple[datetime, str]:
        """When an alias was first seen in an account that `accounts` knows of it, and the event that shows it."""
        told = (*self._told.get(alias, ()), *self._beyond.get(alias, {}).values())
        first = min((one for one in told if one.account_id == account_id), key=lambda one: (one.since, one.how))
        return first.since, first.evidence

    def names(self) -> Iterator[str]:
        """Every alias and every account that is in it."""
        yield from self._told
        yield from self._members
        yield from self._decided

    def all_of(self, alias: Alias) -> list[Membership | Decision]:
        """Everything told of an alias, counting or not, and every decision on it."""
        told = [*self._told.get(alias, ()), *self._beyond.get(alias, {}).values()]
        links = {link.link_id: link for link in (one.link() for one in told)}
        decided = [one for other in self._decided.get(alias, ()) for one in self._decisions.all_of((alias, other))]
        return [*links.values(), *decided]

    def tied(self, aliases: Iterable[Alias]) -> set[str]:
        """Every account these aliases were ever members of."""
        known = (one for name in aliases for one in (*self._told.get(name, ()), *self._beyond.get(name, {}).values()))
        return {one.account_id for one in known if _counts(one)}

    def accounts(self, aliases: Iterable[Alias]) -> set[str]:
        """Every account these aliases were ever tied to, or named, as it is called there."""
        found = {told.account_id for name in aliases for told in self._told.get(name, ())}
        beyond = (told for name in aliases if name in self._beyond for told in self._beyond[name].values())
        return found.union(told.account_id for told in beyond)

    def has_ended(self, aliases: Iterable[Alias], namespace: str) -> bool:
        """Whether any of these aliases ever left an account of a namespace, or is to leave one at a stated time."""
        told = (one for name in aliases for one in self._told.get(name, ()) if one.account_id.startswith(namespace))
        return any(one.how == "left" or one.valid_to is not None for one in told)

    def members(self, account_id: str) -> list[Alias]:
        """Aliases that were ever tied to an account."""
        return self._members.get(account_id, [])

    def standing(self, aliases: Iterable[Alias], canonical: Callable[[str], str]) -> Standing:
        """The stints of a person with these aliases."""
        told: list[_Told] = []
        for name in aliases:
            if name in self._told:
                told += filter(_counts, self._told[name])
        if not told and not self._decisions:
            return _NOTHING
        told = list(_counting(told))
        verdicts = self._verdicts(aliases, canonical) if self._decisions else {}
        if not told and not verdicts:
            return _NOTHING
        if len(told) == 1 and not verdicts and not self._records and told[0].how != "left":  # most people
            return Standing((_stint(told[0], canonical(told[0].account_id), []),))
        excluded = frozenset(account for account, d in verdicts.items() if d.verdict == "not_belongs")
        left = [(canonical(one.account_id), one.since) for one in told if one.how == "left"]
        stints = []
        for one in told:
            account_id = canonical(one.account_id)
            if one.how != "left" and account_id not in excluded:
                stints.append(_stint(one, account_id, [at for account, at in left if account == account_id]))
        if self._records:
            stints = [self._interrupted(stint) for stint in stints]
        stints += [
            Stint(_BEGINNING, _END, account, d.b, d.a, is_stated=True, evidence=d.evidence, is_decided=True)
            for account, d in verdicts.items()
            if d.verdict == "belongs"
        ]
        return Standing(tuple(sorted(stints, key=_by_time)), excluded)

    def _verdicts(self, aliases: Iterable[Alias], canonical: Callable[[str], str]) -> dict[str, Decision]:
        """By account: the last word on it, whichever alias and name of the account it was said of."""
        found: dict[str, Decision] = {}
        for decision in self.decisions(aliases):
            account_id = canonical(decision.b)
            if account_id not in found or decision.outdoes(found[account_id]):
                found[account_id] = decision
        return found

    def _interrupted(self, stint: Stint) -> Stint:
        """The stint without the times in which the CRM had deleted the account or the contact."""
        gaps = (*self._records.gaps(stint.account_id), *self._records.gaps(stint.alias))
        found = tuple(gap for gap in gaps if gap[0] > stint.begin)
        return replace(stint, gaps=found) if found else stint

    def _find(self, told: _Told) -> _Told | None:
        about = told.about()
        for known in self._told.get(told.alias, ()):
            if known.about() == about:
                return known
        return self._beyond.get(told.alias, {}).get(about)

    def _index(self, alias: Alias, account_id: str) -> None:
        members = self._members.setdefault(account_id, [])
        if alias not in members[-1:]:
            members.append(alias)


def _counts(told: _Told) -> bool:
    """Whether it says that somebody belongs to an account."""
    return told.how != "named"


def _counting(told: Sequence[_Told]) -> _All:
    """Without those that were seen beyond the first, or changed before the last."""
    return _parted(told)[1]


def _parted(told: Sequence[_Told]) -> tuple[frozenset[_Told], _All]:
    """Those that are remembered, where not all count; and those that count. A function of the set of them."""
    if len(told) <= min(MAX_SEEN, MAX_CHANGES):
        return frozenset(), tuple(told)
    changed = sorted((one for one in told if one.how not in _ONCE), key=_last_changed)
    remembered, counting = changed[: MAX_CHANGES + MAX_REMEMBERED], changed[:MAX_CHANGES]
    for how in _ONCE:
        first = sorted((one for one in told if one.how == how), key=_first_seen)
        remembered += first[: MAX_SEEN + MAX_REMEMBERED]
        counting += first[:MAX_SEEN]
    counted = set(counting)
    return frozenset(remembered), tuple(one for one in told if one in counted)


def _first_seen(told: _Told) -> tuple[datetime, str, Alias]:
    return (told.since, told.account_id, told.alias)


def _last_changed(told: _Told) -> tuple[timedelta, str, Alias, str, str]:
    return (_END - told.since, told.account_id, told.alias, told.how, told.evidence)


def _told(link: Membership) -> _Told:
    return _Told(
        intern(link.alias), intern(link.account_id), link.how, once(link.since), once(link.evidence),
        intern(link.source), link.valid_from, link.valid_to, link.primary,
    )  # fmt: skip


def _stint(told: _Told, account_id: str, left: list[datetime]) -> Stint:
    stated = told.how == "stated"
    begin = (told.valid_from or _BEGINNING) if stated else told.since
    end = min((at for at in left if at > begin), default=_END)
    if stated and told.valid_to is not None:
        end = min(end, told.valid_to)
    return Stint(begin, end, account_id, told.account_id, told.alias, stated, told.evidence, is_primary=told.is_primary)


def _by_time(stint: Stint) -> tuple[object, ...]:
    """Total, so that of what is equal the same one is taken whatever was told first."""
    told = (stint.account_id, stint.alias, stint.is_stated, stint.named, stint.evidence, stint.is_primary)
    return (stint.begin, stint.end, *told)
