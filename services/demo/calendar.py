"""When things happen: working hours, and the weeks that people remember. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

#: Shares of the period: forms fail, quotes are slow, signing in through SSO is down.
BROKEN_FORM = (0.10, 0.28)
SLOW_QUOTES = (0.30, 0.48)
SSO_OUTAGE = (0.60, 0.72)
_WEEKENDS_FROM_DAYS = 10


@dataclass(frozen=True, slots=True)
class Calendar:
    """The days of the story: up to `end`, which nothing in it reaches."""

    end: datetime
    days: int

    @property
    def begin(self) -> datetime:
        """The first moment."""
        return self.end - timedelta(days=self.days)

    def at(self, share: float, rng: Random) -> datetime:
        """A time in working hours around this share of the period; 0 is its begin, 1 its end."""
        day = self.begin + timedelta(days=share * self.days)
        return self._office(day, rng)

    def share(self, at: datetime) -> float:
        """Which share of the period has passed."""
        return (at - self.begin) / timedelta(days=self.days)

    def within(self, at: datetime, period: tuple[float, float]) -> bool:
        """Whether `at` lies in that part of the period."""
        return period[0] <= self.share(at) < period[1]

    def workdays(self, start: datetime, stop: datetime) -> list[datetime]:
        """The days from `start` up to `stop`; of a long period without weekends."""
        found = [start + timedelta(days=n) for n in range(max((stop - start).days, 0) + 1)]
        return [day for day in found if day < stop and not self._free(day)]

    def hour(self, day: datetime, rng: Random) -> datetime:
        """A time in the working hours of a day."""
        morning = day.replace(hour=7, minute=0, second=0, microsecond=0)
        at = morning + timedelta(milliseconds=rng.randrange(10 * 3_600_000))
        return at if at >= self.begin else self.begin + timedelta(seconds=rng.randrange(60, 3_600))

    def _office(self, day: datetime, rng: Random) -> datetime:
        while self._free(day):
            day += timedelta(days=1)
        return self.hour(day, rng)

    def _free(self, day: datetime) -> bool:
        return self.days >= _WEEKENDS_FROM_DAYS and day.weekday() >= 5
