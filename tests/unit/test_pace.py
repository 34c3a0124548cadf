"""How often a source is heard at each hour, and how long it may be silent by that: nights, chance, outages, exports."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import log
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.config import LatenessConfig
from streams.incidents.pace import SLOT_S, Pace, learned
from streams.incidents.rhythm import Rhythm, rhythm_of

START = datetime(2026, 8, 3, tzinfo=UTC)  # a Monday
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
LIMITS = LatenessConfig()
FOUR_WEEKS = 28 * 86_400 // SLOT_S
Heard = Callable[[datetime, Random], bool]


def slot_of(at: datetime) -> int:
    return int(at.timestamp()) // SLOT_S


def time_of(slot: int) -> datetime:
    return datetime.fromtimestamp(slot * SLOT_S, UTC)


def played(is_heard: Heard, days: int, seed: int = 1) -> list[int]:
    dice, first = Random(seed), slot_of(START)
    return [slot for slot in range(first, first + days * 288) if is_heard(time_of(slot), dice)]


def called_late(heard: list[int]) -> Iterator[datetime]:
    """Each time it is late in the four weeks after the first four; asked at the end of each silence."""
    since, known = heard[0] + FOUR_WEEKS, dict[int, Rhythm]()
    for last, following in pairwise(heard):
        if last >= since and following - last > LIMITS.least_s // SLOT_S:
            day = last // 288
            if day not in known:
                known[day] = rhythm_of(heard[bisect_left(heard, last - FOUR_WEEKS) : bisect_right(heard, last)], LIMITS)
            if known[day].is_late(time_of(last), time_of(following) - timedelta(seconds=1)):
                yield time_of(last)


def works(at: datetime) -> bool:
    return 8 <= at.hour < 18 and at.weekday() < 5


IRREGULAR: dict[str, Heard] = {
    "a page with few visits at night": lambda at, dice: dice.random() < (0.9 if works(at) else 0.3),
    "a page that nearly rests for three hours": lambda at, dice: dice.random() < (0.15 if 2 <= at.hour < 5 else 0.95),
    "a page with hardly any": lambda at, dice: dice.random() < (0.6 if works(at) else 0.03),
    "a helpdesk, every ten minutes by chance": lambda at, dice: works(at) and dice.random() < 0.5,
    "calls, one an hour": lambda at, dice: works(at) and dice.random() < 0.08,
    "a shop that is busy in the evening": lambda at, dice: dice.random() < (0.8 if 16 <= at.hour < 23 else 0.15),
}


@pytest.mark.parametrize("is_heard", IRREGULAR.values(), ids=IRREGULAR)
def test_who_is_heard_by_chance_is_seldom_called_late(is_heard: Heard) -> None:
    late = [at for seed in range(4) for at in called_late(played(is_heard, 56, seed))]
    assert len(late) <= 1, late


@pytest.mark.parametrize("is_heard", IRREGULAR.values(), ids=IRREGULAR)
def test_and_is_late_when_a_day_of_work_is_silent(is_heard: Heard) -> None:
    for seed in range(4):
        heard = played(is_heard, 29, seed)  # until Monday evening
        last = time_of(heard[-1])
        rhythm = rhythm_of([slot for slot in heard if slot > heard[-1] - FOUR_WEEKS], LIMITS)
        assert rhythm.is_late(last, START + 30 * DAY + 14 * HOUR), (seed, last)


@pytest.mark.parametrize("is_heard", IRREGULAR.values(), ids=IRREGULAR)
def test_chance_alone_makes_it_late_once_in_ten_years(is_heard: Heard) -> None:
    heard = played(is_heard, 28)
    gaps = sorted(later - earlier for earlier, later in pairwise(heard))
    _, most = learned(heard, gaps[len(gaps) // 2] * SLOT_S)
    assert most > 0.9 * log(len(gaps) / 4 * 520), "silences by chance are longer than x with probability exp(-x)"


def night(day: int, *, at: float = 2.0) -> int:
    return slot_of(START + day * DAY + timedelta(hours=at))


def test_two_outages_teach_nothing() -> None:
    missed = (9, 16)  # Wednesdays
    heard = [night(day) for day in range(30) if day not in missed]
    last = START + 29 * DAY + timedelta(hours=2)
    rhythm = rhythm_of(heard[-28:], LIMITS)
    assert not rhythm.is_late(last, START + 30 * DAY + timedelta(hours=2))
    assert rhythm.is_late(last, START + 30 * DAY + timedelta(hours=12)), "on a Wednesday, too"


def test_an_export_that_takes_now_less_and_now_more_is_late_the_same_day() -> None:
    dice = Random(4)
    heard = [night(day, at=dice.uniform(2, 3.5)) for day in range(30) if (START + day * DAY).weekday() < 5]
    last = time_of(heard[-1])
    rhythm = rhythm_of(heard, LIMITS)
    assert last.date() == (START + 29 * DAY).date()
    assert not rhythm.is_late(last, START + 30 * DAY + timedelta(hours=3, minutes=30))
    assert rhythm.is_late(last, START + 30 * DAY + timedelta(hours=16))


def test_no_export_comes_at_the_weekend() -> None:
    heard = [night(day) for day in range(33) if (START + day * DAY).weekday() < 5]
    rhythm, friday = rhythm_of(heard, LIMITS), time_of(heard[-1])
    assert friday.weekday() == 4
    assert not rhythm.is_late(friday, friday + timedelta(days=2, hours=23))
    assert rhythm.is_late(friday, friday + timedelta(days=3, hours=12))


@pytest.mark.parametrize(
    ("days", "late_after_s"), [((0, 7, 14, 21), 907_200), ((0, 2, 21), 1_209_600), ((0, 7), 907_200)]
)
def test_of_few_silences_that_differ_the_longest_says_little(days: tuple[int, ...], late_after_s: float) -> None:
    rhythm = rhythm_of([night(day) for day in days], LIMITS)
    assert rhythm.late_after_s == late_after_s
    assert rhythm.is_late(time_of(night(0)), time_of(night(0)) + timedelta(seconds=late_after_s + 1))


def test_one_that_is_silent_since_weeks_is_late_still() -> None:
    heard = played(IRREGULAR["a helpdesk, every ten minutes by chance"], 28)
    for weeks in range(4):
        now = time_of(heard[-1]) + timedelta(weeks=weeks, days=3)
        known = [slot for slot in heard if slot > slot_of(now) - FOUR_WEEKS]
        assert rhythm_of(known, LIMITS).is_late(time_of(heard[-1]), now), weeks


HEARD = st.sets(st.integers(0, FOUR_WEEKS), min_size=2, max_size=60).map(sorted)


@given(HEARD, st.integers(0, 4), st.floats(0, 1e7), st.floats(0.01, 50))
def test_when_so_much_has_come_is_when_so_much_came(
    heard: list[int], blur_h: int, since_s: float, amount: float
) -> None:
    pace = Pace(heard, blur_h)
    until_s = pace.reached(since_s, amount)
    assert until_s >= since_s
    assert pace.between(since_s, until_s) == pytest.approx(amount, rel=1e-6, abs=1e-6)
    assert pace.between(until_s, since_s) == 0


@given(HEARD, st.integers(0, 4))
def test_many_are_asked_as_one_is(heard: list[int], blur_h: int) -> None:
    pace = Pace(heard, blur_h)
    for (since, before), (until, after) in pairwise(zip(heard, pace.along(heard), strict=True)):
        assert after - before == pytest.approx(pace.between(since * SLOT_S, until * SLOT_S), rel=1e-6, abs=1e-6)
