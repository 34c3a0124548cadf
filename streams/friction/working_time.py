"""Working time: how long a clock ran that runs in working hours alone, and when such a time is up."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from schemas.calendars import WEEKDAYS, Calendar

_DAY = timedelta(days=1)
_LONGEST = 20 * 366
"""Days that are looked through at most: whoever waits that long waits for ever."""
_Span = tuple[datetime, datetime]


class WorkingTime:
    """The hours of one calendar. All times are aware; what is given back is UTC."""

    def __init__(self, calendar: Calendar) -> None:
        self._zone, self._holidays = ZoneInfo(calendar.zone), frozenset(calendar.holidays)
        self._week = [sorted(calendar.hours.get(day, ())) for day in WEEKDAYS]
        self._on = lru_cache(maxsize=4096)(self._of_day)

    def after(self, at: datetime, span: timedelta) -> datetime:
        """When `span` of working time has passed since `at`: at the end of one day, not at the begin of the next."""
        left = span
        for begin, end in self._from(at):
            begin = max(begin, at)
            if left <= end - begin:
                return begin + left
            left -= end - begin
        return datetime.max.replace(tzinfo=UTC) - _DAY

    def between(self, begin: datetime, end: datetime) -> timedelta:
        """How much working time lies between two moments; none when the second is not later."""
        passed = timedelta()
        for opens, closes in self._from(begin):
            if opens >= end:
                break
            passed += min(closes, end) - max(opens, begin)
        return passed

    def _from(self, at: datetime) -> Iterator[_Span]:
        """The hours of work that end after `at`, in order."""
        first = at.astimezone(self._zone).date() - _DAY
        for ahead in range(_LONGEST):
            for span in self._on(first + ahead * _DAY):
                if span[1] > at:
                    yield span

    def _of_day(self, day: date) -> tuple[_Span, ...]:
        spans = () if day in self._holidays else self._week[day.weekday()]
        return tuple((self._moment(day, span[:5]), self._moment(day, span[6:])) for span in spans)

    def _moment(self, day: date, clock: str) -> datetime:
        day, clock = (day + _DAY, "00:00") if clock == "24:00" else (day, clock)
        return datetime.combine(day, time.fromisoformat(clock), self._zone).astimezone(UTC)
