"""A holiday counts as a Sunday: no outage of who rests on Sundays, and one of who never does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from pydantic import ValidationError

from schemas.config import LatenessConfig, SourceConfig
from streams.incidents.holidays import NONE, Holidays, holidays_of
from streams.incidents.rhythm import Rhythms, rhythm_of
from streams.incidents.unusual import HOUR_S, unusual
from tests.incident_kit import BLUEPRINT
from tests.unit.test_rhythm import DAY, START, by_chance, office_hours, slots
from tests.unit.test_unusual import FIRST, HOUR, LAST, NOW, TYPE, Row, usual

HOLIDAY = START + 31 * DAY  # a Thursday
MORNING = timedelta(hours=8)
NAMED = LatenessConfig(holidays=(HOLIDAY.date(),))
NO_DAYS = LatenessConfig()
YESTERDAY = (NOW - HOUR).date()  # the last hours of a Thursday are judged


def late_at(times: list[datetime], limits: LatenessConfig) -> datetime | None:
    """When a source that is silent from the eve of the holiday on is first late, until the day after is over."""
    heard = [at for at in times if HOLIDAY - 28 * DAY < at <= HOLIDAY]
    rhythm, now = rhythm_of(slots(heard), limits), HOLIDAY
    while now < HOLIDAY + 2 * DAY:
        if rhythm.is_late(heard[-1], now):
            return now
        now += timedelta(minutes=10)
    return None


@pytest.mark.parametrize(
    ("limits", "day"), [(NO_DAYS, HOLIDAY), (NAMED, HOLIDAY + DAY)], ids=["not named", "a holiday"]
)
def test_a_source_of_office_hours_is_late_on_the_day_after(limits: LatenessConfig, day: datetime) -> None:
    found = late_at(office_hours(timedelta(minutes=5)), limits)
    assert found is not None and day + MORNING < found < day + MORNING + timedelta(hours=3)


def test_a_source_that_never_rests_is_late_on_a_holiday_as_on_any_day() -> None:
    times = by_chance(timedelta(minutes=10))
    for limits in (NAMED, NO_DAYS):
        found = late_at(times, limits)
        assert found is not None and found < HOLIDAY + timedelta(hours=3)


def test_a_day_is_one_of_its_zone() -> None:
    (span,) = Holidays((date(2026, 9, 3),), "America/New_York").within(HOLIDAY.timestamp(), HOLIDAY.timestamp() + 9e6)
    assert datetime.fromtimestamp(span.since_s, UTC) == HOLIDAY + 4 * HOUR
    assert (span.until_s - span.since_s, span.shift_s) == (86_400, 3 * 86_400)


def test_parts_of_days_in_order_and_nothing_beside_them() -> None:
    days = Holidays((date(2026, 9, 4), date(2026, 9, 3), date(2026, 12, 25)))
    noon = HOLIDAY.timestamp() + 43_200
    found = days.within(noon, noon + 86_400)
    assert [(since - noon, until - noon) for since, until, _ in found] == [(0, 43_200), (43_200, 86_400)]
    assert days.within(noon + 2 * 86_400, noon + 9 * 86_400) == [] and NONE.within(0, 9e9) == []


def test_one_configuration_for_all_who_ask() -> None:
    sources = (SourceConfig(name="erp", vendor="touchline", secrets=({"env": "X"},)),)
    assert Rhythms(NAMED, sources).holidays is holidays_of(NAMED)
    with pytest.raises(ValidationError, match="no time zone"):
        LatenessConfig(zone="Mars/Olympus")


@pytest.mark.parametrize(
    ("comes_on", "day", "hurts"),
    [
        (lambda at: at.weekday() < 6, None, True),
        (lambda at: at.weekday() < 6, YESTERDAY, False),
        (lambda at: True, YESTERDAY, True),
    ],
    ids=["not named", "a holiday", "as on Sundays"],
)
def test_nothing_on_a_holiday_is_unusual_only_of_what_comes_on_sundays(
    comes_on: Callable[[datetime], bool], day: date | None, *, hurts: bool
) -> None:
    def at(one: Row) -> datetime:
        return datetime.fromtimestamp(one["slot"] * HOUR_S, UTC)

    rows = [one for one in usual(LAST - 6) if comes_on(at(one))]
    days = Holidays(() if day is None else (day,))
    (cell,) = [each for each in unusual(BLUEPRINT, rows, days)[TYPE] if each.name == "volume"]
    assert (cell.pain(FIRST + LAST) is not None) is hurts
