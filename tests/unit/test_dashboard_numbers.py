"""The map's numbers, words, windows and cursors: pure, so shown at their edges."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.blueprint import TouchpointType
from schemas.parking import Backlog, ReadProgress, Standing
from services.dashboard import cursors, numbers, words
from services.dashboard.aside import aside_of
from services.dashboard.catalogue import Catalogue
from services.dashboard.charts import bars, dumbbell, lane
from services.dashboard.freshness import build_freshness
from services.dashboard.numbers import Counts
from services.dashboard.reader import Reader
from services.dashboard.row_views import phase_moves
from services.dashboard.scope import MAX_GAPS, MINUTE, Range, Scope, range_of, reading
from services.dashboard.service_status import from_status_file
from services.dashboard.views.sources import SetAside
from streams.runtime.standings import Standings
from tests.dashboard_fakes import BLUEPRINT, NOW, FakeStore
from tests.dashboard_seed import World, world

KIND = TouchpointType(
    id="contract",
    name="Contract",
    phase="purchase",
    importance=4,
    risk=5,
    desired_emotion=0.5,
    targets={"friction_rate": 0.1, "emotion": 0.2, "duration_ms": 2000, "answer_s": 60},
)
COUNTS = Counts(
    volume=60, visitor_volume=6, friction=9, emotion_sum=-3.0, emotion_count=10, pain_sum=30.0, accounts=8, visitors=3
)


def computed(formula: str, inputs: Mapping[str, float | None]) -> float:
    """A formula's text, read as arithmetic."""
    return float(eval(formula.replace("×", "*").replace("−", "-"), {"__builtins__": {}}, dict(inputs)))


@pytest.mark.parametrize("name", numbers.NUMBERS)
def test_the_formula_that_is_shown_is_the_one_that_is_used(name: numbers.NumberName) -> None:
    figure = numbers.numbers_of(COUNTS, KIND, active_accounts=40).figures[name]
    assert figure.value == pytest.approx(computed(figure.formula, figure.inputs))
    for key, value in figure.inputs.items():
        assert value is not None
        other = computed(figure.formula, figure.inputs | {key: value * 2 + 1})
        assert other != pytest.approx(figure.value), f"{key} is not an input of {name}"


def test_without_touchpoints_nothing_is_claimed() -> None:
    found = numbers.numbers_of(Counts(), KIND, active_accounts=0)
    claimed = {name: found[name] for name in numbers.NUMBERS if found[name] is not None}
    assert claimed == {"pain_index": 0.0, "risk": 0.0}


def test_three_events_cannot_top_the_list() -> None:
    few, many = Counts(volume=3, pain_sum=3.0), Counts(volume=300, pain_sum=90.0)
    pain = [numbers.numbers_of(each, KIND, 9).sure("pain_index") for each in (few, many)]
    assert pain[0] < pain[1]
    assert few.pain_sum / few.volume > many.pain_sum / many.volume, "without the shrink they would"


def naive_numbers(made: World, kind: TouchpointType, phase: str) -> dict[str, float | None]:
    """One cell of the whole history, look by look, from touchpoints and the severities of their signals."""
    severities: dict[str, list[float]] = {}
    for signal in made.signals:
        severities.setdefault(signal["event_id"], []).append(signal["severity"])
    shown = [row for row in made.touchpoints if row["on_map"]]
    mine = [row for row in shown if (row["phase"], row["touchpoint_type"]) == (phase, kind.id)]
    active = {row["account_id"] for row in shown if not row["account_id"].startswith("anon:")}
    reached = [account for account in active if any(row["account_id"] == account for row in mine)]
    felt = [row["emotion"] for row in mine if row["has_emotion"]]
    pains = []
    for row in mine:
        unharmed = 1.0
        for severity in severities.get(row["event_id"], []):
            unharmed *= 1 - severity
        pains.append(1 - unharmed)
    emotion = mean(felt) if felt else None
    pain = mean(pains) * 100 * kind.importance / 5 * len(mine) / (len(mine) + 20) if mine else 0.0
    return {
        "friction_rate": len([row for row in mine if row["event_id"] in severities]) / len(mine) if mine else None,
        "reach_percent": 100 * len(reached) / len(active),
        "frequency": len([row for row in mine if row["account_id"] in active]) / len(active),
        "emotion": emotion,
        "emotion_gap": None if emotion is None or kind.desired_emotion is None else emotion - kind.desired_emotion,
        "pain_index": pain,
        "risk": pain * kind.risk,
        "impact": pain * kind.risk * len(reached) / len(active),
    }


