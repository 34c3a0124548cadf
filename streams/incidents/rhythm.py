"""When a source is late: learned from its own gaps. The page, doctor, the alerts and their metric ask here. Pure.

A source is heard in slots of five minutes; which slots these were in the last four weeks says how long it is silent as
a rule, and at which hours of the week. It is late when it is silent for longer than it ever is as a rule, at hours at
which it was heard in the weeks before: nights, weekends and the days between two exports are no silence.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import median, quantiles
from typing import Final

from schemas.config import LatenessConfig, SourceConfig

SLOT_S: Final = 300
MEMORY: Final = timedelta(days=28)
WEEK: Final = timedelta(days=7)
LEAST_GAPS: Final = 10
SPREADS: Final = 14
"""Where events come by chance, a gap this many spreads beyond the usual is one in ten thousand."""
ENOUGH: Final = 5
SLOTS: Final = f"""
SELECT source, arraySort(groupUniqArray(toUInt32(intDiv(toUnixTimestamp(received_at), {SLOT_S})))) AS slots,
  toFloat64(quantile(0.9)(greatest(0, dateDiff('second', occurred_at, received_at)))) AS lag_s
FROM touchpoints
WHERE minute >= toStartOfMinute({{since:DateTime64(3, 'UTC')}}) AND received_at >= {{since:DateTime64(3, 'UTC')}}
  AND NOT backfill AND NOT is_deleted
GROUP BY source
"""
"""When each source was heard, and how long after it happened most of what it tells arrives. What was sent as history
says nothing of either."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How a source is heard. `usual_s`: the middle of its gaps; 0 where too little is known of it."""

    late_after_s: float
    usual_s: float = 0.0
    lag_s: float = 0.0
    is_set: bool = False
    slots: tuple[int, ...] = ()

    def is_late(self, heard_at: datetime, now: datetime) -> bool:
        """Whether a source that was last heard then should have been heard again by now."""
        if (now - heard_at).total_seconds() <= self.late_after_s:
            return False
        return self.is_set or not self._is_quiet(heard_at, now)

    def _is_quiet(self, heard_at: datetime, now: datetime) -> bool:
        """Whether the same stretch of the weeks before was quiet, too. A little later than usual is no silence."""
        slack = timedelta(seconds=min(max(SLOT_S, self.usual_s / 4), self.late_after_s / 2))
        before = [
            self._heard_between(heard_at - weeks * WEEK, now - weeks * WEEK - slack)
            for weeks in range(1, 5)
            if self.slots and heard_at - weeks * WEEK >= _time(self.slots[0])
        ]
        return bool(before) and median(before) < self._enough

    @property
    def _enough(self) -> int:
        return max(1, min(ENOUGH, int(self.late_after_s / max(self.usual_s, SLOT_S) / 2)))

    def _heard_between(self, since: datetime, until: datetime) -> int:
        return max(0, bisect_left(self.slots, _slot(until)) - bisect_right(self.slots, _slot(since)))

    def words(self) -> str:
        """What is usual, for people."""
        if self.is_set:
            return f"it is late after {duration(self.late_after_s)} (late_after_s)"
        if not self.usual_s:
            return "little is known of its rhythm yet"
        return f"usually it is heard every {duration(self.usual_s)}"


def rhythm_of(slots: Iterable[int], limits: LatenessConfig, lag_s: float = 0.0) -> Rhythm:
    """The rhythm of a source that was heard in these slots (Unix time / SLOT_S)."""
    heard = tuple(sorted(set(slots)))
    gaps = [(later - earlier) * SLOT_S for earlier, later in pairwise(heard)]
    longest = 1.5 * max(gaps, default=0)
    if len(gaps) < LEAST_GAPS or (heard[-1] - heard[0]) * SLOT_S < WEEK.total_seconds():
        return Rhythm(_within(max(limits.unknown_s, longest), limits), lag_s=lag_s, slots=heard)
    tenths = quantiles(gaps, n=10)
    usual, high = tenths[4], tenths[6]  # nights and weekends are the longest third at most
    late_after_s = min(1.5 * high + SPREADS * (high - usual), longest)
    return Rhythm(_within(late_after_s, limits), usual, lag_s, slots=heard)


def rhythms_of(
    rows: Iterable[Mapping[str, object]], sources: Iterable[SourceConfig], limits: LatenessConfig
) -> dict[str, Rhythm]:
    """Source → rhythm, from the rows of SLOTS; what the configuration says of a source comes first."""
    learned = {str(row["source"]): rhythm_of(row["slots"], limits, float(str(row["lag_s"]))) for row in rows}  # type: ignore[arg-type]
    told = {one.name: one.late_after_s for one in sources if one.late_after_s is not None}
    for name, late_after_s in told.items():
        lag_s = learned[name].lag_s if name in learned else 0.0
        learned[name] = Rhythm(late_after_s, lag_s=lag_s, is_set=True)
    return learned


class Rhythms:
    """Of all sources, as far as they are known."""

    def __init__(self, limits: LatenessConfig | None = None, sources: Iterable[SourceConfig] = ()) -> None:
        self._limits, self._sources = limits or LatenessConfig(), tuple(sources)
        self.least_s = self._limits.least_s
        self._of = rhythms_of((), self._sources, self._limits)

    def learn(self, rows: Iterable[Mapping[str, object]]) -> None:
        """From the rows of SLOTS."""
        self._of = rhythms_of(rows, self._sources, self._limits)

    @property
    def names(self) -> frozenset[str]:
        """The configured sources."""
        return frozenset(one.name for one in self._sources)

    def of_slots(self, source: str, slots: Iterable[int]) -> Rhythm:
        """As it was when a source had been heard in these slots; what the configuration says of it comes first."""
        told = next((one.late_after_s for one in self._sources if one.name == source), None)
        return rhythm_of(slots, self._limits) if told is None else Rhythm(told, is_set=True)

    def of(self, source: str) -> Rhythm:
        """Of one that was never heard, what is believed of the unknown."""
        return self._of.get(source) or Rhythm(self._limits.unknown_s)


def duration(seconds: float) -> str:
    """In the largest unit that makes it at least two."""
    for unit, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def _within(seconds: float, limits: LatenessConfig) -> float:
    return min(max(seconds, limits.least_s), limits.most_s)


def _slot(at: datetime) -> int:
    return int(at.timestamp()) // SLOT_S


def _time(slot: int) -> datetime:
    return datetime.fromtimestamp(slot * SLOT_S, UTC)
