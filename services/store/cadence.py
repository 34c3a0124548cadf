"""How long the sink collects before it stores."""

from __future__ import annotations

from typing import Final

COLLECT_S: Final = 0.45
COLLECT_MAX_S: Final = 1.0
_TIMES_STORING: Final = 2.0


class Cadence:
    """Collects twice as long as the last batch took to store, within bounds.

    Most of what a batch costs does not depend on its size (requests, parts on disk, and reading the minute under way
    again), so where storing takes long, larger batches are what lets it keep up; where it does not, the map is fresher.
    """

    def __init__(self) -> None:
        self._took_s = 0.0

    @property
    def collect_s(self) -> float:
        """From the first record of a batch until it is stored."""
        return min(COLLECT_MAX_S, max(COLLECT_S, _TIMES_STORING * self._took_s))

    def stored(self, took_s: float) -> None:
        """The last batch took so long, from its rows to its cells."""
        self._took_s = took_s
