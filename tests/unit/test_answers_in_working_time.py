"""Answers just in time and just late by a calendar: weekends, holidays, nights, zones, and clocks that are changed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from schemas.calendars import WEEKDAYS, Calendar
from streams.journey.blueprints import load
from streams.journey.compiled import CompiledBlueprint
from streams.journey.fold import fold
from tests.journeys import START, attributed

MINUTE = timedelta(minutes=1)
WORKDAYS, ALL_DAYS = WEEKDAYS[:5], WEEKDAYS


def calendar(zone: str, days: tuple[str, ...], *hours: str, holidays: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"zone": zone, "hours": {day: [*hours] for day in days}, "holidays": [*holidays]}


OFFICE = calendar("Europe/Amsterdam", WORKDAYS, "09:00-17:00")
LUNCH = calendar("Europe/Amsterdam", WORKDAYS, "09:00-12:00", "13:00-17:00")
SUNDAY = calendar("Europe/Amsterdam", ("sunday",), "01:00-05:00")
EASTER = calendar("Europe/Amsterdam", WORKDAYS, "09:00-17:00", holidays=("2026-04-06",))
KOLKATA = calendar("Asia/Kolkata", WORKDAYS, "10:00-18:00")
NEW_YORK = calendar("America/New_York", WORKDAYS, "09:00-17:00")
NIGHT = calendar("Europe/Madrid", ALL_DAYS, "00:00-06:00", "22:00-24:00")
NO_NIGHT = calendar("Europe/Madrid", ALL_DAYS, "00:00-06:00", "22:00-24:00", holidays=("2026-07-23",))
LORD_HOWE = calendar("Australia/Lord_Howe", ("sunday",), "00:00-06:00")
AUCKLAND = calendar("Pacific/Auckland", WORKDAYS, "09:00-17:00", holidays=("2026-02-06",))
TWO_DAYS = calendar("Europe/Amsterdam", WORKDAYS, "09:00-17:00", holidays=("2026-12-24", "2026-12-25"))

#: A name, the calendar, when a ticket is opened, and the last moment at which an answer is in time: all by the wall.
FIRST_ANSWERS = [
    ("over a weekend", OFFICE, "2026-03-06 16:00", "2026-03-09 12:00"),
    ("opened on a Saturday", OFFICE, "2026-03-07 10:00", "2026-03-09 13:00"),
    ("opened before work", OFFICE, "2026-03-10 03:00", "2026-03-10 13:00"),
    ("opened in the minute work ends", OFFICE, "2026-03-10 17:00", "2026-03-11 13:00"),
    ("Monday is Easter", EASTER, "2026-04-03 16:00", "2026-04-07 12:00"),
    ("Monday is Easter, and nobody says so", OFFICE, "2026-04-03 16:00", "2026-04-06 12:00"),
    ("opened on a holiday", EASTER, "2026-04-06 11:00", "2026-04-07 13:00"),
    ("two holidays and a weekend", TWO_DAYS, "2026-12-23 15:00", "2026-12-28 11:00"),
    ("a lunch", LUNCH, "2026-03-10 11:30", "2026-03-10 16:30"),
    ("opened at lunch", LUNCH, "2026-03-10 12:20", "2026-03-10 17:00"),
    ("an hour that the clock leaves out", SUNDAY, "2026-03-29 00:30", "2026-04-05 02:00"),
    ("an hour that comes twice", SUNDAY, "2026-10-25 01:00", "2026-10-25 04:00"),
    ("half an hour beside the others", KOLKATA, "2026-03-10 16:30", "2026-03-11 12:30"),
    ("the clock goes back over the weekend", NEW_YORK, "2026-10-30 15:00", "2026-11-02 11:00"),
    ("the clock goes forward over the weekend", NEW_YORK, "2026-03-06 15:00", "2026-03-09 11:00"),
    ("a shift over midnight", NIGHT, "2026-07-21 23:00", "2026-07-22 03:00"),
    ("opened by day, worked by night", NIGHT, "2026-07-21 12:00", "2026-07-22 02:00"),
    ("a holiday ends the shift at midnight", NO_NIGHT, "2026-07-22 23:00", "2026-07-24 03:00"),
    ("a clock that goes forward by half an hour", LORD_HOWE, "2026-10-04 00:00", "2026-10-04 04:30"),
    ("a holiday that is still the day before elsewhere", AUCKLAND, "2026-02-05 15:00", "2026-02-09 11:00"),
]


SOURCE = load().source


def blueprint(type_id: str, hours: dict[str, Any]) -> CompiledBlueprint:
    types = [
        kind.model_copy(update={"owner": kind.owner.model_copy(update={"calendar": "team"})})
        if kind.id == type_id and kind.owner
        else kind
        for kind in SOURCE.types
    ]
    calendars = {"team": Calendar.model_validate(hours)}
    return CompiledBlueprint(SOURCE.model_copy(update={"calendars": calendars, "types": tuple(types)}))


def moment(hours: dict[str, Any], wall: str) -> datetime:
    return datetime.fromisoformat(wall).replace(tzinfo=ZoneInfo(hours["zone"]))


def seconds(at: datetime) -> float:
    return (at - START).total_seconds()


def breached(rule: str, events: list[tuple[datetime, str, dict[str, Any]]], judge: CompiledBlueprint) -> bool:
    items = [attributed(f"e{n}", seconds(at), action, **fields) for n, (at, action, fields) in enumerate(events)]
    journey = fold(items, judge, max(at for at, _, _ in events) + timedelta(days=60))
    return any(signal.rule == rule for signal in journey.signals.values())


TICKET = {"subject": "ticket:1"}


@pytest.mark.parametrize(
    ("hours", "opened", "last"), [case[1:] for case in FIRST_ANSWERS], ids=[c[0] for c in FIRST_ANSWERS]
)
def test_the_first_answer_is_in_time_to_the_minute(hours: dict[str, Any], opened: str, last: str) -> None:
    judge, begin, end = blueprint("support_ticket", hours), moment(hours, opened), moment(hours, last)
    asked = (begin, "ticket_created", TICKET)
    for after, late in ((0 * MINUTE, False), (MINUTE, True)):
        end_at = datetime.fromtimestamp(end.timestamp(), tz=end.tzinfo) + after
        found = breached("first_response_breach", [asked, (end_at, "ticket_replied_by_agent", TICKET)], judge)
        assert found is late, end_at


def status(wall: str, before: str, now: str) -> tuple[datetime, str, dict[str, Any]]:
    return moment(OFFICE, wall), "ticket_status", TICKET | {"properties": {"previous": before, "current": now}}


def test_while_the_customer_is_asked_no_working_time_passes() -> None:
    judge = blueprint("support_ticket", OFFICE)
    asked = (moment(OFFICE, "2026-03-09 09:00"), "ticket_created", TICKET)
    waits = [status("2026-03-09 10:00", "open", "pending"), status("2026-03-10 15:00", "pending", "open")]
    for wall, late in (("2026-03-11 10:00", False), ("2026-03-11 10:01", True)):
        answer = (moment(OFFICE, wall), "ticket_replied_by_agent", TICKET)
        assert breached("first_response_breach", [asked, *waits, answer], judge) is late


def test_three_days_to_a_solution_are_nine_days_of_an_office() -> None:
    judge = blueprint("support_ticket", OFFICE)
    asked = (moment(OFFICE, "2026-03-09 09:00"), "ticket_created", TICKET)
    for wall, late in (("2026-03-19 17:00", False), ("2026-03-20 09:01", True)):
        assert breached("resolution_breach", [asked, status(wall, "open", "solved")], judge) is late


def test_a_reopened_ticket_goes_on_with_the_working_time_that_was_left() -> None:
    judge = blueprint("support_ticket", OFFICE)
    asked = (moment(OFFICE, "2026-03-09 09:00"), "ticket_created", TICKET)
    solved, again = status("2026-03-18 17:00", "open", "solved"), status("2026-03-27 20:00", "solved", "open")
    for wall, late in (("2026-03-30 17:00", False), ("2026-03-31 09:01", True)):
        assert breached("resolution_breach", [asked, solved, again, status(wall, "open", "solved")], judge) is late


def test_another_owner_counts_every_hour() -> None:
    judge = blueprint("pricing_page", OFFICE)
    asked = (moment(OFFICE, "2026-03-06 16:00"), "ticket_created", TICKET)
    for wall, late in (("2026-03-06 20:00", False), ("2026-03-06 20:01", True)):
        answer = (moment(OFFICE, wall), "ticket_replied_by_agent", TICKET)
        assert breached("first_response_breach", [asked, answer], judge) is late
