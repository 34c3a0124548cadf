"""Signs of friction as what happens: all that one account met at one thing is one line. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from services.dashboard.pain import Severity
from services.dashboard.views import SignalView

SEVERE_AT, HIGH_AT = 0.8, 0.6


@dataclass(frozen=True, slots=True)
class Happening:
    """One account at one touchpoint type. `what`: its worst sign in words, told by `event_id`."""

    account_id: str
    account_name: str
    kind: str
    kind_name: str
    phase: str
    who: tuple[str, ...]
    severity: Severity
    what: str
    event_id: str
    signs: int
    began_at: datetime
    last_at: datetime


def happenings(signals: Iterable[SignalView], limit: int) -> tuple[Happening, ...]:
    """Newest first. The parts of a case are told by their case."""
    groups: dict[tuple[str, str], list[SignalView]] = {}
    for signal in signals:
        groups.setdefault((signal.account_id, signal.touchpoint_type), []).append(signal)
    found = sorted(map(_happening, groups.values()), key=lambda each: (each.last_at, each.account_id), reverse=True)
    return tuple(found[:limit])


def _happening(signs: list[SignalView]) -> Happening:
    worst = max(signs, key=lambda sign: (sign.severity, sign.opened_at))
    known = dict.fromkeys(sign.persona_name for sign in signs if sign.persona not in ("", "unknown"))
    severity: Severity = "severe" if worst.severity >= SEVERE_AT else "high" if worst.severity >= HIGH_AT else "watch"
    return Happening(
        account_id=worst.account_id,
        account_name=worst.account_name,
        kind=worst.touchpoint_type,
        kind_name=worst.type_name,
        phase=worst.phase,
        who=tuple(known),
        severity=severity,
        what=worst.explanation,
        event_id=worst.event_id,
        signs=len(signs),
        began_at=min(sign.opened_at for sign in signs),
        last_at=max(sign.opened_at for sign in signs),
    )
