"""What the processors conclude: rows of the store; those of the journey worker each with its revision.

`revision` orders by knowledge, not by clock: (inputs known << 32) | as_of in seconds.
A writer that knew less loses whenever its row arrives.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from schemas.base import Codec, Item, Timed, UtcTime
from schemas.touchpoints import AttributedTouchpoint
from schemas.traffic import Traffic


class TouchpointFact(Item, frozen=True, kw_only=True, tag_field="kind", tag="touchpoint"):
    """One visible touchpoint of one account."""

    kind: ClassVar[Literal["touchpoint"]] = "touchpoint"
    account_id: str
    event_id: str
    revision: int
    digest: Annotated[int, Meta(description="of everything but revision: equal digests, equal facts")]
    touchpoint_type: str
    phase: Annotated[str, Meta(description="the account's phase at the touchpoint's own time")]
    home_phase: str
    persona: str
    segment: str
    on_map: Annotated[bool, Meta(description="a contact moment; false for records about records")]
    moment_of_truth: bool
    importance: int
    emotion: float | None
    friction_signals: Annotated[tuple[str, ...], Meta(description="ids of the friction signals it carries")] = ()
    friction_rules: tuple[str, ...] = ()
    delight_signals: tuple[str, ...] = ()
    pain: Annotated[float, Meta(description="1 - prod(1 - severity), 0..1")] = 0.0
    blueprint_version: int
    traffic: Traffic = "customer"
    input: AttributedTouchpoint


class Tombstone(Timed, frozen=True, kw_only=True, tag_field="kind", tag="tombstone"):
    """The touchpoint is no longer this account's (moved or erased); or it is, but not at that time."""

    kind: ClassVar[Literal["tombstone"]] = "tombstone"
    account_id: str
    event_id: str
    occurred_at: UtcTime
    knowledge: int
    mapping: Annotated[int, Meta(description="copies read by an older mapping stay away, whatever they knew")] = 1
    revision: int
    source: str
    is_kept: Annotated[bool, Meta(description="only its place in time changed: it is still the account's")] = False


class SignalFact(Timed, frozen=True, kw_only=True, tag_field="kind", tag="signal"):
    """One episode of friction or delight. Same episode, same id, whatever the arrival order."""

    kind: ClassVar[Literal["signal"]] = "signal"
    signal_id: str
    account_id: str
    revision: int
    digest: int = 0
    rule: str
    rule_version: int
    polarity: Literal["friction", "delight"]
    severity: float
    event_id: Annotated[str, Meta(description="the touchpoint that carries it")]
    person_id: str
    touchpoint_type: str
    phase: str
    opened_at: UtcTime
    closed_at: UtcTime | None = None
    evidence: Annotated[tuple[str, ...], Meta(description="event ids, oldest first, at most 20")]
    evidence_count: int
    explanation: Annotated[str, Meta(description="why, in English")]
    explanation_coded: Annotated[
        str, Meta(description="key and parameters it was made from, JSON: `[key, {…}]`; empty: stored before")
    ] = ""
    case_id: Annotated[str, Meta(description="the compound signal that adopted it; empty: none")] = ""
    parts: Annotated[
        tuple[str, ...], Meta(description="signals a compound one is made of, oldest first, at most 50")
    ] = ()
    withdrawn: bool = False


Direction = Literal["", "forward", "backward", "exit", "re-entry"]


class PhaseChange(Timed, frozen=True, kw_only=True):
    """A transition of the account's phase, or one that was refused."""

    at: UtcTime
    from_phase: str
    to_phase: str
    event_id: str
    cause: Annotated[str, Meta(description="what moved it, in English")]
    cause_coded: Annotated[
        str, Meta(description="key and parameters it was made from, JSON: `[key, {…}]`; empty: stored before")
    ] = ""
    accepted: bool
    dwell_s: Annotated[float, Meta(description="time spent in `from_phase` until then")]
    reason: Annotated[str, Meta(description="why it was refused; empty when accepted")] = ""
    direction: Annotated[Direction, Meta(description="which way it goes; empty: stored before this was recorded")] = ""


