"""What was not taken, by source and reason: counted where it happens, and told to everyone who asks about sources.

A count is of one process since it started, so that nobody need agree with anybody; readers add them up.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from schemas.parking import NotTaken, Stage
from streams.runtime.outbox import Output
from streams.runtime.standings import said

MAX_KINDS: Final = 500
"""So many pairs of source and reason are counted; both come from short lists."""
MAX_CHARS: Final = 400


class Tally:
    """Counts, and says what changed since it was last asked."""

    def __init__(self, stage: Stage, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._stage = stage
        self._clock = clock
        self._by = socket.gethostname()[:60]
        self._counts: dict[tuple[str, str], NotTaken] = {}
        self._changed = dict[tuple[str, str], None]()

    def note(self, source: str, reason: str, detail: str, count: int = 1) -> None:
        """So many were not taken; `detail`: the last one's, in words, masked."""
        kind, now = (source, reason), self._clock()
        known = self._counts.get(kind)
        if known is None and len(self._counts) >= MAX_KINDS:
            return
        before = known or NotTaken(
            stage=self._stage, by=self._by, source=source, reason=reason, count=0, since=now, last_at=now
        )
        self._counts[kind] = before.changed(count=before.count + count, last_at=now, detail=detail[:MAX_CHARS])
        self._changed[kind] = None

    def changed(self) -> list[Output]:
        """What is to be told now."""
        told = [said(self._counts[kind]) for kind in self._changed]
        self._changed.clear()
        return told
