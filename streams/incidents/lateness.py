"""A source that is late, as an incident of its own: opened when it should have been heard, over when it is. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import NAMESPACE_URL

from schemas.incidents import Desk, Part
from streams.ids import named_id
from streams.incidents.pace import SLOT_S
from streams.incidents.rhythm import Rhythm, duration
from streams.incidents.subjects import SOURCE

_SEVERITY: Final = 0.6
_STEP: Final = timedelta(seconds=SLOT_S)


def after_look(desk: Desk, source: str, rhythm: Rhythm, heard_at: datetime, now: datetime) -> Desk:
    """The desk of a source, last heard then; the same object when nothing changed."""
    last = next((part for part in desk.parts.values() if part.closed_at is None), None)
    if last is not None:
        if heard_at <= last.opened_at and rhythm.is_late(heard_at, now):
            return desk
        part = last.changed(closed_at=max(heard_at, last.opened_at))
    elif rhythm.is_late(heard_at, now):
        part = late(source, rhythm, heard_at, now)
    else:
        return desk
    return desk.changed(name=f"source {source}", parts=desk.parts | {part.part_id: part})


def late(source: str, rhythm: Rhythm, heard_at: datetime, now: datetime) -> Part:
    """What hurts where a source is late."""
    event_id = named_id(NAMESPACE_URL, f"touchline:late:{source}:{heard_at.isoformat()}")
    return Part(
        part_id=f"{SOURCE}{event_id}",
        kind="source",
        what=source,
        waits=True,
        severity=_SEVERITY,
        opened_at=_late_since(rhythm, heard_at, now),
        event_id=event_id,
        events=(event_id,),
        words=f"{source} was last heard at {heard_at:%Y-%m-%d %H:%M} UTC, {duration((now - heard_at).total_seconds())} "
        f"ago; {rhythm.words()}. What its silence would mean is held",
    )


def _late_since(rhythm: Rhythm, heard_at: datetime, now: datetime) -> datetime:
    """The first moment at which it was late: after a night that is the morning, not the evening."""
    at = heard_at + timedelta(seconds=rhythm.never_before_s) + timedelta(milliseconds=1)
    while at < now and not rhythm.is_late(heard_at, at):
        at += _STEP
    return min(at, now)
