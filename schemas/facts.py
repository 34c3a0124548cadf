"""What the journey worker concludes: rows of the store, each with its revision.

`revision` orders by knowledge, not by clock: (inputs known << 32) | as_of in seconds.
A writer that knew less loses whenever its row arrives.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from schemas.base import Contract, UtcTime
from schemas.touchpoints import AttributedTouchpoint


class TouchpointFact(Contract):
    """One visible touchpoint of one account."""

    kind: Literal["touchpoint"] = "touchpoint"
    account_id: str
    event_id: str
    revision: int
    digest: int = Field(description="of everything but revision: equal digests, equal facts")
    touchpoint_type: str
    phase: str = Field(description="the account's phase at the touchpoint's own time")
    home_phase: str
    persona: str
    segment: str
    on_map: bool = Field(description="a contact moment; false for records about records")
    moment_of_truth: bool
    importance: int
    emotion: float | None
    friction_signals: tuple[str, ...] = Field((), description="ids of the friction signals it carries")
    friction_rules: tuple[str, ...] = ()
    delight_signals: tuple[str, ...] = ()
    pain: float = Field(0.0, description="1 - prod(1 - severity), 0..1")
    blueprint_version: int
    input: AttributedTouchpoint


class Tombstone(Contract):
    """The touchpoint is no longer this account's (moved or erased)."""

    kind: Literal["tombstone"] = "tombstone"
    account_id: str
    event_id: str
    occurred_at: UtcTime
    knowledge: int
    revision: int
    source: str


class SignalFact(Contract):
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
    event_id: str = Field(description="the touchpoint that carries it")
    person_id: str
    touchpoint_type: str
    phase: str
    opened_at: UtcTime
    closed_at: UtcTime | None = None
    evidence: tuple[str, ...] = Field(description="event ids, oldest first, at most 20")
    evidence_count: int
    explanation: str
    withdrawn: bool = False


class PhaseChange(Contract):
    """A transition of the account's phase, or one that was refused."""

    at: UtcTime
    from_phase: str
    to_phase: str
    event_id: str
    cause: str
    accepted: bool
    dwell_s: float


class AccountFact(Contract):
    """Where an account stands."""

    kind: Literal["account"] = "account"
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
    next_deadline_at: UtcTime | None = Field(None, description="when silence becomes a signal")
    as_of: UtcTime
    deleted: bool = Field(False, description="every touchpoint moved away")


class Correction(Contract):
    """What a refold changed, and why."""

    kind: Literal["correction"] = "correction"
    correction_id: str
    account_id: str
    corrected_at: UtcTime
    cause: str
    touchpoints_changed: int
    touchpoints_removed: int
    signals_changed: int
    signals_withdrawn: int


Fact = TouchpointFact | Tombstone | SignalFact | AccountFact | Correction
FACTS = TypeAdapter[list[Fact]](list[Annotated[Fact, Field(discriminator="kind")]])
