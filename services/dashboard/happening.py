"""Signs of friction as what happens: all that one account met at one thing is one line. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from services.dashboard.pain import Severity
from services.dashboard.views import SignalView

SEVERE_AT, HIGH_AT = 0.8, 0.6
Key = tuple[str, str]
"""An account, and a case or a touchpoint type."""


@dataclass(frozen=True, slots=True)
class Happening:
    """One account at one touchpoint type. `what`: its worst sign, told by `event_id`; `signs`: the newest first."""

    id: str
    account_id: str
    account_name: str
    kind: str
    kind_name: str
    phase: str
    who: tuple[str, ...]
    severity: Severity
    what: str
    event_id: str
    signs: tuple[SignalView, ...]
    tags: tuple[str, ...]
    began_at: datetime
    last_at: datetime


def happenings(signals: Iterable[SignalView], limit: int, derived: Iterable[SignalView] = ()) -> tuple[Happening, ...]:
    """Newest first. Signs of one case are one, whatever they are about; the others, by account and touchpoint type.

    `derived`: what rules made of several signs; it tags what happened, and is no line of its own.
    """
    groups: dict[Key, list[SignalView]] = {}
    for signal in signals:
        groups.setdefault((signal.account_id, signal.case_id or signal.touchpoint_type), []).append(signal)
    tags: dict[Key, list[str]] = {}
    for each in derived:
        case = (each.account_id, each.signal_id)
        tags.setdefault(case if case in groups else (each.account_id, each.touchpoint_type), []).append(each.rule)
    made = (_happening(key, signs, tags.get(key, ())) for key, signs in groups.items())
    return tuple(sorted(made, key=lambda each: (each.last_at, each.account_id, each.id), reverse=True)[:limit])


def _happening(key: Key, signs: list[SignalView], tags: Iterable[str]) -> Happening:
    worst = max(signs, key=lambda sign: (sign.severity, sign.opened_at))
    known = dict.fromkeys(sign.persona_name for sign in signs if sign.persona not in ("", "unknown"))
    severity: Severity = "severe" if worst.severity >= SEVERE_AT else "high" if worst.severity >= HIGH_AT else "watch"
    return Happening(
        id="/".join(key),
        account_id=worst.account_id,
        account_name=worst.account_name,
        kind=worst.touchpoint_type,
        kind_name=worst.type_name,
        phase=worst.phase,
        who=tuple(known),
        severity=severity,
        what=worst.explanation,
        event_id=worst.event_id,
        signs=tuple(sorted(signs, key=lambda sign: (sign.opened_at, sign.signal_id), reverse=True)),
        tags=tuple(dict.fromkeys(tags)),
        began_at=min(sign.opened_at for sign in signs),
        last_at=max(sign.opened_at for sign in signs),
    )
