"""What is unusual of a touchpoint type in a phase, beside the same hours of the weeks before. Pure.

The last hours, and the last day, are compared with the same hours of the last eight weeks: with their median, in robust
standard deviations, taken from their median absolute deviation and never smaller than chance makes two counts differ.
Silence is unusual where it was never nearly silent before: how much comes differs from day to day by more than chance.
Source of the factor 1.4826, which makes a median absolute deviation a standard deviation: Rousseeuw and Croux,
"Alternatives to the Median Absolute Deviation" (1993).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from math import sqrt
from statistics import median
from typing import ClassVar, Final, Literal, NamedTuple

from schemas.blueprint import Blueprint
from schemas.policies import Measure, Policy
from streams.incidents.counts import Row, cells
from streams.incidents.holidays import NONE, Holidays
from streams.incidents.series import Series, rate
from streams.incidents.type_desks import Pain

HOUR_S: Final = 3_600
WEEKS: Final = 8
LEAST_WEEKS: Final = 4
MEMORY: Final = timedelta(weeks=WEEKS, days=7)
_WEEK_H: Final = 168
_SIGMA: Final = 1.4826
_LEAST_CHANGE: Final[Mapping[Measure, float]] = {"friction_rate": 0.1, "emotion": 0.1}
"""On the scale of what is bad, 0…1: smaller changes do not matter. 0.1 there is 0.2 of emotion."""
_LEAST_VARIANCE: Final = 0.125
"""Of the largest variance that moods could have: what few people said may be alike by chance."""
_OF_DAYS: Final[Mapping[Measure, float]] = {"friction_rate": 0.0, "emotion": 0.03}
"""By so much days differ at least: eight weeks may be alike by chance, and then a mood of the day is unusual."""
_SOURCES_OF: Final = timedelta(days=14)


class Usual(NamedTuple):
    """What is compared: how much of how many now, the usual of it, and by how much it may differ."""

    counted: float
    now: float
    usual: float
    band: float


@dataclass(frozen=True, slots=True)
class Cell:
    """One measure of one type in one phase, judged by one policy."""

    policy: Policy
    phase: str
    name: Measure
    series: Series
    sources: tuple[str, ...] = ()
    holidays: Holidays = NONE
    kind: ClassVar[Literal["unusual"]] = "unusual"
    step_s: ClassVar[int] = HOUR_S
    reach: ClassVar[timedelta] = timedelta(days=3)
    needs_sources: ClassVar[bool] = True

    @property
    def measure(self) -> str:
        return self.name

    def pain(self, slot: int, *, is_news: bool = False) -> Pain | None:
        """What is unusual of the last whole hours as of an hour; None: nothing, or too little to say."""
        for hours in self._windows:
            found = self._silence(slot, hours) if self.name == "volume" else self._change(slot, hours, is_news=is_news)
            if found is not None:
                return found
        return None

    @property
    def _windows(self) -> tuple[int, ...]:
        """The short one first: what shows in it is known sooner. What comes seldom comes in swarms: a day without it is
        no silence yet."""
        is_longer = self.name != "volume" and self.policy.long_h > self.policy.window_h
        return (self.policy.window_h, *((self.policy.long_h,) if is_longer else ()))

    def is_over(self, slot: int) -> bool:
        """Whether it was nearly as usual for as many hours, or too little happens to say anything."""
        return all(self._is_calm(earlier) for earlier in range(slot, slot - self.policy.window_h, -1))

    def _is_calm(self, slot: int) -> bool:
        until = slot - 1
        if self.name == "volume":
            return all(self._comes(until, hours) for hours in self._windows)
        found = [self._compared(slot, hours, self.series.sums(until - hours, until)) for hours in self._windows]
        compared = [each for each in found if each is not None]
        if compared:
            return all(each.now < each.usual + each.band / 2 for each in compared)
        return self.series.sums(until - 24, until)[0] < self.policy.volume

    def _change(self, slot: int, hours: int, *, is_news: bool) -> Pain | None:
        until = slot - 1
        lately = self.series.sums(until - hours, until, is_news=is_news)
        if rate(*lately) <= _LEAST_CHANGE[self.name]:
            return None  # by no more than nothing: the weeks before need not be asked
        found = self._compared(slot, hours, lately)
        if found is None or found.now <= found.usual + found.band:
            return None
        if self.series.accounts(until - hours, until) < self.policy.accounts:
            return None
        share = (found.now - found.usual) / (1 - found.usual)
        return Pain(0.4 + 0.5 * share, f"{self._words(found)} in the same {hours} h of the weeks before")

    def _silence(self, slot: int, hours: int) -> Pain | None:
        until = slot - 1
        before = sorted(counted for counted, _ in self._weeks_before(until, hours))
        if self.series.sums(until - hours, until)[0] or len(before) < LEAST_WEEKS:
            return None
        middle = median(before)
        if middle < self.policy.volume or before[1] < self.policy.volume / 3:  # one week of holidays is forgiven
            return None
        if self._is_like_sunday(until, hours):
            return None
        return Pain(0.7, f"nothing came in the last {hours} h, {middle:.0f} in the same hours of the weeks before")

    def _is_like_sunday(self, until: int, hours: int) -> bool:
        """Whether some of these hours are of a holiday, and on Sundays so little comes that none is no news."""
        off = self.holidays.within((until - hours + 1) * HOUR_S, (until + 1) * HOUR_S)
        if not off:
            return False
        sunday = until + int(off[-1].shift_s) // HOUR_S
        return median(counted for counted, _ in self._weeks_before(sunday, hours)) < self.policy.volume

    def _comes(self, until: int, hours: int) -> bool:
        """Whether anything came, or nothing was to be expected then."""
        expected = any(counted for counted, _ in self._weeks_before(until, hours))
        return not expected or self.series.sums(until - hours, until)[0] > 0

    def _compared(self, slot: int, hours: int, lately: tuple[float, float]) -> Usual | None:
        until, (counted, bad) = slot - 1, lately
        if counted < self.policy.volume:
            return None
        ends = [end for end in self._ends(until, hours) if self._sums(end, hours)[0] >= self.policy.volume / 3]
        if len(ends) < LEAST_WEEKS:
            return None
        before = [self._sums(end, hours) for end in ends]
        rates = [rate(*each) for each in before]
        middle = median(rates)
        spread = _SIGMA * median(abs(each - middle) for each in rates)
        judged = sum(each for each, _ in before)
        some = max(middle, 1 / (median(each for each, _ in before) + 1))  # none yet is no proof of never
        variance = self._variance(some, ends, hours, judged)
        chance = sqrt(variance * (1 / counted + 1 / judged) + _OF_DAYS[self.name] ** 2)
        band = max(self.policy.deviations * max(spread, chance), _LEAST_CHANGE[self.name])
        return Usual(counted, rate(counted, bad), middle, band)

    def _variance(self, some: float, ends: list[int], hours: int, judged: float) -> float:
        """Of how bad one touchpoint is: as large as can be where each is bad or not, as it was where moods are."""
        most = some * (1 - some)
        if self.name != "emotion":
            return most
        squares = sum(self.series.squares(end - hours, end) for end in ends) / judged
        mean = sum(self._sums(end, hours)[1] for end in ends) / judged
        return min(most, max(squares - mean * mean, most * _LEAST_VARIANCE))

    def _weeks_before(self, until: int, hours: int) -> list[tuple[float, float]]:
        """(judged, bad) of the same hours of the weeks before, as far as anything is known of them."""
        return [self._sums(end, hours) for end in self._ends(until, hours)]

    def _ends(self, until: int, hours: int) -> list[int]:
        first = self.series.first
        ends = (until - weeks * _WEEK_H for weeks in range(1, WEEKS + 1))
        return [end for end in ends if first is not None and end - hours >= first - 1]

    def _sums(self, until: int, hours: int) -> tuple[float, float]:
        return self.series.sums(until - hours, until)

    def _words(self, found: Usual) -> str:
        if self.name == "emotion":
            return f"felt like {1 - 2 * found.now:+.1f} on average of {found.counted:.0f}, {1 - 2 * found.usual:+.1f}"
        return f"friction at {found.now:.0%} of {found.counted:.0f}, {found.usual:.0%}"


def unusual(blueprint: Blueprint, counts: Iterable[Row], holidays: Holidays = NONE) -> dict[str, list[Cell]]:
    """Touchpoint type → what its policies judge, from hourly counts."""
    rows = list(counts)
    sources = _sources(rows)
    found: dict[str, list[Cell]] = {}
    known = {kind.id for kind in blueprint.types}
    for (kind, phase), series in cells(rows).items():
        for policy, name in _asked(blueprint) if kind in known else ():
            judged = series["emotion" if name == "emotion" else "friction_rate"]
            cell = Cell(policy, phase, name, judged, sources.get((kind, phase), ()), holidays)
            found.setdefault(kind, []).append(cell)
    return found


def _asked(blueprint: Blueprint) -> Iterator[tuple[Policy, Measure]]:
    return ((policy, name) for policy in blueprint.policies for name in policy.unusual)


def _sources(rows: list[Row]) -> dict[tuple[str, str], tuple[str, ...]]:
    """(type, phase) → the sources that reported it lately; who reports it no more is not waited for."""
    newest = max((int(row["slot"]) for row in rows), default=0)
    found: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        if newest - int(row["slot"]) <= _SOURCES_OF.total_seconds() // HOUR_S:
            found.setdefault((str(row["touchpoint_type"]), str(row["phase"])), set()).add(str(row["source"]))
    return {cell: tuple(sorted(names)) for cell, names in found.items()}
