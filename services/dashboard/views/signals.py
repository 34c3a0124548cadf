"""Signals, and the incidents they make."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, slots=True)
class SignalView:
    """A moment of friction or delight, in words."""

    signal_id: str
    account_id: str
    account_name: str
    rule: str
    rule_version: int
    polarity: str
    severity: float
    event_id: str
    person_id: str
    persona: str
    persona_name: str
    touchpoint_type: str
    type_name: str
    phase: str
    phase_name: str
    opened_at: datetime
    closed_at: datetime | None
    evidence: tuple[str, ...]
    evidence_count: int
    explanation: str
    method: str = ""
    confidence: float | None = None
    case_id: str = ""


CaseStatus = Literal["opened", "grown", "closed"]


@dataclass(frozen=True, slots=True)
class CaseView:
    """An incident of several signals on one thing; `grown`: more than two so far."""

    case: SignalView
    status: CaseStatus
    parts: tuple[SignalView, ...]
