"""The event loop, shared fairly: work gives way in time, and whoever let it stand is found out."""

from __future__ import annotations

import asyncio
import time
from collections import deque

TURN_S = 0.03
"""What heartbeats, acks and probes wait for at most, of each piece of work."""
LOOK_EVERY_S = 0.1
REMEMBERED_S = 60.0
STOOD_S = 2.0
"""Longer than any work of ours takes, and far less than Kafka waits for a silent member of a group."""


class Turn:
    """A piece of work's time on the loop."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    async def give_way(self) -> None:
        """Let others go on, once this has worked for `TURN_S`."""
        if time.monotonic() - self._began > TURN_S:
            await asyncio.sleep(0)
            self._began = time.monotonic()


class LoopWatch:
    """Notes for how long the event loop stood."""

    def __init__(self) -> None:
        self._stood: deque[tuple[float, float]] = deque()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            began = time.monotonic()
            await asyncio.sleep(LOOK_EVERY_S)
            now = time.monotonic()
            self.note(now, now - began - LOOK_EVERY_S)

    def note(self, now: float, stood_s: float) -> None:
        """The loop came back at `now`, that much too late."""
        if stood_s > LOOK_EVERY_S:
            self._stood.append((now, stood_s))

    def longest_s(self, now: float) -> float:
        """The longest it stood within the last minute."""
        while self._stood and now - self._stood[0][0] > REMEMBERED_S:
            self._stood.popleft()
        return max((stood_s for _, stood_s in self._stood), default=0.0)
