"""When to start a dead child again. Pure: time comes in, a decision goes out."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

FIRST_DELAY_S = 0.25
MAX_DELAY_S = 10.0
WINDOW_S = 60.0
LOOP_AFTER = 3
STEADY_S = 5.0
"""Ready for so long, a child had found its feet: what ended it then has nothing to do with how it starts."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Wait `delay_s`, then start again; `crash_loop`: more than three deaths within a minute."""

    delay_s: float
    crash_loop: bool


@dataclass(slots=True)
class RestartPolicy:
    """Backs off with every death of the last minute, unless it had run steadily before it. Never gives up.

    Deaths of steady children are counted, too: more than three of them in a minute are as much to be told.
    """

    _deaths: deque[float] = field(default_factory=deque)
    _false_starts: int = 0

    def died(self, at_s: float, *, ready_for_s: float = 0.0) -> Decision:
        """Note a death at `at_s` (monotonic seconds), after it had been ready for so long."""
        self._forget(at_s)
        if not self._deaths or ready_for_s >= STEADY_S:
            self._false_starts = 0
        self._deaths.append(at_s)
        delay_s = min(MAX_DELAY_S, FIRST_DELAY_S * 2**self._false_starts)
        self._false_starts = min(self._false_starts + 1, 16)
        return Decision(delay_s, len(self._deaths) > LOOP_AFTER)

    def crash_loop(self, at_s: float) -> bool:
        """Whether it is in a crash loop at `at_s`."""
        self._forget(at_s)
        return len(self._deaths) > LOOP_AFTER

    def _forget(self, at_s: float) -> None:
        while self._deaths and self._deaths[0] <= at_s - WINDOW_S:
            self._deaths.popleft()
