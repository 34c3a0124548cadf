"""When to start a dead child again. Pure: time comes in, a decision goes out."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

FIRST_DELAY_S = 0.25
MAX_DELAY_S = 10.0
WINDOW_S = 60.0
LOOP_AFTER = 3


@dataclass(frozen=True, slots=True)
class Decision:
    """Wait `delay_s`, then start again; `crash_loop`: more than three deaths within a minute."""

    delay_s: float
    crash_loop: bool


@dataclass(slots=True)
class RestartPolicy:
    """Backs off with every death of the last minute and forgets older ones. Never gives up."""

    _deaths: deque[float] = field(default_factory=deque)

    def died(self, at_s: float) -> Decision:
        """Note a death at `at_s` (monotonic seconds)."""
        self._forget(at_s)
        self._deaths.append(at_s)
        delay_s = min(MAX_DELAY_S, FIRST_DELAY_S * 2 ** (len(self._deaths) - 1))
        return Decision(delay_s, len(self._deaths) > LOOP_AFTER)

    def crash_loop(self, at_s: float) -> bool:
        """Whether it is in a crash loop at `at_s`."""
        self._forget(at_s)
        return len(self._deaths) > LOOP_AFTER

    def _forget(self, at_s: float) -> None:
        while self._deaths and self._deaths[0] <= at_s - WINDOW_S:
            self._deaths.popleft()
