"""Accounts, their touchpoints, phases and corrections."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.dashboard.views.signals import SignalView


@dataclass(frozen=True, slots=True)
class AccountRow:
    """Where an account stands. `provisional`: known by its domain only, until a CRM account claims it."""

    account_id: str
    name: str
    identified: bool
    provisional: bool
    phase: str
    phase_name: str
    phase_since: datetime | None
    segment: str
    touchpoints: int
    people: int
    friction_signals: int
    first_seen_at: datetime | None
    last_seen_at: datetime | None


@dataclass(frozen=True, slots=True)
class AccountPage:
    """`next_cursor` is null on the last page."""

    accounts: tuple[AccountRow, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class PhaseMove:
    """A change of phase, or one that was refused, and its cause."""

    at: datetime
    from_phase: str
    to_phase: str
    event_id: str
    cause: str
    accepted: bool
    dwell_s: float
    why: str = ""


@dataclass(frozen=True, slots=True)
class TouchpointView:
    """One contact moment: who, where, how we know, what it carried. `traffic`: empty for a customer's."""

    event_id: str
    account_id: str
    occurred_at: datetime
    received_at: datetime
    source: str
    vendor_type: str
    action: str
    touchpoint_type: str
    type_name: str
    phase: str
    phase_name: str
    persona: str
    persona_name: str
    person_id: str
    method: str
    confidence: float
    channel: str
    page: str
    title: str
    text: str
    emotion: float | None
    score: float | None
    score_kind: str
    pain: float
    on_map: bool
    moment_of_truth: bool
    clock_suspect: bool
    friction_rules: tuple[str, ...]
    signals: tuple[SignalView, ...] = ()
    traffic: str = ""


@dataclass(frozen=True, slots=True)
class CorrectionView:
    """What later knowledge changed about an account, and why."""

    corrected_at: datetime
    cause: str
    what: str
    touchpoints_changed: int
    touchpoints_removed: int
    signals_changed: int
    signals_withdrawn: int


@dataclass(frozen=True, slots=True)
class AccountView:
    """A day in the life of one account, newest first."""

    account: AccountRow
    traits: dict[str, str]
    transitions: tuple[PhaseMove, ...]
    touchpoints: tuple[TouchpointView, ...]
    next_cursor: str | None
    corrections: tuple[CorrectionView, ...] = ()


@dataclass(frozen=True, slots=True)
class TouchpointExplained:
    """Why this account, person, persona and phase; `attribution` is as it was decided, with what was rejected."""

    touchpoint: TouchpointView
    account: AccountRow | None
    attribution: dict[str, object]
    evidence_of: tuple[SignalView, ...]
    revision: int
    blueprint_version: int
