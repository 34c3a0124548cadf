"""The watchdog ends a process that is stuck, and only that."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from threading import Event
from typing import Any

import pytest

from streams.processors import waits
from streams.processors.history import Histories
from streams.processors.shell import Stage
from streams.processors.watchdog import LOOK_EVERY_S, STALL_S, Watchdog
from streams.runtime.metrics import NoMetrics


def _watchdog() -> tuple[Watchdog, Stage]:
    outbox: Any = None
    stage = Stage("test", outbox, NoMetrics(), lambda why: None)
    stage.moved_at = 0.0
    watchdog = Watchdog(stage, dict, NoMetrics(), lambda why: None)
    watchdog._quiet_since = 0.0
    return watchdog, stage


def test_input_that_waits_while_nothing_moves_is_a_stall() -> None:
    watchdog, _ = _watchdog()
    assert not watchdog.stalled(True, STALL_S - 1)
    assert watchdog.stalled(True, STALL_S + 1)


def test_no_input_is_no_stall() -> None:
    watchdog, _ = _watchdog()
    assert not watchdog.stalled(False, 10 * STALL_S)
    assert not watchdog.stalled(True, 10 * STALL_S + 1)


def test_an_ack_is_movement() -> None:
    watchdog, stage = _watchdog()
    stage.moved_at = STALL_S
    assert not watchdog.stalled(True, STALL_S + 1)


def test_waiting_for_a_store_that_is_away_is_no_stall() -> None:
    watchdog, stage = _watchdog()
    stage.waits.wait("refolds", "ClickHouse is away")
    assert not watchdog.stalled(True, 10 * STALL_S)


async def test_a_store_that_hangs_is_waited_for_knowingly(monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers nothing and closes nothing, as a process that was stopped; said before the watchdog loses patience."""
    monkeypatch.setattr(waits, "PATIENCE_S", 0.01)
    watchdog, stage = _watchdog()
    answer = Event()

    class Hanging:
        def rows(self, sql: str, parameters: Mapping[str, object] | None = None) -> list[dict[str, Any]]:
            answer.wait(30)
            return []

    asking = asyncio.create_task(Histories(Hanging(), waits=stage.waits).existing(["a"]))
    try:
        async with asyncio.timeout(10):
            while not stage.waits:
                await asyncio.sleep(0.005)
        assert stage.waits.what == "ClickHouse, which has not answered for 0 s"
        assert not watchdog.stalled(True, 10 * STALL_S)
    finally:
        answer.set()
    assert await asking == set()
    assert not stage.waits
    assert watchdog.stalled(True, 11 * STALL_S + 1)  # the control: answered, and still nothing moves


def test_the_watchdog_has_more_patience_than_those_who_wait() -> None:
    assert waits.PATIENCE_S + LOOK_EVERY_S < STALL_S


def test_a_wait_that_is_over_for_one_is_not_over_for_another_and_once_over_hides_no_stall() -> None:
    watchdog, stage = _watchdog()
    stage.waits.wait("refolds", "ClickHouse is away")
    stage.waits.wait("input", "ClickHouse is away")
    stage.waits.go_on("input")
    assert not watchdog.stalled(True, 10 * STALL_S)
    assert stage.waits.what == "ClickHouse is away"
    stage.waits.go_on("refolds")
    assert watchdog.stalled(True, 11 * STALL_S + 1)