class Opportunity(Timed, frozen=True, kw_only=True):
    """A deal of the CRM. It runs beside the phase of its account."""

    opportunity_id: Annotated[str, Meta(description="the subject of its events, e.g. `deal:9`")]
    kind: Annotated[Literal["new", "expansion"], Meta(description="expansion: opened while the account was a customer")]
    status: Literal["open", "won", "lost", "removed"]
    stage: Annotated[str, Meta(description="in the CRM's words; empty: none was told yet")] = ""
    opened_at: Annotated[UtcTime, Meta(description="first event about it")]
    changed_at: Annotated[UtcTime, Meta(description="last event that changed something here")]
    closed_at: Annotated[UtcTime | None, Meta(description="when it was won, lost or removed")] = None
    regressions: Annotated[int, Meta(description="moves to an earlier stage")] = 0
    reopened: Annotated[int, Meta(description="moves from won, lost or removed to an open stage")] = 0
    amount: Annotated[float | None, Meta(description="in units of `currency`; None: not told")] = None
    currency: Annotated[str, Meta(description="ISO 4217; empty: not told")] = ""
    close_due_at: Annotated[UtcTime | None, Meta(description="when the CRM expects it to close")] = None


class Seat(Item, frozen=True, kw_only=True):
    """One buying role at an account."""

    role: str
    known: Annotated[int, Meta(description="people of that role")]
    required: Annotated[int, Meta(description="how many a complete committee has")]


class AccountFact(Timed, frozen=True, kw_only=True, tag_field="kind", tag="account"):
    """Where an account stands."""

    kind: ClassVar[Literal["account"]] = "account"
    account_id: str
    revision: int
    digest: int = 0
    phase: str
    phase_since: UtcTime | None
    high_water_phase: str
    segment: str
    traits: dict[str, str] = {}
    touchpoints: int
    on_map_touchpoints: int
    people: int
    friction_signals: int
    first_seen_at: UtcTime | None
    last_seen_at: UtcTime | None
    transitions: tuple[PhaseChange, ...] = ()
    opportunities: tuple[Opportunity, ...] = ()
    committee: tuple[Seat, ...] = ()
    committee_completeness: Annotated[
        float | None,
        Meta(description="mean over the roles of min(known / required, 1), 0..1; None: the blueprint asks for nobody"),
    ] = None
    blueprint_version: Annotated[int, Meta(description="of the blueprint that made the rows of this account")] = 0
    blueprint_digest: Annotated[int, Meta(description="of what that blueprint means: any edit changes it")] = 0
    next_deadline_at: Annotated[UtcTime | None, Meta(description="when silence becomes a signal")] = None
    as_of: UtcTime
    deleted: Annotated[bool, Meta(description="every touchpoint moved away")] = False


class Correction(Timed, frozen=True, kw_only=True, tag_field="kind", tag="correction"):
    """What a refold changed, and why."""

    kind: ClassVar[Literal["correction"]] = "correction"
    correction_id: str
    account_id: str
    corrected_at: UtcTime
    cause: Annotated[str, Meta(description="why, in English")]
    cause_coded: Annotated[
        str, Meta(description="keys and parameters it was made from, JSON: `[[key, {…}], …]`; empty: stored before")
    ] = ""
    what: Annotated[str, Meta(description="what changed, in English")] = ""
    what_coded: Annotated[str, Meta(description="the same, as `cause_coded`")] = ""
    touchpoints_changed: int
    touchpoints_removed: int
    signals_changed: int
    signals_withdrawn: int


class ProposalFact(Timed, frozen=True, kw_only=True, tag_field="kind", tag="proposal"):
    """A question that evidence leaves to a person, or its answer. The same question, the same id."""

    kind: ClassVar[Literal["proposal"]] = "proposal"
    proposal_id: str
    revision: Annotated[int, Meta(description="how far the links were known: offset + 1")]
    question: Literal["same_person", "belongs", "same_account"]
    a: Annotated[str, Meta(description="alias; for `same_account` a helpdesk's organisation or a product's group")]
    b: Annotated[str, Meta(description="alias; for `belongs` and `same_account` an account")]
    reason: str
    evidence: Annotated[str, Meta(description="event id")]
    confidence: float
    since: UtcTime
    status: Literal["open", "accepted", "rejected", "settled"]
    by: str = ""
    decided_at: UtcTime | None = None


class IgnoredFact(Timed, frozen=True, kw_only=True, tag_field="kind", tag="ignored"):
    """Messages of one request that concern no customer. The same request, the same row, however often it is read."""

    kind: ClassVar[Literal["ignored"]] = "ignored"
    request_id: str
    source: str
    reason: Annotated[str, Meta(description="why, as a word")]
    messages: int
    received_at: UtcTime


AccountsFact = TouchpointFact | Tombstone | SignalFact | AccountFact | Correction
"""What the one writer of an account says of it."""
Fact = AccountsFact | ProposalFact | IgnoredFact
FACTS = Codec[Fact](Fact)
