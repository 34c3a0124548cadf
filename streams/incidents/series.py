"""What was counted, by slots of time, and sums over any stretch of it. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from itertools import accumulate
from typing import Final, NamedTuple

SLOT_S: Final = 900
NOBODY: Final[frozenset[int]] = frozenset()


class Tally(NamedTuple):
    """How much was judged in a slot, how much of it was bad, and the accounts that felt that (hashed, some of them).

    `anew`: of what was bad, what a newer mapping found so of touchpoints that it read again. `squares`: the sum of the
    squares of how bad each was; None where each is bad or not.
    """

    counted: float = 0.0
    bad: float = 0.0
    accounts: frozenset[int] = NOBODY
    anew: float = 0.0
    squares: float | None = None

    def plus(self, other: Tally) -> Tally:
        counted, bad, anew = self.counted + other.counted, self.bad + other.bad, self.anew + other.anew
        squares = None if self.squares is None and other.squares is None else self.squared + other.squared
        return Tally(counted, bad, self.accounts | other.accounts, anew, squares)

    @property
    def squared(self) -> float:
        """The sum of the squares."""
        return self.bad if self.squares is None else self.squares


class Series:
    """Tallies by slot (Unix time / its length)."""

    def __init__(self, tallies: Mapping[int, Tally]) -> None:
        self._slots = sorted(slot for slot, tally in tallies.items() if tally.counted or tally.bad)
        self._tallies = [tallies[slot] for slot in self._slots]
        self._counted = [0.0, *accumulate(tally.counted for tally in self._tallies)]
        self._bad = [0.0, *accumulate(tally.bad for tally in self._tallies)]
        self._squared = [0.0, *accumulate(tally.squared for tally in self._tallies)]
        self._live = [0.0, *accumulate(tally.bad - tally.anew for tally in self._tallies)]

    @property
    def first(self) -> int | None:
        """The first slot in which anything was counted."""
        return self._slots[0] if self._slots else None

    def sums(self, after: int, until: int, *, is_news: bool = False) -> tuple[float, float]:
        """How much was judged, and how much of it was bad, in the slots after one until another, that one included.

        `is_news`: what is bad only because it was read anew is not among it.
        """
        first, last, bad = self._place(after), self._place(until), self._live if is_news else self._bad
        return self._counted[last] - self._counted[first], bad[last] - bad[first]

    def squares(self, after: int, until: int) -> float:
        """The sum of the squares of how bad each was, in the same slots."""
        return self._squared[self._place(until)] - self._squared[self._place(after)]

    def accounts(self, after: int, until: int) -> int:
        """How many different accounts felt it, counted up to a limit in each slot."""
        return len(NOBODY.union(*(tally.accounts for tally in self._tallies[self._place(after) : self._place(until)])))

    def enough_after(self, until: int, least: float) -> int | None:
        """The slot after which at least so much (above 0) was judged, until another; None: never."""
        first = bisect_right(self._counted, self._counted[self._place(until)] - least) - 1
        return self._slots[first] - 1 if first >= 0 else None

    def _place(self, slot: int) -> int:
        return bisect_right(self._slots, slot)


def rate(counted: float, bad: float) -> float:
    """The bad part, 0…1. What broke late may be more than what was asked for meanwhile: then it is all of it."""
    return min(1.0, bad / counted) if counted else 0.0
