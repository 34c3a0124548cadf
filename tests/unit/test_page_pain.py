"""How pain is judged: verdicts never rank, nothing unmeasured is calm, growth counts, since when is said in words."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.dashboard.catalogue import Catalogue
from services.dashboard.numbers import Counts
from services.dashboard.ranking import Judge
from services.dashboard.scope import Scope, nearest_window, range_of
from services.dashboard.since import Since, since_when
from services.dashboard.words import change_words, rule_label, since_words, without_ids
from streams.journey.blueprints import load
from tests.dashboard_fakes import NOW

CATALOGUE = Catalogue(load().source)
TODAY = date(2026, 3, 10)


def judge(active: int = 40, days: int = 7) -> Judge:
    return Judge(CATALOGUE, active, timedelta(days=days))


def test_the_blueprint_says_what_is_a_verdict_and_what_is_pain_by_being_there() -> None:
    assert set(CATALOGUE.verdicts) == {"nps_survey", "satisfaction_survey"}
    assert CATALOGUE.painful_by_definition == ("cancellation", "complaint", "status_page")
    assert "app_error" in CATALOGUE.tautologies
    assert not CATALOGUE.tautologies & {"support_ticket", "product_use", "pricing_page", "nps_survey"}


def test_a_survey_never_ranks_however_bad_it_is() -> None:
    burden = judge().burden("nps_survey", Counts(volume=50, friction=50, pain_sum=50.0, emotion_count=50), None, 30)
    assert (burden.weight, burden.severity) == (0.0, "verdict")


@pytest.mark.parametrize("kind", ["complaint", "cancellation", "status_page"])
def test_some_things_hurt_though_no_rule_fired(kind: str) -> None:
    burden = judge(active=10).burden(kind, Counts(volume=3), Counts(), 2)
    assert burden.pain == 3
    assert burden.severity in ("severe", "high")


def test_where_each_event_is_friction_an_account_counts_once() -> None:
    few = judge().burden("app_error", Counts(volume=500, friction=500, pain_sum=250.0), None, 2)
    many = judge().burden("app_error", Counts(volume=40, friction=40, pain_sum=20.0), None, 20)
    assert few.weight < many.weight
    ordinary = judge().burden("product_use", Counts(volume=900, friction=500, pain_sum=250.0), None, 2)
    assert ordinary.weight > few.weight, "the known-bad ranking, by volume"


def test_what_grows_ranks_above_what_shrinks() -> None:
    now, more, less = Counts(volume=90, friction=9, pain_sum=4.0), Counts(pain_sum=8.0), Counts(pain_sum=1.0)
    assert judge().burden("trial", now, less, 4).weight > judge().burden("trial", now, more, 4).weight


@pytest.mark.parametrize(
    ("counts", "severity"),
    [
        (Counts(), "unseen"),
        (Counts(volume=200), "unmeasured"),
        (Counts(volume=200, emotion_count=1, emotion_sum=0.4), "calm"),
        (Counts(volume=200, delight=1), "calm"),
        (Counts(volume=200, friction=1, pain_sum=0.4), "calm"),
        (Counts(volume=200, friction=9, pain_sum=4.0), "watch"),
        (Counts(volume=200, friction=30, pain_sum=12.0), "high"),
        (Counts(volume=200, friction=90, pain_sum=40.0), "severe"),
    ],
)
def test_nothing_is_calm_that_nobody_measured(counts: Counts, severity: str) -> None:
    assert judge().burden("trial", counts, None, 3).severity == severity


def test_a_longer_window_is_not_worse_by_being_longer() -> None:
    week = judge().burden("trial", Counts(volume=200, friction=30, pain_sum=12.0), None, 3)
    month = judge(days=28).burden("trial", Counts(volume=800, friction=120, pain_sum=48.0), None, 3)
    assert week.severity == month.severity


def series(*last: float, usual: float = 0.0) -> list[float]:
    return [usual] * (30 - len(last)) + list(last)


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (series(0, 0, 3, 2, 4), "since 8 Mar"),
        (series(5), "since today"),
        (series(4, 0, 5), "since 8 Mar"),
        (series(3, 4, 0, 0, 0), "hurt until 7 Mar"),
        (series(2, 2, 2, 2, 2, 2, 2, 2, 2), "since 2 Mar"),
        (series(usual=1.0), ""),
        (series(1, 1, 9, usual=1.0), "since today"),
        ([4.0] * 30, ""),
        ([4.0, 0.0, 0.0] * 10, ""),
    ],
)
def test_since_when_is_said_in_words(days: list[float], words: str) -> None:
    assert since_words(since_when(days, TODAY, 7), TODAY) == words


def test_for_a_whole_month() -> None:
    assert since_words(Since(date(2026, 2, 9), True), TODAY) == "for 30 days or more"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 50), min_size=30, max_size=30), st.integers(1, 30))
def test_it_begins_on_a_painful_day_that_is_looked_at_and_ends_after_it(days: list[float], window: int) -> None:
    found = since_when(days, TODAY, window)
    if found.day is None:
        return
    assert days[29 - (TODAY - found.day).days] > 0
    assert found.over is None or found.day <= found.over <= TODAY - timedelta(days=3)


@pytest.mark.parametrize(
    ("now", "before", "words"),
    [
        (82, 10, "8.2× from 10"),
        (10, 10.2, "as before"),
        (4, 0, "new"),
        (0, 0, ""),
        (4, None, ""),
        (4, 10, "down 60% from 10"),
        (12, 10, "up 20% from 10"),
    ],
)
def test_a_change_is_told_with_what_it_was(now: float, before: float | None, words: str) -> None:
    assert change_words(now, before) == words


def test_every_rule_of_friction_that_ships_has_words() -> None:
    shipped = [rule for rule in load().source.rules if rule.polarity == "friction" and rule.pattern != "compound"]
    assert [
        rule.id for rule in shipped if "_" in rule.id and rule_label(rule.id) == rule.id.replace("_", " ").capitalize()
    ] == []


def test_what_is_compared_never_reaches_into_the_window() -> None:
    for window in ("1h", "24h", "7d", "30d", "90d"):
        span = range_of(window, NOW)
        for compare in ("before", "4w", "1y"):
            earlier = span.compared(compare)
            assert earlier.length == span.length
            assert earlier.until < span.since
    assert nearest_window(NOW - timedelta(days=3), NOW) == "7d"
    assert nearest_window(NOW - timedelta(days=300), NOW) == "all"
    assert Scope("7d", owner="Sales", compare="4w").query() == "window=7d&compare=4w&owner=Sales"


def test_parts_of_a_compound_signal_are_named_in_words() -> None:
    said = "struggled with one thing, 2 signals: client_error, not_found"
    assert without_ids(said) == "struggled with one thing, 2 signals: errors shown on screen, pages not found"
    assert without_ids("no answer to not_found_team within 2 days") == "no answer to not_found_team within 2 days"