async def test_every_number_equals_the_naive_one() -> None:
    made = world(BLUEPRINT, NOW, touchpoints=800, days=5)
    differences = await different(made, made)
    assert differences == {}


@pytest.mark.parametrize("number", numbers.NUMBERS)
async def test_known_bad_each_number_would_be_missed(number: str) -> None:
    """Known bad: a map of other touchpoints. The naive numbers tell, each of them."""
    made, other = (world(BLUEPRINT, NOW, touchpoints=800, days=5, seed=seed) for seed in (7, 8))
    assert number in {name for names in (await different(made, other)).values() for name in names}


async def test_known_bad_visitors_are_not_accounts() -> None:
    made = world(BLUEPRINT, NOW, touchpoints=800, days=5)
    mixed = world(BLUEPRINT, NOW, touchpoints=800, days=5)
    for row in mixed.touchpoints:
        row["account_id"] = row["account_id"].replace("anon:", "crm:anon-")
    names = {name for names in (await different(made, mixed)).values() for name in names}
    assert {"reach_percent", "frequency"} <= names <= {"reach_percent", "frequency", "impact"}


async def different(made: World, shown: World) -> dict[tuple[str, str], list[str]]:
    """Cells of the map of `shown` that differ from the naive numbers of `made`, and in what."""
    reader = Reader(FakeStore(shown), Catalogue(BLUEPRINT), lambda: NOW)
    view = await reader.map(Scope("all"), explain=True)
    found = {}
    for cell in (cell for phase in view.phases for cell in phase.types):
        naive = naive_numbers(made, reader.catalogue.types[cell.id], cell.phase)
        wrong = [name for name, value in naive.items() if getattr(cell, name) != pytest.approx(value)]
        assert cell.explain is not None
        assert all(cell.explain[name].value == getattr(cell, name) for name in naive), "one place"
        if wrong:
            found[cell.phase, cell.id] = wrong
    return found


def test_performance_says_what_was_not_measured() -> None:
    found = numbers.numbers_of(COUNTS, KIND, 40)
    gaps = {gap.target: gap for gap in numbers.performance(KIND, found, {"duration_ms": 1500.0})}
    assert gaps["friction_rate"].gap == pytest.approx(0.05)
    assert gaps["emotion"].gap == pytest.approx(-0.5)
    assert (gaps["friction_rate"].met, gaps["emotion"].met) == (False, False)
    assert (gaps["duration_ms"].gap, gaps["duration_ms"].met) == (-500.0, True)
    assert (gaps["answer_s"].measured, gaps["answer_s"].met, gaps["answer_s"].basis) == (None, None, "no data")
    unasked = {gap.target: gap.basis for gap in numbers.performance(KIND, found, None)}
    assert unasked == {
        "friction_rate": "measured", "emotion": "measured", "duration_ms": "not asked", "answer_s": "not asked"
    }  # fmt: skip
    silent = numbers.numbers_of(Counts(volume=5), KIND, 40)
    assert {gap.target: gap.basis for gap in numbers.performance(KIND, silent, {})}["emotion"] == "no data"


def test_the_term_is_the_owners_then_the_rules() -> None:
    assert numbers.term_of(KIND.model_copy(update={"effort": "long"}), "quick") == "long"
    assert numbers.term_of(KIND, "quick") == "quick"
    assert numbers.term_of(KIND, None) == "medium"


@pytest.mark.parametrize(
    ("now", "direction"),
    [((30, 100), "up"), ((1, 100), "down"), ((11, 100), "steady"), ((15, 19), "unknown"), ((20, 20), "up")],
)
def test_trend_against_the_median_of_earlier_windows(now: tuple[int, int], direction: str) -> None:
    previous = [(10, 100), (12, 100), (11, 100), (10, 100), (90, 100), (10, 100), (9, 100)]
    found = numbers.trend(now, previous)
    assert found.direction == direction
    assert found.note.startswith("not enough: 19 touchpoints") == (direction == "unknown")


def test_trend_needs_three_earlier_windows_with_volume() -> None:
    found = numbers.trend((50, 100), [(1, 100), (1, 100), (1, 19)])
    assert (found.direction, found.ratio, found.basis.previous) == ("unknown", None, (0.01, 0.01))
    assert found.note == "not enough: earlier windows with 20 touchpoints: 2, 3 needed"


