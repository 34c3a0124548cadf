"""When people want to be left alone, and when a digest comes. Pure; times are aware, clocks are of a named zone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

_SATURDAY = 5
_DAYS_AHEAD = 5


@dataclass(frozen=True, slots=True)
class Quiet:
    """From `begin` to `end` by the clock of a zone, through midnight where `begin` is later; weekends if asked."""

    begin: time
    end: time
    zone: ZoneInfo
    weekends: bool = False

    def until(self, at: datetime) -> datetime:
        """`at` itself, or the end of the quiet time that it falls into."""
        if not self._is_quiet(at):
            return at
        return next(moment for moment in self._ends(at) if moment > at and not self._is_quiet(moment))

    def _is_quiet(self, at: datetime) -> bool:
        local = at.astimezone(self.zone)
        if self.weekends and local.weekday() >= _SATURDAY:
            return True
        clock = local.time()
        if self.begin <= self.end:
            return self.begin <= clock < self.end
        return clock >= self.begin or clock < self.end

    def _ends(self, at: datetime) -> Iterator[datetime]:
        """Moments at which a quiet time may end, in order."""
        first = at.astimezone(self.zone).date()
        for ahead in range(_DAYS_AHEAD):
            day = first + timedelta(days=ahead)
            for clock in sorted({time(0), self.end}):
                yield datetime.combine(day, clock, self.zone).astimezone(UTC)


def next_clock(at: datetime, clock: time, zone: ZoneInfo, weekday: int | None = None) -> datetime:
    """The first moment after `at` when the clock of a zone shows this, on this day of the week (0: Monday) if given."""
    first = at.astimezone(zone).date()
    days = (first + timedelta(days=ahead) for ahead in range(9))
    moments = (
        datetime.combine(day, clock, zone).astimezone(UTC)
        for day in days
        if weekday is None or day.weekday() == weekday
    )
    return next(moment for moment in moments if moment > at)
