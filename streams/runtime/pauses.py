"""For how long a process stood still: its event loop came late to what was due, or Python looked for garbage."""

from __future__ import annotations

import asyncio
import gc
import time
from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from streams.runtime.metrics import Meter

LOOK_S: Final = (0.02, 0.5)
"""So often the loop's clock is looked at: where it came late just now, and at rest."""
LATE_S: Final = 0.005
NOTED_S: Final = 0.1
REMEMBERED_S: Final = 60.0
_MOST_WAITING: Final = 1_000


class Pauses:
    """Watches one process, in its event loop."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._stood: deque[tuple[float, float]] = deque()
        self._collected: deque[tuple[int, float]] = deque(maxlen=_MOST_WAITING)
        self._began_s = 0.0

    async def run(self) -> None:
        """Until cancelled."""
        gc.callbacks.append(self._collecting)
        pause_s, longest_s = LOOK_S
        try:
            while True:
                began_s = time.monotonic()
                await asyncio.sleep(pause_s)
                late_s = max(time.monotonic() - began_s - pause_s, 0.0)
                self.note(began_s + pause_s + late_s, late_s)
                self._tell_collected()
                pause_s = LOOK_S[0] if late_s > LATE_S else min(2 * pause_s, longest_s)
        finally:
            gc.callbacks.remove(self._collecting)

    def note(self, now_s: float, late_s: float) -> None:
        """The loop came to something at `now_s`, that much too late."""
        self._meter.observe("touchline_loop_lag_seconds", late_s)
        if late_s > NOTED_S:
            self._stood.append((now_s, late_s))

    def longest_s(self, now_s: float, since_s: float = float("-inf")) -> float:
        """The longest the loop stood within the last minute; 0 for less than a tenth of a second.

        `since_s`: what had begun before does not count, such as loading at the start.
        """
        while self._stood and now_s - self._stood[0][0] > REMEMBERED_S:
            self._stood.popleft()
        return max((stood_s for at_s, stood_s in self._stood if at_s - stood_s >= since_s), default=0.0)

    def _collecting(self, phase: str, about: Mapping[str, Any]) -> None:
        """Python's call before and after it looks for garbage: in the midst of anything, so no lock is taken here."""
        if phase == "start":
            self._began_s = time.perf_counter()
        else:
            self._collected.append((about["generation"], time.perf_counter() - self._began_s))

    def _tell_collected(self) -> None:
        while self._collected:
            generation, took_s = self._collected.popleft()
            self._meter.observe("touchline_gc_pause_seconds", took_s, generation=str(generation))
