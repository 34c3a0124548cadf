"""How far time has come for absence rules: the events' own time while they flow, ours when they rest."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime

from schemas.touchpoints import AttributedTouchpoint

IDLE_S = 2.0


class Watermark:
    """`as_of` follows the newest touchpoint while touchpoints flow, so that a backfill's silence is judged by
    the backfill's time; after `IDLE_S` without any it is the wall clock, so that a quiet account still fires."""

    def __init__(self) -> None:
        self._newest: datetime | None = None
        self._seen_at = float("-inf")

    def see(self, items: Iterable[AttributedTouchpoint]) -> None:
        """Take note of touchpoints that arrived."""
        newest = max((item.touchpoint.ordered_at for item in items), default=None)
        if newest is not None:
            self._newest = newest if self._newest is None else max(self._newest, newest)
            self._seen_at = time.monotonic()

    def as_of(self) -> datetime:
        """Silence counts up to here."""
        now = datetime.now(UTC)
        if self._newest is None or time.monotonic() - self._seen_at > IDLE_S:
            return now
        return min(self._newest, now)
