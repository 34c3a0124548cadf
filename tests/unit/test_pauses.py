"""Pauses of a process: they are measured where they happen, and the garbage collector's do not grow with what stays."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterator

import pytest

from streams.runtime import garbage, pauses
from streams.runtime.garbage import settle
from streams.runtime.metrics import Metrics, NoMetrics
from streams.runtime.metrics_server import OpsServer
from streams.runtime.pauses import REMEMBERED_S, Pauses
from tests.virtual_time import in_virtual_time


def value(metrics: Metrics, name: str, **labels: str) -> float:
    return metrics.registry.get_sample_value(name, labels) or 0.0


def test_a_loop_that_stood_is_remembered_for_a_minute() -> None:
    watch = Pauses(NoMetrics())
    watch.note(100.0, 24.0)
    watch.note(101.0, 3.0)
    watch.note(102.0, 0.01)
    assert watch.longest_s(102.0) == 24.0
    assert watch.longest_s(100.5 + REMEMBERED_S) == 3.0
    assert watch.longest_s(102.5 + REMEMBERED_S) == 0.0


def test_what_loading_took_makes_nobody_unhealthy_once_all_is_loaded() -> None:
    watch = Pauses(NoMetrics())
    watch.note(105.0, 4.5)  # from 100.5 on
    assert watch.longest_s(106.0, since_s=104.9) == 0.0
    watch.note(109.0, 3.0)
    assert watch.longest_s(110.0, since_s=104.9) == 3.0


async def test_every_process_with_metrics_tells_how_long_its_loop_stood_and_what_garbage_took() -> None:
    metrics = Metrics()
    async with OpsServer(metrics, lambda: (True, {}), port=0) as ops:
        await asyncio.sleep(0)
        gc.collect()
        time.sleep(3 * pauses.NOTED_S)  # noqa: ASYNC251  it is to stand
        await asyncio.sleep(0.05)
        assert ops.pauses.longest_s(time.monotonic()) > pauses.NOTED_S
        stood = value(metrics, "touchline_loop_lag_seconds_sum")
        assert stood > pauses.NOTED_S
        assert value(metrics, "touchline_gc_pause_seconds_count", generation="2") >= 1
    await asyncio.sleep(0)
    assert ops.pauses._collecting not in gc.callbacks, "nothing stays behind"


@in_virtual_time
async def test_at_rest_it_looks_twice_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(time, "monotonic", loop.time)
    metrics = Metrics()
    watching = asyncio.create_task(Pauses(metrics).run())
    await asyncio.sleep(60)
    watching.cancel()
    assert value(metrics, "touchline_loop_lag_seconds_count") < 60 / pauses.LOOK_S[1] + 10


@pytest.fixture
def _as_before() -> Iterator[None]:
    threshold, callbacks = gc.get_threshold(), list(gc.callbacks)
    yield
    gc.set_threshold(*threshold)
    gc.callbacks[:] = callbacks
    gc.unfreeze()


class _Cycle:
    def __init__(self) -> None:
        self.me = self


def looked_at_again(monkeypatch: pytest.MonkeyPatch, *, freezes: bool) -> int:
    """How many objects that have survived two looks are there still to be looked at."""
    monkeypatch.setattr(garbage, "_MIDDLE", 1 if freezes else -1)
    monkeypatch.setattr(garbage, "YOUNG_OBJECTS", 1_000)
    settle()
    state = [{"n": [n]} for n in range(20_000)]
    gc.collect(1)
    return len(gc.get_objects(generation=2)) if state else 0


@pytest.mark.usefixtures("_as_before")
def test_what_has_survived_is_never_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    gc.collect()
    assert looked_at_again(monkeypatch, freezes=True) < 1_000
    assert looked_at_again(monkeypatch, freezes=False) > 20_000, "known bad: the next look at all is at this, too"


@pytest.mark.usefixtures("_as_before")
def test_cycles_that_are_young_are_still_found() -> None:
    settle()
    cycles = [_Cycle() for _ in range(500)]
    del cycles
    gc.collect(0)
    assert not [one for one in gc.get_objects() if isinstance(one, _Cycle)]
