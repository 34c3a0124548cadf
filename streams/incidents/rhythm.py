"""When a source is late: learned from its own gaps. The page, doctor, the alerts and their metric ask here. Pure.

A source is heard in slots of five minutes; which slots these were in the last four weeks says how often it is heard at
each hour of the week. It is late when more was to be heard in its silence than is left out as a rule: nights, weekends
and the days between two exports are no silence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Final

from schemas.base import EPOCH
from schemas.config import LatenessConfig, SourceConfig
from streams.incidents.holidays import NONE, Holidays, holidays_of
from streams.incidents.pace import HOUR_S, SLOT_S, Pace, learned

MEMORY: Final = timedelta(days=28)
WEEK: Final = timedelta(days=7)
LEAST_GAPS: Final = 10
_LOOKED_AT: Final = 64
"""Of so many silences it is asked when they would be late; more would say the same."""
SLOTS: Final = f"""
SELECT source, arraySort(groupUniqArray(toUInt32(intDiv(toUnixTimestamp(received_at), {SLOT_S})))) AS slots,
  toFloat64(quantile(0.9)(greatest(0, dateDiff('second', occurred_at, received_at)))) AS lag_s
FROM touchpoints
WHERE minute >= toStartOfMinute({{since:DateTime64(3, 'UTC')}}) AND received_at >= {{since:DateTime64(3, 'UTC')}}
  AND NOT backfill AND NOT is_deleted
GROUP BY source
"""
"""When each source was heard, and how long after it happened most of what it reports arrives. What was sent as history
says nothing of either."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How a source is heard. `usual_s`: the middle of its gaps; 0 where too little is known of it.

    `pace`: how often it is heard at which hours; None where only `late_after_s` counts. `most`: so much of that a
    silence may leave out. No silence is too long before `least_s`, and every one is after `most_s`.
    """

    late_after_s: float
    usual_s: float = 0.0
    lag_s: float = 0.0
    is_set: bool = False
    pace: Pace | None = None
    most: float = 0.0
    least_s: float = 0.0
    most_s: float = 0.0
    holidays: Holidays = NONE

    def is_late(self, heard_at: datetime, now: datetime) -> bool:
        """Whether a source that was last heard then should have been heard again by now."""
        silent_s = (now - heard_at).total_seconds()
        if self.pace is None:
            return silent_s > self.late_after_s
        if not self.least_s < silent_s <= self.most_s:
            return silent_s > self.most_s
        slack_s = max(_slack_s(self.usual_s), min(HOUR_S, silent_s / 8))
        return self._expected(self.pace, heard_at.timestamp(), now.timestamp() - slack_s) > self.most

    def _expected(self, pace: Pace, since_s: float, until_s: float) -> float:
        """How much comes from a time to another, where a holiday is a Sunday."""
        amount = pace.between(since_s, until_s)
        for begin_s, end_s, shift_s in self.holidays.within(since_s, until_s):
            amount += pace.between(begin_s + shift_s, end_s + shift_s) - pace.between(begin_s, end_s)
        return amount

    @property
    def never_before_s(self) -> float:
        """No silence is too long before that."""
        return self.late_after_s if self.pace is None else self.least_s

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
    known = timedelta(seconds=(heard[-1] - heard[0]) * SLOT_S) if heard else timedelta()
    if len(gaps) < LEAST_GAPS or known < WEEK:
        is_seldom = known >= WEEK and max(gaps) >= 2 * min(gaps)
        longest = (3 if is_seldom else 1.5) * max(gaps, default=0)  # few gaps that differ say little of the longest
        return Rhythm(_within(max(limits.unknown_s, longest), limits), lag_s=lag_s)
    usual = median(gaps)
    pace, most = learned(heard, usual)
    late_after_s = _within(_late_after_s(pace, most, heard, usual), limits)
    rhythm = Rhythm(late_after_s, usual, lag_s, pace=pace, most=most, least_s=limits.least_s, most_s=limits.most_s)
    return replace(rhythm, holidays=holidays_of(limits))


def _late_after_s(pace: Pace, most: float, heard: Sequence[int], usual_s: float) -> float:
    """How long it is silent until it is late, where it was heard: the middle of these."""
    looked_at = heard[:: -(-len(heard) // _LOOKED_AT)]
    after_s = median(pace.reached(slot * SLOT_S, most) - slot * SLOT_S for slot in looked_at)
    return after_s + max(_slack_s(usual_s), min(HOUR_S, after_s / 7))


def _slack_s(usual_s: float) -> float:
    """So much later than usual is no silence."""
    return max(SLOT_S, usual_s / 4)


def rhythms_of(
    rows: Iterable[Mapping[str, object]], sources: Iterable[SourceConfig], limits: LatenessConfig
) -> dict[str, Rhythm]:
    """Source → rhythm, from the rows of SLOTS; what the configuration says of a source comes first."""
    learned = {str(row["source"]): rhythm_of(row["slots"], limits, float(str(row["lag_s"]))) for row in rows}  # type: ignore[arg-type]
    named = {one.name: one.late_after_s for one in sources if one.late_after_s is not None}
    for name, late_after_s in named.items():
        lag_s = learned[name].lag_s if name in learned else 0.0
        learned[name] = Rhythm(late_after_s, lag_s=lag_s, is_set=True)
    return learned


class Rhythms:
    """Of all sources, as far as they are known."""

    def __init__(self, limits: LatenessConfig | None = None, sources: Iterable[SourceConfig] = ()) -> None:
        self._limits, self._sources = limits or LatenessConfig(), tuple(sources)
        self.least_s = self._limits.least_s
        self._of = rhythms_of((), self._sources, self._limits)
        self._live: dict[str, datetime] = {}
        self._learned_at: datetime | None = None

    def learn(self, rows: Iterable[Mapping[str, object]], now: datetime) -> None:
        """From the rows of SLOTS, asked a moment ago."""
        rows = list(rows)
        self._of = rhythms_of(rows, self._sources, self._limits)
        self._live = {str(row["source"]): _end_of(max(row["slots"])) for row in rows if row["slots"]}  # type: ignore[call-overload]
        self._learned_at = now

    def live(self, source: str, heard_at: datetime) -> datetime | None:
        """When it was last heard of something that was no import, as far as that is known; None: it only imported."""
        if self._learned_at is None or heard_at > self._learned_at:
            return heard_at
        live_until = self._live.get(source)
        if live_until is None:
            return None if heard_at > self._learned_at - MEMORY else heard_at
        return min(heard_at, live_until)

    @property
    def holidays(self) -> Holidays:
        """The days on which less comes."""
        return holidays_of(self._limits)

    @property
    def names(self) -> frozenset[str]:
        """The configured sources."""
        return frozenset(one.name for one in self._sources)

    def of_slots(self, source: str, slots: Iterable[int]) -> Rhythm:
        """As it was when a source had been heard in these slots; what the configuration says of it comes first."""
        named = next((one.late_after_s for one in self._sources if one.name == source), None)
        return rhythm_of(slots, self._limits) if named is None else Rhythm(named, is_set=True)

    def of(self, source: str) -> Rhythm:
        """Of one that was never heard, what is believed of the unknown."""
        return self._of.get(source) or Rhythm(self._limits.unknown_s)


def _end_of(slot: int) -> datetime:
    return EPOCH + timedelta(seconds=(slot + 1) * SLOT_S)


def duration(seconds: float) -> str:
    """In the largest unit that makes it at least two."""
    for unit, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def _within(seconds: float, limits: LatenessConfig) -> float:
    return min(max(seconds, limits.least_s), limits.most_s)
