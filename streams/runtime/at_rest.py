"""Memory that work took goes back to the system once a process rests: the C library keeps what was freed until asked.

Asking takes up to a tenth of a second after a large history, so it is never done while there is work.
"""

from __future__ import annotations

import asyncio
import ctypes
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

LOOK_EVERY_S: Final = 15.0
RESTS_BELOW: Final = 0.04
"""Of a core, between two looks."""
WORTH_S: Final = 0.8
"""Of processor time since the last time; less work leaves nothing worth asking for."""


class AtRest:
    """Looks at the processor time of this process; `give_back` is called once after each time of work."""

    def __init__(
        self, give_back: Callable[[], None] | None = None, used_s: Callable[[], float] = time.process_time
    ) -> None:
        self._give_back = give_back or to_the_system
        self._used_s = used_s
        self._given_at_s = 0.0
        self._seen_s = used_s()

    def look(self, passed_s: float = LOOK_EVERY_S) -> None:
        """One look, `passed_s` after the one before."""
        now_s = self._used_s()
        rests = now_s - self._seen_s < RESTS_BELOW * passed_s
        self._seen_s = now_s
        if rests and now_s - self._given_at_s >= WORTH_S:
            self._given_at_s = now_s
            self._give_back()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self.look()


def to_the_system() -> None:
    """Give free memory back; nothing happens without glibc."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
