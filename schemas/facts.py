"""What the processors conclude: rows of the store; those of the journey worker each with its revision.

`revision` orders by knowledge, not by clock: (inputs known << 32) | as_of in seconds.
A writer that knew less loses whenever its row arrives.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from schemas.base import Contract, Item, UtcTime
from schemas.touchpoints import AttributedTouchpoint
from schemas.traffic import Traffic


@dataclass(slots=True, kw_only=True)  # frozen would double the cost of making one; nobody changes one
class TouchpointFact(Item):
    """One visible touchpoint of one account."""

    kind: Literal["touchpoint"] = "touchpoint"
    account_id: str
    event_id: str
    revision: int
    digest: Annotated[int, Field(description="of everything but revision: equal digests, equal facts")]
    touchpoint_type: str
    phase: Annotated[str, Field(description="the account's phase at the touchpoint's own time")]
    home_phase: str
    persona: str
    segment: str
    on_map: Annotated[bool, Field(description="a contact moment; false for records about records")]
    moment_of_truth: bool
    importance: int
    emotion: float | None
    friction_signals: Annotated[tuple[str, ...], Field(description="ids of the friction signals it carries")] = ()
    friction_rules: tuple[str, ...] = ()
    delight_signals: tuple[str, ...] = ()
    pain: Annotated[float, Field(description="1 - prod(1 - severity), 0..1")] = 0.0
    blueprint_version: int
    traffic: Traffic = "customer"
    input: AttributedTouchpoint


class Tombstone(Contract):
    """The touchpoint is no longer this account's (moved or erased); or it is, but not at that time."""

    kind: Literal["tombstone"] = "tombstone"
    account_id: str
    event_id: str
    occurred_at: UtcTime
    knowledge: int
    mapping: int = Field(1, description="copies read by an older mapping stay away, whatever they knew")
    revision: int
    source: str
    is_kept: bool = Field(False, description="only its place in time changed: it is still the account's")


@dataclass(slots=True, kw_only=True)  # as above
class SignalFact(Item):
    """One episode of friction or delight. Same episode, same id, whatever the arrival order."""

    kind: Literal["signal"] = "signal"
    signal_id: str
    account_id: str
    revision: int
    digest: int = 0
    rule: str
    rule_version: int
    polarity: Literal["friction", "delight"]
    severity: float
    event_id: Annotated[str, Field(description="the touchpoint that carries it")]
    person_id: str
    touchpoint_type: str
    phase: str
    opened_at: UtcTime
    closed_at: UtcTime | None = None
    evidence: Annotated[tuple[str, ...], Field(description="event ids, oldest first, at most 20")]
    evidence_count: int
    explanation: str
    case_id: Annotated[str, Field(description="the compound signal that adopted it; empty: none")] = ""
    parts: Annotated[
        tuple[str, ...], Field(description="signals a compound one is made of, oldest first, at most 50")
    ] = ()
    withdrawn: bool = False


Direction = Literal["", "forward", "backward", "exit", "re-entry"]


class PhaseChange(Contract):
    """A transition of the account's phase, or one that was refused."""

    at: UtcTime
    from_phase: str
    to_phase: str
    event_id: str
    cause: str
    accepted: bool
    dwell_s: float = Field(description="time spent in `from_phase` until then")
    reason: str = Field("", description="why it was refused; empty when accepted")
    direction: Direction = Field("", description="which way it goes; empty: told before this was recorded")


class Opportunity(Contract):
    """A deal of the CRM. It runs beside the phase of its account."""

    opportunity_id: str = Field(description="the subject of its events, e.g. `deal:9`")
    kind: Literal["new", "expansion"] = Field(description="expansion: opened while the account was a customer")
    status: Literal["open", "won", "lost", "removed"]
    stage: str = Field("", description="in the CRM's words; empty: none was told yet")
    opened_at: UtcTime = Field(description="first event about it")
    changed_at: UtcTime = Field(description="last event that changed something here")
    closed_at: UtcTime | None = Field(None, description="when it was won, lost or removed")
    regressions: int = Field(0, description="moves to an earlier stage")
    reopened: int = Field(0, description="moves from won, lost or removed to an open stage")
    amount: float | None = Field(None, description="in units of `currency`; None: not told")
    currency: str = Field("", description="ISO 4217; empty: not told")
    close_due_at: UtcTime | None = Field(None, description="when the CRM expects it to close")


class Seat(Contract):
    """One buying role at an account."""

    role: str
    known: int = Field(description="people of that role")
    required: int = Field(description="how many a complete committee has")


@dataclass(slots=True, kw_only=True)  # as above
class AccountFact(Item):
    """Where an account stands."""

    kind: Literal["account"] = "account"
    account_id: str
    revision: int
    digest: int = 0
    phase: str
    phase_since: UtcTime | None
    high_water_phase: str
    segment: str
    traits: dict[str, str] = field(default_factory=dict)
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
        Field(description="mean over the roles of min(known / required, 1), 0..1; None: the blueprint asks for nobody"),
    ] = None
    blueprint_version: Annotated[int, Field(description="of the blueprint that made the rows of this account")] = 0
    blueprint_digest: Annotated[int, Field(description="of what that blueprint means: any edit changes it")] = 0
    next_deadline_at: Annotated[UtcTime | None, Field(description="when silence becomes a signal")] = None
    as_of: UtcTime
    deleted: Annotated[bool, Field(description="every touchpoint moved away")] = False


class Correction(Contract):
    """What a refold changed, and why."""

    kind: Literal["correction"] = "correction"
    correction_id: str
    account_id: str
    corrected_at: UtcTime
    cause: str = Field(description="why, in words")
    what: str = Field("", description="what changed, in words")
    touchpoints_changed: int
    touchpoints_removed: int
    signals_changed: int
    signals_withdrawn: int


class ProposalFact(Contract):
    """A question that evidence leaves to a person, or its answer. The same question, the same id."""

    kind: Literal["proposal"] = "proposal"
    proposal_id: str
    revision: int = Field(description="how far the links were known: offset + 1")
    question: Literal["same_person", "belongs", "same_account"]
    a: str = Field(description="alias; for `same_account` a helpdesk's organisation or a product's group")
    b: str = Field(description="alias; for `belongs` and `same_account` an account")
    reason: str
    evidence: str = Field(description="event id")
    confidence: float
    since: UtcTime
    status: Literal["open", "accepted", "rejected", "settled"]
    by: str = ""
    decided_at: UtcTime | None = None


class IgnoredFact(Contract):
    """Messages of one request that concern no customer. The same request, the same row, however often it is read."""

    kind: Literal["ignored"] = "ignored"
    request_id: str
    source: str
    reason: str = Field(description="why, as a word")
    messages: int
    received_at: UtcTime


AccountsFact = TouchpointFact | Tombstone | SignalFact | AccountFact | Correction
"""What the one writer of an account says of it."""
Fact = AccountsFact | ProposalFact | IgnoredFact
FACTS = TypeAdapter[list[Fact]](list[Annotated[Fact, Field(discriminator="kind")]])
