"""The event loop, shared fairly: work gives way in time."""

from __future__ import annotations

import asyncio
import time

TURN_S = 0.03
"""What heartbeats, acks and probes wait for at most, of each piece of work."""


class Turn:
    """A piece of work's time on the loop."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    async def give_way(self) -> None:
        """Let others go on, once this has worked for `TURN_S`."""
        if time.monotonic() - self._began > TURN_S:
            await asyncio.sleep(0)
            self._began = time.monotonic()
