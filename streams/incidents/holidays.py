"""Days on which people do not work, which the operator names: what comes then is compared with Sundays. Pure.

So a source of office hours may be silent on such a day, and one that never rests may not.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from schemas.config import LatenessConfig

_DAY: Final = timedelta(days=1)
_SUNDAY: Final = 6


class Span(NamedTuple):
    """A part of a holiday, from a time (Unix, seconds) to another. `shift_s`: so much later it is Sunday."""

    since_s: float
    until_s: float
    shift_s: float


class Holidays:
    """Days by the clock of a zone."""

    def __init__(self, days: Iterable[date] = (), zone: str = "UTC") -> None:
        place = ZoneInfo(zone)
        self._spans = [
            Span(_begin(day, place), _begin(day + _DAY, place), (_SUNDAY - day.weekday()) * _DAY.total_seconds())
            for day in sorted(set(days))
        ]
        self._ends = [span.until_s for span in self._spans]

    def within(self, since_s: float, until_s: float) -> list[Span]:
        """The parts of holidays from a time to another, in order."""
        found = []
        for span in self._spans[bisect_right(self._ends, since_s) :]:
            if span.since_s >= until_s:
                break
            found.append(Span(max(since_s, span.since_s), min(until_s, span.until_s), span.shift_s))
        return found


NONE: Final = Holidays()


@lru_cache(maxsize=8)
def _holidays(days: tuple[date, ...], zone: str) -> Holidays:
    return Holidays(days, zone)


def holidays_of(limits: LatenessConfig) -> Holidays:
    """Those of the configuration."""
    return _holidays(limits.holidays, limits.zone)


def _begin(day: date, zone: ZoneInfo) -> float:
    return datetime.combine(day, time(), zone).timestamp()
