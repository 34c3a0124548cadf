"""The benchmarks' own guards: a figure of a run that lost, doubled or invented something must not come out."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from benchmarks.figures import QUICK, Figure, table
from benchmarks.load import Bodies, Load, Sent
from benchmarks.window import Bench, Void, Window, _freshness, _lags
from tests.faults.kit.system import System

LOAD = Load(url="", key="", run="r1", rate_per_s=100, seconds=10, batch=2)
NOW_S = time.time()
SENT = Sent(started_at_s=NOW_S - 10, ended_at_s=NOW_S, acked_at_s=[NOW_S - 9, None, NOW_S - 7], batch=2, cpu_s=0.0)
ACKED = ["r1-0", "r1-1", "r1-4", "r1-5"]


class Shown(System):
    """A system that shows the given events, in the first slice it is asked for."""

    def __init__(self, ids: list[str]) -> None:
        self._ids = ids

    def rows(self, sql: str) -> list[dict[str, Any]]:
        found, self._ids = self._ids, []
        return [{"id": each} for each in found]


def test_a_run_that_shows_what_was_acked_is_not_void() -> None:
    Bench(Shown(ACKED), QUICK)._check(LOAD, SENT)


@pytest.mark.parametrize(
    ("ids", "said"),
    [(ACKED[1:], "1 acked events are not shown"), ([*ACKED, "r1-0"], "twice"), ([*ACKED, "r1-2"], "not acked")],
)
def test_a_run_that_lost_doubled_or_invented_is_void(ids: list[str], said: str) -> None:
    with pytest.raises(Void, match=said):
        Bench(Shown(ids), QUICK)._check(LOAD, SENT)


@pytest.mark.parametrize(("shown_per_s", "sustained"), [(100, True), (90, False)])
def test_a_rate_is_sustained_only_while_the_lag_does_not_grow(shown_per_s: int, sustained: bool) -> None:
    sent = Sent(started_at_s=100, ended_at_s=110, acked_at_s=[101.0], batch=2, cpu_s=0)
    volumes = [(100.0 + second, 7 + second * shown_per_s) for second in range(14)]
    lags = _lags(volumes, 7, LOAD, sent, settle_s=2)
    assert [at for at, _ in lags] == list(range(2, 11))
    assert Window(100, sent, lags, [], 0, {}, {}).is_sustained is sustained


def test_a_refused_request_is_no_sustained_rate() -> None:
    assert not Window(100, SENT, [(1, 0), (2, 0), (3, 0)], [], 0, {}, {}).is_sustained


def test_a_marker_that_the_probe_never_saw_counts_as_endless() -> None:
    assert _freshness({0: NOW_S - 8.5}, SENT, settle_s=0) == [pytest.approx(0.5), math.inf]


def test_ids_follow_the_number_of_the_request_whoever_sends_it() -> None:
    bodies, now = Bodies(LOAD), datetime.now(UTC)
    batches = [orjson.loads(bodies.body(number, now))["batch"] for number in (3, 1)]
    assert [[message["messageId"] for message in batch] for batch in batches] == [["r1-6", "r1-7"], ["r1-2", "r1-3"]]


def test_the_table_is_markdown() -> None:
    lines = table([Figure("a", "b", "c", "d")]).splitlines()
    assert [line.count("|") for line in lines] == [5, 5, 5]
