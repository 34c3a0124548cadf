"""When a source is late: by its own rhythm, not by nights, weekends or chance."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from schemas.config import LatenessConfig, SourceConfig
from streams.incidents.pace import SLOT_S
from streams.incidents.rhythm import Rhythm, Rhythms, duration, rhythm_of, rhythms_of

LIMITS = LatenessConfig()
START = datetime(2026, 8, 3, tzinfo=UTC)  # a Monday
DAY = timedelta(days=1)


def by_chance(mean: timedelta, days: int = 35) -> list[datetime]:
    dice, at, found = Random(7), START, []
    while at < START + days * DAY:
        at += timedelta(seconds=dice.expovariate(1 / mean.total_seconds()))
        found.append(at)
    return found


def office_hours(every: timedelta, days: int = 35) -> list[datetime]:
    return [at for at in by_chance(every, days) if at.weekday() < 5 and 8 <= at.hour < 18]


def nightly(days: int = 35) -> list[datetime]:
    return [START + n * DAY + timedelta(hours=2) for n in range(days)]


def weekday_nights(days: int = 35) -> list[datetime]:
    return [at for at in nightly(days) if at.weekday() < 5]


def slots(times: list[datetime]) -> list[int]:
    return [int(at.timestamp()) // SLOT_S for at in times]


def first_late(times: list[datetime], until: datetime) -> datetime | None:
    """When it is first called late, looked at every half hour, with what was heard in the four weeks before `until`."""
    heard = [at for at in times if until - 28 * DAY < at <= until]
    rhythm, now = rhythm_of(slots(heard), LIMITS), until
    while now < START + 40 * DAY:
        if rhythm.is_late(heard[-1], now):
            return now
        now += timedelta(minutes=30)
    return None


TUESDAY = START + 29 * DAY + timedelta(hours=10)


@pytest.mark.parametrize(
    ("times", "within"),
    [
        (by_chance(timedelta(minutes=2), 30), timedelta(hours=1)),
        (by_chance(timedelta(minutes=10)), timedelta(hours=3)),
        (office_hours(timedelta(minutes=5)), timedelta(hours=2)),
        (nightly(), timedelta(hours=30)),
        (weekday_nights(), timedelta(hours=30)),
    ],
    ids=["busy", "chance", "office hours", "nightly", "weekday nights"],
)
def test_a_source_that_falls_silent_is_late_by_its_own_rhythm_and_not_before(
    times: list[datetime], within: timedelta
) -> None:
    late_at = first_late(times, TUESDAY)
    assert late_at is not None and TUESDAY < late_at <= TUESDAY + within, late_at


@pytest.mark.parametrize(
    "made",
    [lambda: office_hours(timedelta(minutes=5)), weekday_nights, nightly],
    ids=["office hours", "weekday nights", "nightly"],
)
def test_nights_and_weekends_are_no_silence(made: Callable[[], list[datetime]]) -> None:
    times, now = made(), START + 28 * DAY
    rhythm = rhythm_of(slots([at for at in times if at <= now]), LIMITS)
    while now < START + 34 * DAY:
        assert not rhythm.is_late(max(at for at in times if at <= now), now), now
        now += timedelta(hours=1)


def test_chance_alone_is_seldom_called_late() -> None:
    times = by_chance(timedelta(minutes=10), 28)
    late_after_s = rhythm_of(slots(times), LIMITS).late_after_s
    gaps = [(b - a).total_seconds() for a, b in zip(times, times[1:], strict=False)]
    assert sum(gap > late_after_s for gap in gaps) <= 1
    assert late_after_s < 3 * 3600


def test_an_outage_in_the_past_teaches_nothing() -> None:
    times = by_chance(timedelta(minutes=10), 28)
    with_outage = [at for at in times if not START + 9 * DAY < at < START + 12 * DAY]
    calm, after = rhythm_of(slots(times), LIMITS), rhythm_of(slots(with_outage), LIMITS)
    assert after.late_after_s < 1.5 * calm.late_after_s


def test_of_what_is_hardly_known_an_hour_is_believed_and_limits_hold() -> None:
    assert rhythm_of([], LIMITS).late_after_s == LIMITS.unknown_s
    assert rhythm_of(slots([START, START + timedelta(hours=4)]), LIMITS).late_after_s == 6 * 3600
    assert rhythm_of(slots(by_chance(timedelta(minutes=1), 9)), LIMITS).late_after_s == LIMITS.least_s
    assert rhythm_of(slots(nightly()), LatenessConfig(most_s=3600)).late_after_s == 3600


def test_what_the_configuration_says_of_a_source_stands() -> None:
    source = SourceConfig(name="crm", vendor="touchline", secrets=({"env": "X"},), late_after_s=600)
    rows = [{"source": name, "slots": slots(nightly()), "lag_s": 5.0} for name in ("crm", "web")]
    found = rhythms_of(rows, [source], LIMITS)
    assert found["crm"] == Rhythm(600, lag_s=5.0, is_set=True)
    assert found["web"].late_after_s > 86_400
    assert found["crm"].is_late(START, START + timedelta(seconds=601))
    assert not found["crm"].is_late(START, START + timedelta(seconds=600))


@pytest.mark.parametrize(("seconds", "words"), [(30, "30 s"), (300, "5 min"), (7200, "2 h"), (172_800, "2 days")])
def test_durations_are_read_at_once(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_an_import_is_no_word_of_a_source() -> None:
    """What came until it was learned, and was not live, was imported; what came since may be live."""
    now, slot = START, int((START - DAY).timestamp()) // SLOT_S
    rhythms = Rhythms(LIMITS)
    assert rhythms.live("web", now) == now, "nothing is known yet"
    rhythms.learn([{"source": "web", "slots": [slot - 3, slot], "lag_s": 0.0}], now)
    silent_since = datetime.fromtimestamp((slot + 1) * SLOT_S, UTC)
    assert rhythms.live("web", now - timedelta(minutes=1)) == silent_since
    assert rhythms.live("web", silent_since - timedelta(minutes=2)) == silent_since - timedelta(minutes=2)
    assert rhythms.live("web", now + timedelta(seconds=1)) == now + timedelta(seconds=1)
    assert rhythms.live("imported", now - DAY) is None
    assert rhythms.live("long ago", now - 40 * DAY) == now - 40 * DAY
