"""The touchpoint on its way: as received, as understood, as attributed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, ClassVar, Literal

from msgspec import Meta
from pydantic import Field, TypeAdapter

from schemas.base import Codec, Contract, Item, Timed, UtcTime
from schemas.traffic import AgentKind, Device, Flag

Scalar = str | int | float | bool | None

#: `email:a@acme.com`, `crm_contact:crm:51`: kind, directory where the kind has one, normalised value.
Alias = str


class RawRequest(Timed, frozen=True, kw_only=True):
    """One accepted HTTP request, verbatim, so that it can be mapped again later.

    `method`, `content_type` and `headers` are empty in records written before they were kept.
    """

    request_id: str
    source: Annotated[str, Meta(description="name of the configured source")]
    vendor: Annotated[str, Meta(description="key of the vendor registry")]
    received_at: UtcTime
    method: Annotated[str, Meta(description="HTTP method")] = ""
    path: str = ""
    query: str = ""
    content_type: Annotated[str, Meta(description="as the sender said it")] = ""
    headers: Annotated[
        dict[str, str], Meta(description="those its connector keeps, names in lower case; never a secret")
    ] = {}
    body: Annotated[str, Meta(description="payload after Content-Encoding was undone; valid UTF-8")]
    backfill: bool = False
    mapping: Annotated[int, Meta(description="version of the vendor's mapping when it was received")] = 1


class CleanTouchpoint(Timed, frozen=True, kw_only=True):
    """A vendor's message in our words. `event_id` and `occurred_at` depend on the message alone."""

    event_id: str
    source: str
    vendor: str
    vendor_type: Annotated[str, Meta(description="the vendor's own name of the event, e.g. `track:Quote Requested`")]
    vendor_event_id: str = ""
    action: Annotated[str, Meta(description="what happened in our words, see schemas.actions")]
    occurred_at: UtcTime
    received_at: UtcTime
    clock_suspect: bool = False
    aliases: tuple[Alias, ...] = ()
    account_refs: Annotated[tuple[str, ...], Meta(description="accounts the event itself names, best first")] = ()
    person_traits: dict[str, str] = {}
    account_traits: Annotated[
        dict[str, str], Meta(description="about account_refs[0]; without one: declared by the person")
    ] = {}
    valid_from: Annotated[
        UtcTime | None, Meta(description="stated begin of the membership of aliases[0] in account_refs[0]")
    ] = None
    valid_to: Annotated[UtcTime | None, Meta(description="stated end of that, exclusive")] = None
    network: Annotated[
        str, Meta(description="account whose listed address range it came from; the address is not kept")
    ] = ""
    channel: str = "web"
    session_id: str = ""
    page: Annotated[str, Meta(description="path of the page, no query")] = ""
    element: Annotated[str, Meta(description="what was clicked, submitted or touched")] = ""
    subject: Annotated[str, Meta(description="the case it is about: `ticket:12`, `deal:9`, `form:signup`")] = ""
    title: str = ""
    text: str = ""
    language: Annotated[str, Meta(description="ISO 639-1 of the text; empty: none, unknown or not supported")] = ""
    sentiment: Annotated[float | None, Meta(description="-1..1 of the text; None: no evidence")] = None
    score: float | None = None
    score_kind: Literal["", "nps", "csat", "ces", "rating"] = ""
    properties: dict[str, Scalar] = {}
    backfill: bool = False
    mapping: Annotated[int, Meta(description="version of the vendor's mapping that read it")] = 1
    read_anew: Annotated[bool, Meta(description="an older mapping may have read the same request before")] = False
    url_host: Annotated[str, Meta(description="host of the page, lower case, without a port")] = ""
    agent: Annotated[str, Meta(description="name of the program that sent it, where it was no browser")] = ""
    agent_kind: AgentKind = ""
    device: Device = ""
    visit: Annotated[
        dict[str, str],
        Meta(description="how and with what its visitor came: utm_…, referrer_host, browser, country; those told"),
    ] = {}
    staff: Annotated[
        dict[Alias, Literal["seen", "joined", "left"]],
        Meta(description="ids of the operator's own people that it names; learned from, and not kept with it"),
    ] = {}
    flags: Annotated[tuple[Flag, ...], Meta(description="what its sender or its network says of it")] = ()
    scoped: Annotated[
        bool, Meta(description="whether its ids carry their source; false: written before they did, or not yet")
    ] = False

    def __post_init__(self) -> None:
        if self.occurred_at.tzinfo is not UTC or self.received_at.tzinfo is not UTC or self.valid_from or self.valid_to:
            Timed.__post_init__(self)

    @property
    def ordered_at(self) -> datetime:
        """The time it sorts by: its own, unless its clock is suspect (then ours)."""
        return self.received_at if self.clock_suspect else self.occurred_at


