"""Quiet hours, and reminders of what nobody took."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.alerting import AlertsConfig
from schemas.incidents import Desk, Thread
from services.alerting.routing import Manners
from streams.incidents.actions import ActionLog
from streams.incidents.quiet import Quiet, next_clock
from streams.incidents.threads import View, judged, look_again_at
from tests.incident_kit import NOW, action, part, view
from tests.unit.test_alert_channels import message

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
NIGHT = Quiet(time(22), time(7), AMSTERDAM, weekends=True)
NOON_BREAK = Quiet(time(12), time(13, 30), AMSTERDAM)
HOOK = {"name": "team", "url": "https://a.example", "secrets": [{"env": "X"}]}


def local(day: int, hour: int, minute: int = 0, month: int = 11) -> datetime:
    """Of November 2026, whose first is a Sunday."""
    return datetime(2026, month, day, hour, minute, tzinfo=AMSTERDAM)


@pytest.mark.parametrize(
    ("quiet", "at", "until"),
    [
        (NIGHT, local(4, 21, 59), local(4, 21, 59)),
        (NIGHT, local(4, 22), local(5, 7)),
        (NIGHT, local(5, 6, 59), local(5, 7)),
        (NIGHT, local(5, 7), local(5, 7)),
        (NIGHT, local(6, 23), local(9, 7)),
        (NIGHT, local(8, 12), local(9, 7)),
        (NIGHT, local(24, 23, month=10), local(26, 7, month=10)),  # summer time ends that Sunday
        (NOON_BREAK, local(7, 12, 15), local(7, 13, 30)),
    ],
)
def test_what_comes_in_quiet_hours_waits_for_their_end(quiet: Quiet, at: datetime, until: datetime) -> None:
    assert quiet.until(at) == until


@settings(max_examples=60, deadline=None)
@given(
    st.times().map(lambda at: at.replace(second=0, microsecond=0)),
    st.times().map(lambda at: at.replace(second=0, microsecond=0)),
    st.booleans(),
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)),
)
def test_quiet_hours_always_end_and_never_twice(begin: time, end: time, weekends: bool, at: datetime) -> None:
    if begin == end:
        return
    quiet, moment = Quiet(begin, end, AMSTERDAM, weekends), at.replace(tzinfo=UTC)
    until = quiet.until(moment)
    assert until >= moment
    assert until - moment <= timedelta(days=4)
    assert quiet.until(until) == until


def test_a_digest_comes_at_its_hour() -> None:
    assert next_clock(local(4, 7, 59), time(8), AMSTERDAM) == local(4, 8)
    assert next_clock(local(4, 8), time(8), AMSTERDAM) == local(5, 8)
    assert next_clock(local(4, 8), time(8), AMSTERDAM, weekday=0) == local(9, 8)


def manners(*routes: dict[str, Any]) -> Manners:
    given = [{"channels": ["team"]} | route for route in routes]
    return Manners(AlertsConfig.model_validate({"webhooks": [HOOK], "routes": given}))


ALWAYS = {"begin": "00:00", "end": "23:59"}


def test_only_what_is_bad_enough_wakes_people() -> None:
    night = manners({"quiet": ALWAYS})
    assert night.not_before(message(level="high"), "team", NOW) > NOW
    assert night.not_before(message(level="severe"), "team", NOW) == NOW
    assert manners({"quiet": ALWAYS}, {}).not_before(message(level="high"), "team", NOW) == NOW
    assert night.not_before(message(level="high"), "other", NOW) == NOW


def hurt() -> Desk:
    return Desk(account_id="crm:1", parts={"s": part("s", "e1", what="moment_of_truth_failed", severity=0.7)})


def kinds(thread: Thread) -> list[str]:
    return [notice.message.kind for notice in thread.notices]


def at(now: datetime, manner: Manners, **fields: Any) -> View:
    return view(now, manner=manner, **fields)


def delivered(desk: Desk) -> Desk:
    return desk.changed(threads=tuple(thread.changed(notices=()) for thread in desk.threads))


def test_what_nobody_takes_is_told_again_and_again() -> None:
    four_h = manners({"remind_after_h": 4})
    desk = delivered(judged(hurt(), at(NOW, four_h)))
    due = look_again_at(desk, at(NOW, four_h))
    assert due == NOW + timedelta(hours=4)
    assert judged(desk, at(due - timedelta(seconds=1), four_h)) is desk
    once = judged(desk, at(due, four_h))
    assert kinds(once.threads[0]) == ["reminder"]
    assert once.threads[0].notices[0].message.remark == "nobody has taken it for 4 h"
    assert look_again_at(once, at(due, four_h)) == due + timedelta(hours=4)
    twice = judged(delivered(once), at(due + timedelta(hours=4), four_h))
    ids = {desk.threads[0].notices[0].message.notice_id for desk in (once, twice)}
    assert len(ids) == 2


@pytest.mark.parametrize("verb", ["take", "assign", "done", "silence"])
def test_what_somebody_cares_for_is_not_told_again(verb: str) -> None:
    four_h = manners({"remind_after_h": 4})
    desk = delivered(judged(hurt(), at(NOW, four_h)))
    later = NOW + timedelta(hours=5)
    fields = {"until": later + timedelta(hours=1)} if verb == "silence" else {}
    log = ActionLog([action("a", verb, "e1", minutes=-1, **fields)])
    seen = at(later, four_h, log=log)
    assert judged(desk, seen) is desk
    again_at = look_again_at(desk, seen)
    assert again_at is None or again_at > later


def test_nobody_is_reminded_of_what_they_were_not_told_yet() -> None:
    night = manners({"remind_after_h": 1, "quiet": ALWAYS})
    desk = judged(hurt(), at(NOW, night))
    told_at = desk.threads[0].notices[0].sendings[0].next_at
    assert told_at > NOW + timedelta(hours=2)
    assert judged(desk, at(NOW + timedelta(hours=2), night)) is desk


@pytest.mark.parametrize(("quiet", "heard"), [(ALWAYS, []), (None, ["opened", "withdrawn"])])
def test_what_did_not_happen_is_not_told_in_the_morning(quiet: dict[str, str] | None, heard: list[str]) -> None:
    manner = manners({"quiet": quiet} if quiet else {})
    desk = judged(hurt(), at(NOW, manner))
    if quiet is None:  # it went out
        (notice,) = desk.threads[0].notices
        sent = notice.changed(sendings=(notice.sendings[0].changed(state="trying", attempts=1),))
        desk = desk.changed(threads=(desk.threads[0].changed(notices=(sent,)),))
    gone = judged(desk.changed(parts={}), at(NOW, manner))
    later = judged(gone, at(NOW + timedelta(seconds=90), manner))
    assert later.threads[0].state == "withdrawn"
    assert [notice.message.kind for notice in later.threads[0].notices if notice.sendings] == heard


@pytest.mark.parametrize(
    ("quiet", "words"),
    [
        ({"begin": "22", "end": "07:00"}, "no time of day"),
        ({"begin": "24:00", "end": "07:00"}, "no time of day"),
        ({"begin": "07:00", "end": "07:00"}, "the same"),
        ({"begin": "22:00", "end": "07:00", "zone": "Mars/Olympus"}, "no time zone"),
        ({"begin": "22:00", "end": "07:00", "unless": "bad"}, "watch"),
    ],
)
def test_quiet_hours_that_cannot_be_right_are_refused(quiet: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        manners({"quiet": quiet})
