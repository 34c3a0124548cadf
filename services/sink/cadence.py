"""How long the sink collects before it stores."""

from __future__ import annotations

from typing import Final

COLLECT_S: Final = 0.45
COLLECT_MAX_S: Final = 0.8
UNSEEN_S: Final = 2.0
"""While nobody looks. Whoever comes then sees what is so much older, once."""
UNSEEN_ITEMS: Final = 2_000
"""With more than these at hand nobody's not looking is a reason to wait."""
LOOKED_S: Final = 60.0
"""Who looked within this time still looks: pages ask all the time, a dashboard every half minute or so."""
LITTLE_ITEMS: Final = 200
_ITEMS_A_SECOND: Final = 2500


class Cadence:
    """Collects longer after a large batch, and while nobody looks, within bounds.

    Half of what a batch costs does not depend on its size: requests, parts on disk, and reading the minute under way
    again. Up to a thousand events a second the map is as fresh as it can be; beyond that, fewer batches are what lets
    the sink keep up. Where little comes, a batch is all that an event costs: a fresh map that nobody sees is given up.
    """

    def __init__(self) -> None:
        self._items = 0
        self._is_seen = True

    @property
    def is_little(self) -> bool:
        """Whether so little came last that it is read in a moment."""
        return self._items <= LITTLE_ITEMS

    def collect_s(self, items: int = 0) -> float:
        """From the first record of a batch until it is stored; `items` of it are at hand."""
        fresh_s = min(COLLECT_MAX_S, max(COLLECT_S, self._items / _ITEMS_A_SECOND))
        return fresh_s if self._is_seen or items >= UNSEEN_ITEMS else UNSEEN_S

    def stored(self, items: int, looked_s: float | None) -> None:
        """The last batch had so many. `looked_s`: seconds since somebody looked; None: not known, so somebody may."""
        self._items = items
        self._is_seen = looked_s is None or looked_s < LOOKED_S