def naive_direction(now: tuple[int, int], previous: list[tuple[int, int]], deviations: float = 2) -> str:
    """The documented rule, with sorting for a median."""

    def middle_of(values: list[float]) -> float:
        ordered = sorted(values)
        half = len(ordered) // 2
        return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2

    rates = [friction / volume for friction, volume in previous if volume >= 20]
    if now[1] < 20 or len(rates) < 3:
        return "unknown"
    middle = middle_of(rates)
    change = now[0] / now[1] - middle
    spread = deviations * 1.4826 * middle_of([abs(rate - middle) for rate in rates])
    if abs(change) <= max(spread, 0.02, 0.1 * middle):
        return "steady"
    return "up" if change > 0 else "down"


WINDOW = st.integers(0, 60).flatmap(lambda volume: st.tuples(st.integers(0, volume), st.just(volume)))


@given(WINDOW, st.lists(WINDOW, min_size=7, max_size=7))
def test_the_trend_equals_the_naive_one(now: tuple[int, int], previous: list[tuple[int, int]]) -> None:
    found = numbers.trend(now, previous)
    assert found.direction == naive_direction(now, previous)
    assert bool(found.note) == (found.direction == "unknown")


def test_known_bad_another_band_is_another_trend() -> None:
    previous = [(10, 100), (12, 100), (14, 100), (10, 100), (16, 100), (10, 100), (9, 100)]
    assert numbers.trend((25, 200), previous).direction == naive_direction((25, 200), previous) == "steady"
    assert naive_direction((25, 200), previous, deviations=1) == "up"


def test_no_evidence_is_never_zero() -> None:
    assert numbers.ratio(0, 0) is None
    assert words.emotion_word(None) == "no evidence"
    assert words.emotion_word(0.0) == "neutral"
    assert words.percent(None) == "–"
    assert words.percent(0.0) == "0%"
    assert words.percent(0.0004) == "< 0.1%"


@pytest.mark.parametrize(
    ("value", "word"), [(1.0, "delighted"), (0.2, "pleased"), (-0.3, "uneasy"), (-1, "frustrated")]
)
def test_emotion_words(value: float, word: str) -> None:
    assert words.emotion_word(value) == word


def test_a_window_is_whole_minutes_and_windows_meet_without_overlap() -> None:
    hour = range_of("1h", NOW)
    assert hour.length == timedelta(hours=1)
    assert (hour.until - hour.since) == timedelta(minutes=59)
    assert range_of("all", NOW, NOW - timedelta(days=3)).since == NOW - timedelta(days=3)
    assert range_of("all", NOW).length == timedelta(minutes=1)


@given(st.sets(st.integers(0, 40)), st.integers(0, 3 * 1440), st.integers(38 * 1440, 41 * 1440))
def test_days_and_gaps_are_every_minute_once(settled: set[int], first: int, last: int) -> None:
    start = (NOW - timedelta(days=45)).replace(hour=0, minute=0, second=0)
    since, until = start + first * MINUTE, start + last * MINUTE
    span = Range(since, until, 60)
    read = reading(since, until, {(start + timedelta(days=day)).date() for day in settled} & set(span.whole_days))
    assert len(read.gaps) <= MAX_GAPS
    minutes = [int((end - begin) / MINUTE) + 1 for begin, end in read.gaps]
    assert min(minutes, default=1) > 0
    assert sum(minutes) + 1440 * len(read.days) == last - first + 1
    begins = [start.combine(day, start.timetz()) for day in read.days]
    assert not [at for at in begins for begin, end in read.gaps if begin <= at <= end]


def test_whole_days_of_earlier_windows_lie_in_one_window_each() -> None:
    week = range_of("7d", NOW)
    assert (len(week.whole_days), len(week.whole_days_before(7)), len(set(week.whole_days_before(7)))) == (6, 42, 42)
    assert range_of("24h", NOW).whole_days == range_of("1h", NOW).whole_days_before(7) == []
    midnight = range_of("24h", NOW.replace(hour=23, minute=59))
    assert midnight.whole_days == [NOW.date()]
    for ago, day in enumerate(midnight.whole_days_before(3)):
        assert day == NOW.date() - timedelta(days=ago + 1)


