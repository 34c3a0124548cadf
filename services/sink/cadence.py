"""How long the sink collects before it stores."""

from __future__ import annotations

from typing import Final

COLLECT_S: Final = 0.45
COLLECT_MAX_S: Final = 0.8
_ITEMS_A_SECOND: Final = 2500


class Cadence:
    """Collects longer after a large batch, within bounds.

    Half of what a batch costs does not depend on its size: requests, parts on disk, and reading the minute under way
    again. Up to a thousand events a second the map is as fresh as it can be; beyond that, fewer batches are what lets
    the sink keep up.
    """

    def __init__(self) -> None:
        self._items = 0

    @property
    def collect_s(self) -> float:
        """From the first record of a batch until it is stored."""
        return min(COLLECT_MAX_S, max(COLLECT_S, self._items / _ITEMS_A_SECOND))

    def stored(self, items: int) -> None:
        """The last batch had so many."""
        self._items = items
