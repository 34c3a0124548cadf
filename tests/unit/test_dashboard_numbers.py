"""The map's numbers, words, windows and cursors: pure, so shown at their edges."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from services.dashboard import cursors, numbers, words
from services.dashboard.charts import sparkline
from services.dashboard.freshness import STALE_AFTER_S, build_freshness
from services.dashboard.numbers import Counts
from services.dashboard.scope import range_of
from services.dashboard.waiting import from_status_file
from tests.dashboard_fakes import NOW


def test_pain_index_is_the_documented_formula() -> None:
    counts = Counts(volume=60, pain_sum=30.0)
    assert numbers.pain_index(counts, importance=4) == pytest.approx(100 * 0.5 * 0.8 * 0.75)
    assert numbers.pain_index(Counts(), 5) == 0.0


def test_three_events_cannot_top_the_list() -> None:
    few, many = Counts(volume=3, pain_sum=3.0), Counts(volume=300, pain_sum=90.0)
    assert numbers.pain_index(few, 5) < numbers.pain_index(many, 5)
    unshrunk = {name: 100 * each.pain_sum / each.volume for name, each in (("few", few), ("many", many))}
    assert unshrunk["few"] > unshrunk["many"], "without the shrink it would"


@pytest.mark.parametrize(
    ("now", "direction"),
    [((30, 100), "up"), ((1, 100), "down"), ((11, 100), "steady"), ((15, 19), "unknown"), ((20, 20), "up")],
)
def test_trend_against_the_median_of_earlier_windows(now: tuple[int, int], direction: str) -> None:
    previous = [(10, 100), (12, 100), (11, 100), (10, 100), (90, 100), (10, 100), (9, 100)]
    assert numbers.trend(now, previous).direction == direction


def test_trend_needs_three_earlier_windows_with_volume() -> None:
    found = numbers.trend((50, 100), [(1, 100), (1, 100), (1, 19)])
    assert (found.direction, found.ratio, found.basis.previous) == ("unknown", None, (0.01, 0.01))


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


def test_stale_is_stale_and_never_is_never() -> None:
    def row(source: str, ago_s: float) -> dict[str, object]:
        at = NOW - timedelta(seconds=ago_s)
        return {"source": source, "last_occurred_at": at, "last_received_at": at, "last_written_at": at}

    found = build_freshness([row("web", STALE_AFTER_S), row("crm", STALE_AFTER_S + 1)], ["web", "support"], NOW)
    assert {each.source: each.state for each in found.sources} == {"web": "fresh", "crm": "stale", "support": "never"}
    assert {each.source: each.lag_s for each in found.sources} == {"web": 900.0, "crm": 901.0, "support": None}
    assert build_freshness([], [], NOW).pipeline_lag_s is None


@pytest.mark.parametrize("text", ["x", "%%%", "W10", "", "bm90IGpzb24", cursors.encode("soon", "e")])
def test_a_cursor_that_is_not_ours_is_refused(text: str) -> None:
    with pytest.raises(cursors.BadCursor):
        cursors.decode_time(text)


def test_cursors_keep_milliseconds_and_any_id() -> None:
    at = NOW.replace(microsecond=123_000)
    assert cursors.decode_time(cursors.encode_time(at, "crm:ü/1")) == (at, "crm:ü/1")


def test_sparkline_of_nothing_is_nothing() -> None:
    assert sparkline([0, 0]) == ""
    assert "polyline" in sparkline([0, 3])


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