def test_stale_is_stale_and_never_is_never() -> None:
    def row(source: str, ago_s: float) -> dict[str, object]:
        at = NOW - timedelta(seconds=ago_s)
        return {"source": source, "last_occurred_at": at, "last_received_at": at, "last_written_at": at}

    found = build_freshness([row("web", 3600), row("crm", 3601)], ["web", "support"], NOW)
    assert {each.source: each.state for each in found.sources} == {"web": "fresh", "crm": "stale", "support": "never"}
    assert {each.source: each.lag_s for each in found.sources} == {"web": 3600.0, "crm": 3601.0, "support": None}
    assert build_freshness([], [], NOW).pipeline_lag_s is None


def test_what_concerns_no_customer_stands_beside_its_source() -> None:
    ignored = [
        {"source": "desk", "reason": "unsubscribed_topic", "messages": 12},
        {"source": "desk", "reason": "ping", "messages": 3},
    ]
    found = {each.source: each for each in build_freshness([], ["web"], NOW, (), ignored).sources}
    assert [(each.reason, each.messages) for each in found["desk"].ignored] == [("unsubscribed_topic", 12), ("ping", 3)]
    assert (found["desk"].state, found["web"].ignored) == ("never", ())


def test_a_source_that_is_set_aside_is_shown_as_that_and_its_neighbours_are_not() -> None:
    standings = Standings()
    standings.learn(
        [
            Standing(source="desk", state="parked", since=NOW, cause="500 of the last 500 items were refused"),
            Standing(source="web", state="flowing", since=NOW),
            ReadProgress(partition=0, looked=9, backlogs=(Backlog(source="desk", position=1, end=9, requests=7),)),
        ]
    )
    found = {s.source: s for s in build_freshness([], ["web"], NOW, aside=aside_of(standings)).sources}
    assert found["web"].set_aside is None
    assert found["desk"].set_aside == SetAside(False, NOW, "500 of the last 500 items were refused", 7)


@pytest.mark.parametrize("text", ["x", "%%%", "W10", "", "bm90IGpzb24", cursors.encode("soon", "e")])
def test_a_cursor_that_is_not_ours_is_refused(text: str) -> None:
    with pytest.raises(cursors.BadCursor):
        cursors.decode_time(text)


def test_cursors_keep_milliseconds_and_any_id() -> None:
    at = NOW.replace(microsecond=123_000)
    assert cursors.decode_time(cursors.encode_time(at, "crm:ü/1")) == (at, "crm:ü/1")


def test_a_chart_shows_nothing_where_nothing_is_known() -> None:
    assert dumbbell(None, 0.4) == ""
    assert "felt" not in lane(None, 0.4) and 'class="felt"' in lane(-1.0, None)
    assert 'class="now"' not in bars([0.0] * 30, 7) and bars([0.0] * 29 + [3.0], 7).count('class="now"') == 1


def test_status_file_says_who_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    waiting = from_status_file(path)
    assert waiting() == (), "no supervisor, nothing to say"
    path.write_text('{"kafka": {"state": "starting", "since": "2026-03-10T12:00:00Z"}, "gateway": {"state": "ready"}}')
    assert [(wait.service, wait.state) for wait in waiting()] == [("kafka", "starting")]
    path.write_text('{"kafka": {"sta')
    assert [wait.service for wait in waiting()] == ["kafka"], "half written: what was known stands"


def test_names_for_people() -> None:
    assert words.account_name("crm:0015", "") == "0015"
    assert words.account_name("anon:deadbeef1234", "") == "Visitor deadbeef"
    assert words.clock_time(NOW - timedelta(days=1), NOW) == "9 Mar 12:00"
    assert words.duration(0.42) == "0.4 s"
    assert words.duration(7300) == "2 h"


def test_changes_of_phase_are_told_newest_first_within_an_instant_too() -> None:
    at = "2026-11-20T10:00:00Z"
    steps = [("awareness", "consideration"), ("consideration", "purchase"), ("purchase", "initiate")]
    why = {"event_id": "e", "cause": "c", "accepted": True, "dwell_s": 0.0}
    stored = [{"at": at, "from_phase": before, "to_phase": after, **why} for before, after in steps]
    told = phase_moves(json.dumps([*stored, {**stored[0], "at": "2026-11-20T09:00:00Z"}]))
    assert [move.to_phase for move in told] == ["initiate", "purchase", "consideration", "consideration"]
