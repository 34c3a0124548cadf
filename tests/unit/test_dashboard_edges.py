"""What a ranking weighs and which stretch of time is asked for: both sides of each boundary."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

import pytest

from services.dashboard import numbers
from services.dashboard.catalogue import Catalogue
from services.dashboard.numbers import Counts
from services.dashboard.ranking import BY_ITSELF_FROM, ENOUGH, Burden, Change, Judge, pain_of
from services.dashboard.ranking_inputs import CHART_DAYS, Weighed, summed, weigh
from services.dashboard.reader import Reader
from services.dashboard.scope import DAY, FILTERS, MINUTE, Range, Scope, floor_minute, nearest_window, range_of, reading
from services.dashboard.since import QUIET_DAYS, Since, since_when
from services.dashboard.store import Cells, Hurt, Hurts
from services.dashboard.views.figures import TrendBasis
from streams.journey.blueprints import load

CATALOGUE = Catalogue(load().source)
NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
PRODUCT, COMPLAINT = "product_use", "complaint"
SHARE = CATALOGUE.types[PRODUCT].importance / 5


def judge(active: int = 10, days: float = 7) -> Judge:
    return Judge(CATALOGUE, active, timedelta(days=days))


@pytest.mark.parametrize(
    ("now", "before", "ratio", "factor"),
    [
        (3.0, None, None, 1.0),
        (0.0, 0.0, None, 1.0),
        (3.0, 0.0, None, 2.0),
        (3.0, 2.0, 1.5, 1.5),
        (9.0, 2.0, 4.5, 2.0),
        (1.0, 2.0, 0.5, 0.5),
        (0.5, 2.0, 0.25, 0.5),
        (0.0, 2.0, 0.0, 0.5),
    ],
)
def test_a_change_counts_half_to_twice(now: float, before: float | None, ratio: float | None, factor: float) -> None:
    assert (Change(now, before).ratio, Change(now, before).factor) == (ratio, factor)


def test_pain_by_definition_is_how_often_it_happened() -> None:
    counts = Counts(volume=7, pain_sum=2.5)
    assert (pain_of(CATALOGUE, COMPLAINT, counts), pain_of(CATALOGUE, PRODUCT, counts)) == (7.0, 2.5)


@pytest.mark.parametrize(
    ("kind", "volume", "friction", "is_by_itself"),
    [
        (PRODUCT, ENOUGH, 9, True),
        (PRODUCT, ENOUGH, 8, False),
        (PRODUCT, ENOUGH - 1, 9, False),
        (PRODUCT, 0, 0, False),
        ("app_error", 1, 0, True),
        (COMPLAINT, 100, 100, False),
    ],
)
def test_what_is_friction_by_being_there(kind: str, volume: int, friction: int, is_by_itself: bool) -> None:
    assert BY_ITSELF_FROM == 0.9
    assert judge().is_by_itself(kind, Counts(volume=volume, friction=friction)) is is_by_itself


@pytest.mark.parametrize(
    ("weight", "severity"),
    [
        (0.049, "calm"),
        (0.05, "watch"),
        (0.199, "watch"),
        (0.2, "high"),
        (0.499, "high"),
        (0.5, "severe"),
        (9.0, "severe"),
    ],
)
def test_where_the_words_begin(weight: float, severity: str) -> None:
    """Weighed pain per active account and week."""
    pain = weight * 10 * 2 / SHARE
    counts = Counts(volume=1_000, friction=1, pain_sum=pain)
    assert judge(days=14).burden(PRODUCT, counts, None, 3).severity == severity


def test_a_window_of_less_than_a_day_counts_as_a_day_and_nobody_as_one() -> None:
    counts = Counts(volume=1_000, friction=1, pain_sum=0.9 / SHARE)
    words = [
        judge(active, days).burden(PRODUCT, counts, None, 1).severity for active, days in ((10, 1), (10, 0.1), (0, 1))
    ]
    assert words[0] == words[1] == "severe" == words[2]
    assert judge(20, 1).burden(PRODUCT, counts, None, 1).severity == "high"


def test_a_burden_says_pain_weight_and_change() -> None:
    counts = Counts(volume=100, friction=50, pain_sum=8.0)
    assert judge().burden(PRODUCT, counts, Counts(pain_sum=4.0), 3) == Burden(
        8.0, 16.0 * SHARE, "severe", Change(8.0, 4.0)
    )
    assert judge().burden(PRODUCT, counts, None, 3).change == Change(8.0, None)
    each_once = judge().burden(PRODUCT, Counts(volume=100, friction=100, pain_sum=50.0), None, 4)
    assert (each_once.pain, each_once.weight) == (50.0, 4 * 0.5 * SHARE)
    unknown = judge().burden("never_heard_of", Counts(volume=1, pain_sum=1.0), None, 1)
    assert 0 < unknown.weight < 1


def counts(number: int) -> Counts:
    """Every sum another number."""
    sums: dict[str, Any] = {
        field.name: number + place for place, field in enumerate(fields(Counts)) if field.name != "spark"
    }
    return Counts(**sums)


def test_a_types_sums_over_its_phases_add_up_but_for_whom_it_reached() -> None:
    cells = Cells({("a", "x"): counts(10), ("b", "x"): counts(200), ("a", "y"): counts(5_000)}, {}, Counts())
    total = summed(cells)["x"]
    sums = ("volume", "visitor_volume", "friction", "delight", "emotion_sum", "emotion_count", "pain_sum")
    assert [getattr(total, name) for name in sums] == [210 + 2 * place for place in range(len(sums))]
    assert (total.accounts, total.visitors, total.people) == (0, 0, 0)


def weighed(**more: Any) -> Weighed:
    now = Cells(
        {("a", PRODUCT): Counts(volume=100, pain_sum=4.0), ("b", PRODUCT): Counts(volume=10, pain_sum=1.0)},
        {},
        Counts(accounts=9),
    )
    own: dict[str, Any] = {
        "catalogue": CATALOGUE,
        "scope": Scope(),
        "as_of": NOON,
        "span": Range(NOON - 2 * DAY + MINUTE, NOON, 60),
        "now": now,
        "before": None,
        "hurt": Hurts({("a", PRODUCT): Hurt(3)}, {PRODUCT: Hurt(5)}, Hurt(), {}),
        "hurt_before": None,
        "daily": {},
        "rules": {},
        "active": 9,
    }
    return Weighed(**(own | more))


def test_what_is_weighed_is_compared_with_itself_before() -> None:
    before = Cells({("a", PRODUCT): Counts(pain_sum=2.0)}, {}, Counts())
    alone, compared = weighed(), weighed(before=before)
    assert (compared.judge.active_accounts, compared.judge.length) == (9, 2 * DAY)
    assert alone.cell(("a", PRODUCT)).change == Change(4.0, None)
    assert compared.cell(("a", PRODUCT)).change == Change(4.0, 2.0)
    assert compared.cell(("b", PRODUCT)).change == Change(1.0, 0.0)
    assert compared.kind(PRODUCT).change == Change(5.0, 2.0) and alone.kind(PRODUCT).change == Change(5.0, None)
    assert compared.cell(("c", PRODUCT)).severity == compared.kind("never_heard_of").severity == "unseen"


def test_how_many_accounts_something_hurt_weighs_where_each_event_is_friction() -> None:
    always = Cells({("a", PRODUCT): Counts(volume=100, friction=100, pain_sum=100.0)}, {}, Counts(accounts=9))
    found = weighed(now=always)
    assert found.cell(("a", PRODUCT)).weight == pytest.approx(3 * SHARE)
    assert found.kind(PRODUCT).weight == pytest.approx(5 * SHARE)
    assert weighed(now=always, hurt=Hurts({}, {}, Hurt(), {})).cell(("a", PRODUCT)).weight == 0


@pytest.mark.parametrize(
    ("length", "days"), [(MINUTE, 1), (DAY, 1), (DAY + MINUTE, 2), (29 * DAY, 29), (90 * DAY, CHART_DAYS)]
)
def test_the_days_of_the_chart_that_lie_in_the_window(length: timedelta, days: int) -> None:
    assert weighed(span=Range(NOON - length + MINUTE, NOON, 60)).window_days == days


def test_pain_by_day_ends_today_and_counts_what_is_pain_by_definition() -> None:
    today = NOON.date()
    daily = {
        ("a", PRODUCT): {
            today: (1.5, 9),
            today - 29 * DAY: (2.5, 9),
            today - 30 * DAY: (7.0, 9),
            today + DAY: (8.0, 9),
        },
        ("b", PRODUCT): {today: (0.5, 9)},
        ("a", COMPLAINT): {today - DAY: (0.25, 3)},
    }
    found = weighed(daily=daily).pain_by_day(("a", PRODUCT), ("b", PRODUCT), ("a", COMPLAINT), ("z", PRODUCT))
    assert found == (2.5, *[0.0] * 27, 3.0, 2.0)
    assert weighed(daily=daily).pain_by_day(("b", PRODUCT))[-1] == 0.5


@pytest.mark.parametrize("name", FILTERS)
def test_each_filter_filters(name: str) -> None:
    chosen: dict[str, Any] = {name: "x"}
    scope = replace(Scope(), **chosen)
    assert scope.is_filtered and not Scope().is_filtered
    assert scope.of_accounts is (name in ("tier", "account"))
    assert scope.query() == f"window=24h&{name}=x" and scope.query(**{name: ""}) == "window=24h"


def test_an_address_says_what_is_not_default() -> None:
    assert not Scope(traffic="all").of_accounts, "minutes and days know what is kept off"
    assert not Scope().of_accounts and not Scope(traffic="all").is_filtered
    scope = Scope("7d", compare="4w", traffic="all", subject="crm:1", before="x", records=("r",), types=("t",))
    assert scope.query() == "window=7d&compare=4w&traffic=all"
    assert scope.whole_query() == "window=7d&compare=4w&traffic=all&subject=crm%3A1&before=x"
    assert Scope().whole_query() == "window=24h"


def test_what_a_window_is_compared_with_has_its_length_and_never_reaches_into_it() -> None:
    week = range_of("7d", NOON)
    assert week.compared("before") == Range(week.since - 7 * DAY, week.until - 7 * DAY, week.step_s)
    assert week.compared("4w").until == week.until - 28 * DAY
    assert week.compared("1y").since == week.since - 364 * DAY
    assert range_of("90d", NOON).compared("4w").until == NOON - 90 * DAY


def test_a_sparkline_of_long_buckets_begins_with_an_hour() -> None:
    at = NOON + 17 * MINUTE
    assert [Range(at, at, step).spark_origin for step in (60, 3_540, 3_600, 7_200)] == [at, at, NOON, NOON]


@pytest.mark.parametrize(
    ("window", "minutes", "step_s"),
    [
        ("1h", 60, 180),
        ("24h", 1_440, 3_600),
        ("7d", 10_080, 25_200),
        ("30d", 43_200, 108_000),
        ("90d", 129_600, 324_000),
    ],
)
def test_a_window_ends_with_this_minute_and_has_24_buckets(window: Any, minutes: int, step_s: int) -> None:
    span = range_of(window, NOON.replace(second=59, microsecond=9))
    assert (span.until, span.length, span.step_s) == (NOON, minutes * MINUTE, step_s)


@pytest.mark.parametrize(
    ("ago", "step_s"), [(0, 60), (23, 60), (24, 120), (1_439, 3_600), (1_440, 7_200), (2_879, 7_200), (2_880, 10_800)]
)
def test_all_time_begins_with_the_first_minute(ago: int, step_s: int) -> None:
    span = range_of("all", NOON, NOON - ago * MINUTE)
    assert (span.since, span.until, span.step_s) == (NOON - ago * MINUTE, NOON, step_s)
    assert range_of("all", NOON, NOON + DAY) == range_of("all", NOON) == Range(NOON, NOON, 60)
    assert floor_minute(NOON + timedelta(seconds=59.9)) == NOON


@pytest.mark.parametrize(
    ("ago", "window"),
    [
        (timedelta(0), "1h"), (timedelta(minutes=59), "1h"), (timedelta(hours=1), "24h"), (DAY, "7d"), (7 * DAY, "30d"),
        (30 * DAY, "90d"), (90 * DAY - MINUTE, "90d"), (90 * DAY, "all"),
    ],
)  # fmt: skip
def test_the_nearest_window_holds_what_was_last(ago: timedelta, window: str) -> None:
    assert nearest_window(NOON - ago, NOON) == window


def test_days_are_whole_with_all_their_minutes_and_what_lies_between_is_read_by_the_minute() -> None:
    midnight = NOON.replace(hour=0)
    today, tomorrow = NOON.date(), NOON.date() + DAY
    assert Range(midnight, midnight + DAY - MINUTE, 60).whole_days == [today]
    assert Range(midnight + MINUTE, midnight + DAY - MINUTE, 60).whole_days == []
    assert Range(midnight, midnight + DAY - 2 * MINUTE, 60).whole_days == []
    assert Range(midnight - MINUTE, midnight + 2 * DAY, 60).whole_days == [today, tomorrow]
    found = reading(midnight - MINUTE, midnight + 3 * DAY, [tomorrow, today])
    assert found.days == (today, tomorrow)
    assert found.gaps == ((midnight - MINUTE, midnight - MINUTE), (midnight + 2 * DAY, midnight + 3 * DAY))
    assert reading(midnight, midnight + DAY - MINUTE, [today]).gaps == ()
    assert reading(midnight, midnight + DAY, [today]).gaps == ((midnight + DAY, midnight + DAY),)


def test_after_too_many_gaps_the_rest_is_one() -> None:
    midnight = NOON.replace(hour=0)
    every_other = [(midnight + n * DAY).date() for n in range(1, 41, 2)]
    found = reading(midnight, midnight + 40 * DAY, every_other)
    assert (len(found.days), len(found.gaps)) == (7, 8)
    assert found.gaps[-1] == (midnight + 14 * DAY, midnight + 40 * DAY)


TODAY = date(2026, 3, 10)


def pained(**days: float) -> list[float]:
    """Thirty days; `d2=5` is a pain of 5 two days ago."""
    return [days.get(f"d{29 - index}", 0.0) for index in range(30)]


@pytest.mark.parametrize(
    ("days", "since"),
    [
        (pained(), Since(None)),
        (pained(d7=5), Since(None)),
        (pained(d6=5), Since(TODAY - 6 * DAY, False, TODAY - 6 * DAY)),
        (pained(d5=1, d8=1), Since(TODAY - 5 * DAY, False, TODAY - 5 * DAY)),
        (pained(d0=5, d2=5), Since(TODAY - 2 * DAY, False, None)),
        (pained(d2=5), Since(TODAY - 2 * DAY, False, None)),
        (pained(d3=5), Since(TODAY - 3 * DAY, False, TODAY - 3 * DAY)),
        (pained(d5=1, d7=1, d9=1), Since(TODAY - 9 * DAY, False, TODAY - 5 * DAY)),
        ([0.5] * 7, Since(TODAY - 6 * DAY, True, None)),
    ],
)
def test_since_when_and_until_when_it_hurts(days: list[float], since: Since) -> None:
    assert QUIET_DAYS == 3
    assert since_when(days, TODAY, 7) == since


@pytest.mark.parametrize(
    ("pain", "volume", "level"),
    [
        (99.0, 0, "quiet"),
        (10.0, 1, "painful"),
        (9.99, 1, "watch"),
        (4.0, 1, "watch"),
        (3.99, 1, "good"),
        (0.0, 1, "good"),
    ],
)
def test_where_the_levels_of_a_cell_begin(pain: float, volume: int, level: str) -> None:
    assert numbers.level_of(pain, volume) == level


@pytest.mark.parametrize(
    ("now", "before", "direction"),
    [((0, 50), (1, 50), "steady"), ((1, 50), (0, 50), "steady"), ((0, 50), (2, 50), "down"), ((2, 50), (0, 50), "up")],
)
def test_a_trend_begins_beyond_two_points(now: tuple[int, int], before: tuple[int, int], direction: str) -> None:
    found = numbers.trend(now, [before] * 3)
    assert (found.direction, found.note) == (direction, "")
    rates = (before[0] / 50,) * 3
    assert found.basis == TrendBasis("friction_rate", now[0] / 50, rates[0], rates, 20, numbers.TREND_FORMULA)


class Asked:
    """A store that keeps what it was asked, behind a reader whose clock stands at `NOON`."""

    def __init__(self, before: Cells) -> None:
        self.store, self.catalogue, self.asked = self, CATALOGUE, list[tuple[object, ...]]()
        self.earlier = before
        self.now = Cells({("a", PRODUCT): Counts(volume=1)}, {}, Counts())

    def clock(self) -> datetime:
        return NOON

    async def span(self, scope: Scope, as_of: datetime) -> Range:
        return range_of(scope.window, as_of, as_of - DAY)

    async def cells(self, scope: Scope, span: Range, *, sparks: bool, people: bool) -> Cells:
        self.asked.append(("cells", scope, span, sparks, people))
        return self.now

    async def daily(self, scope: Scope, span: Range) -> dict[Any, Any]:
        self.asked.append(("daily", scope, span))
        return {("a", PRODUCT): {}}

    async def hurt(self, scope: Scope, span: Range, kinds: object, *, is_named: bool) -> Hurts:
        self.asked.append(("hurt", scope, span, kinds, is_named))
        return Hurts({}, {}, Hurt(1), {})

    async def worst_rules(self, scope: Scope, span: Range, derived: object) -> dict[Any, str]:
        self.asked.append(("worst_rules", scope, span, derived))
        return {("a", PRODUCT): "slow"}

    async def active_accounts(self, scope: Scope, span: Range) -> int | None:
        return 12 if scope.types else None

    async def before(self, scope: Scope, compared: Range, *, whom: bool) -> tuple[Cells, Hurts | None, int]:
        self.asked.append(("before", scope, compared, whom))
        return self.earlier, Hurts({}, {}, Hurt(2), {}) if whom else None, 5


EARLIER = Cells({("a", PRODUCT): Counts(volume=5)}, {}, Counts())


@pytest.mark.parametrize(("people", "named"), [(False, True), (True, False)])
async def test_both_windows_are_asked_for_and_whom_it_hurt_in_each(people: bool, named: bool) -> None:
    asked, scope = Asked(EARLIER), Scope("7d", compare="4w")
    found = await weigh(cast(Reader, asked), scope, people=people, named=named)
    span = range_of("7d", NOON)
    chart = Range(NOON.replace(hour=0) - 29 * DAY, NOON, 3_600)
    assert asked.asked == [
        ("cells", scope, span, False, people),
        ("daily", scope, chart),
        ("hurt", scope, span, CATALOGUE.painful_by_definition, named),
        ("worst_rules", scope, span, CATALOGUE.derived_rules),
        ("before", scope, span.compared("4w"), True),
    ]
    assert (found.catalogue, found.scope, found.as_of, found.span) == (CATALOGUE, scope, NOON, span)
    assert (found.now, found.before, found.rules) == (asked.now, EARLIER, {("a", PRODUCT): "slow"})
    assert (found.hurt.total.accounts, found.daily) == (1, {("a", PRODUCT): {}})
    assert found.hurt_before is not None and found.hurt_before.total.accounts == 2


async def test_nothing_is_compared_where_nothing_was_told_or_all_time_is_asked_for() -> None:
    silent = await weigh(cast(Reader, Asked(Cells({}, {}, Counts()))), Scope("7d"))
    assert (silent.before, silent.hurt_before) == (None, None)
    everything = Asked(EARLIER)
    found = await weigh(cast(Reader, everything), Scope("all"))
    assert (found.before, found.hurt_before, len(everything.asked)) == (None, None, 4)


async def test_of_one_account_nobody_is_asked_whom_it_hurt() -> None:
    asked, scope = Asked(EARLIER), Scope("7d", account="crm:1")
    found = await weigh(cast(Reader, asked), scope, whom=False)
    compared = range_of("7d", NOON).compared("before")
    assert [one[0] for one in asked.asked] == ["cells", "daily", "before"]
    assert asked.asked[-1] == ("before", scope, compared, False)
    assert (found.hurt, found.rules, found.hurt_before) == (Hurts({}, {}, Hurt(), {}), {}, None)
