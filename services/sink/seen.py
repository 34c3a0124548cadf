"""What a batch touched, in one look at its items: the minutes to recompute, and how far its sources have come. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from services.sink.batch import Item
from services.sink.rows import minute_of


@dataclass(frozen=True, slots=True)
class Seen:
    """`minutes`, in seconds since 1970, are those whose map cells the items may change.

    `newest`: source → time of its last touchpoint. `last_live_at`: when the last one came that is no backfill.
    """

    minutes: set[int]
    newest: dict[str, datetime]
    last_live_at: datetime | None


def seen(items: Iterable[Item]) -> Seen:
    """What `items` touched, refused ones included: a part of their rows may be stored."""
    minutes: set[int] = set()
    newest: dict[str, datetime] = {}
    last_live_at = None
    for item in items:
        fact = item.fact
        if fact is None:
            continue
        if fact.kind == "touchpoint":
            touchpoint = fact.input.touchpoint
            minutes.add(minute_of(touchpoint.occurred_at))
            at = touchpoint.ordered_at
            if at >= newest.get(touchpoint.source, at):
                newest[touchpoint.source] = at
            if not touchpoint.backfill:
                last_live_at = touchpoint.received_at
        elif fact.kind == "tombstone":
            minutes.add(minute_of(fact.occurred_at))
    return Seen(minutes, newest, last_live_at)