class Candidate(Item, frozen=True, kw_only=True):
    """An account that was considered and not taken."""

    account_id: str
    method: str
    why: str


class Attribution(Item, frozen=True, kw_only=True):
    """Whose touchpoint it is, and how we know."""

    person_id: Annotated[str, Meta(description="empty: no person, e.g. a change of a deal")] = ""
    account_id: str
    method: str
    confidence: float
    evidence: str = ""
    rejected: tuple[Candidate, ...] = ()
    rule_version: int = 1
    mapping: Annotated[int, Meta(description="version of the mapping whose reading was judged")] = 1

    @property
    def verdict(self) -> tuple[object, ...]:
        """All that shows of it: whose it is, how, how sure, and which accounts were not taken."""
        known = (self.person_id, self.account_id, self.method, self.confidence)
        if not self.rejected:
            return known
        return (*known, *sorted({(candidate.account_id, candidate.method) for candidate in self.rejected}))

    def decides_like(self, other: Attribution) -> bool:
        """Whether both come to the same verdict."""
        return self.verdict == other.verdict


class AttributedTouchpoint(Item, frozen=True, kw_only=True, tag_field="kind", tag="touchpoint"):
    """A touchpoint with its attribution; `knowledge` is how far the links were known (offset + 1)."""

    kind: ClassVar[Literal["touchpoint"]] = "touchpoint"
    touchpoint: CleanTouchpoint
    attribution: Attribution
    knowledge: int = 0
    cause: Annotated[str, Meta(description="why it was attributed anew, in words; empty: it is not")] = ""

    @property
    def account_id(self) -> str:
        return self.attribution.account_id

    @property
    def event_id(self) -> str:
        return self.touchpoint.event_id

    @property
    def sort_key(self) -> tuple[datetime, str]:
        return (self.touchpoint.ordered_at, self.touchpoint.event_id)


class Withdraw(Item, frozen=True, kw_only=True, tag_field="kind", tag="withdraw"):
    """To the old account's writer: this touchpoint is another account's now."""

    kind: ClassVar[Literal["withdraw"]] = "withdraw"
    account_id: str
    event_id: str
    to_account_id: str
    knowledge: int
    cause: Annotated[str, Meta(description="why, in words")] = ""
    mapping: Annotated[int, Meta(description="copies read by an older mapping leave, whatever they knew")] = 1


class Recall(Item, frozen=True, kw_only=True, tag_field="kind", tag="recall"):
    """To an account's writer: links changed; send these people's touchpoints to be attributed again."""

    kind: ClassVar[Literal["recall"]] = "recall"
    account_id: str
    person_ids: Annotated[tuple[str, ...], Meta(description="empty: everyone's")] = ()
    knowledge: int
    cause: str


class Refold(Item, frozen=True, kw_only=True, tag_field="kind", tag="refold"):
    """To an account's writer: compute its rows anew from what is stored. The cause stands in `corrections`."""

    kind: ClassVar[Literal["refold"]] = "refold"
    account_id: str
    cause: str
    blueprint_digest: Annotated[
        int, Meta(description="only if the writer runs this blueprint; 0: whichever it runs")
    ] = 0


class Recalled(Item, frozen=True, kw_only=True):
    """A touchpoint on its way back through attribution."""

    item: AttributedTouchpoint
    knowledge: Annotated[int, Meta(description="the links the new attribution must know at least")]
    refused: Annotated[bool, Meta(description="the writer did not take it in: answer even when nothing changed")] = (
        False
    )
    cause: str


AccountInput = AttributedTouchpoint | Withdraw | Recall | Refold


class DeadLetter(Contract):
    """What could never be processed: its original bytes, why, and where it came from."""

    letter_id: str
    stage: str
    reason: str
    message: str
    source: str = ""
    vendor: str = ""
    original: str = Field(description="the original bytes; base64 when they are not UTF-8")
    encoding: Literal["utf-8", "base64"] = "utf-8"
    origin_topic: str
    origin_partition: int
    origin_offset: int
    origin_index: int = Field(description="position in the record")
    received_at: UtcTime | None = None
    failed_at: UtcTime


RAW = Codec[RawRequest](RawRequest)
CLEAN = Codec[CleanTouchpoint](CleanTouchpoint)
ACCOUNT_INPUTS = Codec[AccountInput](AccountInput)
RECALLED = Codec[Recalled](Recalled)
DEAD = TypeAdapter(list[DeadLetter])
