"""Memory that a burst took goes back to the system: the C library keeps what was freed, until it is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

LOOK_EVERY_S: Final = 1.0
WORTH_BYTES: Final = 4 << 20
"""In flight at once; below that nothing is asked for."""


class Trim:
    """Looks at what is in flight; once a burst is over, `give_back` is called, once."""

    def __init__(self, in_flight: Callable[[], int], give_back: Callable[[], None]) -> None:
        self._in_flight, self._give_back = in_flight, give_back
        self._most = 0

    def look(self) -> None:
        """One look."""
        now = self._in_flight()
        self._most = max(self._most, now)
        if self._most >= WORTH_BYTES and now < self._most // 8:
            self._most = now
            self._give_back()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self.look()
