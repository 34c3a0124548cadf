"""Working time by a calendar, held against counting minute by minute."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.calendars import WEEKDAYS, Calendar
from streams.friction.working_time import WorkingTime
from streams.journey.blueprints import load
from streams.journey.checks import problems
from streams.journey.compiled import CompiledBlueprint
from streams.journey.fold import fold
from tests.journeys import AS_OF, attributed

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
OFFICE = Calendar.model_validate(
    {
        "zone": "Europe/Amsterdam",
        "hours": {day: ["09:00-12:00", "13:00-17:00"] for day in WEEKDAYS[:5]} | {"saturday": ["22:00-24:00"]},
        "holidays": ["2026-12-25"],
    }
)
#: The clocks go forward in the night to Sunday 29 March 2026 and back in that to 25 October.
BEGINS = [datetime(2026, 3, 27, tzinfo=UTC), datetime(2026, 10, 23, tzinfo=UTC), datetime(2026, 12, 24, tzinfo=UTC)]


def works(at: datetime) -> bool:
    """Whether somebody works in the minute that begins then, by reading the clock on the wall."""
    local = at.astimezone(ZoneInfo("Europe/Amsterdam"))
    clock = f"{local:%H:%M}"
    if local.date() == date(2026, 12, 25):
        return False
    if local.weekday() < 5:
        return "09:00" <= clock < "12:00" or "13:00" <= clock < "17:00"
    return local.weekday() == 5 and clock >= "22:00"


@settings(max_examples=40, deadline=None)
@given(begin=st.sampled_from(BEGINS), first=st.integers(0, 6_000), minutes=st.integers(0, 3_000))
def test_it_is_what_a_clock_on_the_wall_shows(begin: datetime, first: int, minutes: int) -> None:
    hours, at = WorkingTime(OFFICE), begin + first * MINUTE
    end = at + minutes * MINUTE
    worked = sum(works(at + n * MINUTE) for n in range(minutes)) * MINUTE
    assert hours.between(at, end) == worked
    if worked:
        up = hours.after(at, worked)
        assert up <= end
        assert (hours.between(at, up), hours.between(at, up - MINUTE)) == (worked, worked - MINUTE)


def test_an_hour_of_the_night_in_which_clocks_go_forward_is_no_hour() -> None:
    night = WorkingTime(Calendar.model_validate({"zone": "Europe/Amsterdam", "hours": {"sunday": ["01:00-04:00"]}}))
    begin = datetime(2026, 3, 29, tzinfo=UTC)
    assert night.between(begin, begin + 12 * HOUR) == 2 * HOUR


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"hours": {}}, "names no hour"),
        ({"hours": {"monday": ["9-17"]}}, "is no time of work"),
        ({"hours": {"monday": ["17:00-09:00"]}}, "later end"),
        ({"hours": {"monday": ["09:00-13:00", "12:00-17:00"]}}, "overlap"),
        ({"zone": "Mars/Olympus", "hours": {"monday": ["09:00-17:00"]}}, "is no time zone"),
    ],
)
def test_a_calendar_without_sense_is_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Calendar.model_validate(wrong)


def owned(calendar: str) -> Any:
    source = load().source
    types = [
        kind.model_copy(update={"owner": kind.owner.model_copy(update={"calendar": calendar})})
        if kind.id == "support_ticket" and kind.owner
        else kind
        for kind in source.types
    ]
    return source.model_copy(update={"calendars": {"office": OFFICE}, "types": tuple(types)})


def test_an_owner_names_a_calendar_that_there_is() -> None:
    (problem,) = problems(owned("offise"))
    assert "unknown calendar `offise`" in problem.in_words()
    assert problem.in_words().endswith("`office`?") or "office" in problem.in_words()


def test_the_owner_of_the_type_decides_and_rows_of_before_are_others() -> None:
    at_any_hour, in_the_office = load(), CompiledBlueprint(owned("office"))
    assert at_any_hour.digest != in_the_office.digest, "else a new calendar would change nothing of history"
    ticket = [attributed("a", 3 * 86_400 - 3600, "ticket_created", subject="ticket:1")]  # a Sunday evening
    as_of = AS_OF + timedelta(days=1, hours=4)
    answers = [
        [s for s in fold(ticket, blueprint, as_of).signals.values() if s.rule == "first_response_breach"]
        for blueprint in (at_any_hour, in_the_office)
    ]
    assert [len(found) for found in answers] == [1, 0]
