"""A worker that needs facts stored says so when the sink stands still, and takes only that for no stall."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError

from schemas.config import KafkaConfig
from streams.processors.progress import ASK_EVERY_S, SinkProgress
from streams.processors.shell import Stage
from streams.processors.waits import PATIENCE_S
from streams.processors.watchdog import LOOK_EVERY_S, STALL_S, Watchdog
from streams.runtime.metrics import NoMetrics

LONG_S = 3 * STALL_S


class World:
    """One partition of facts, a sink that may move, a clock that is turned by hand, and the watchdog that looks."""

    def __init__(self) -> None:
        self.now_s, self.sink_at, self.end, self.away = 1_000.0, 0, 100, False
        outbox: Any = None
        self.stage = Stage("journey", outbox, NoMetrics(), lambda why: None)
        self.watchdog = Watchdog(self.stage, dict, NoMetrics(), lambda why: None)
        self.progress = SinkProgress(KafkaConfig(), self.stage, self._ends)
        group: Any = self
        self.progress._progress = group

    async def committed(self, topic: str) -> dict[int, int]:
        if self.away:
            raise KafkaConnectionError
        return {0: self.sink_at}

    async def close(self) -> None:
        pass

    async def _ends(self) -> dict[int, int]:
        return {0: self.end}

    async def stalls_within(self, seconds: float, *, sink_moves: int = 0) -> bool:
        """Whether the watchdog ends the process within that time, input waiting and nothing being acked."""
        for _ in range(int(seconds / LOOK_EVERY_S)):
            self.now_s += LOOK_EVERY_S
            self.sink_at += sink_moves
            await self.progress.look()
            await asyncio.sleep(0)
            if self.watchdog.stalled(True, self.now_s):
                return True
        return False


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made: list[World] = []
    monkeypatch.setattr(time, "monotonic", lambda: made[0].now_s if made else 1_000.0)
    made.append(World())
    yield made[0]


async def needs(world: World, offset: int) -> asyncio.Task[None]:
    task = asyncio.create_task(world.progress.reached(0, offset))
    await asyncio.sleep(0)
    return task


async def test_a_sink_that_stands_still_is_waited_for_by_name_and_no_stall(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    task = await needs(world, 50)
    assert not await world.stalls_within(LONG_S)
    said = "the sink, which has stored journey.facts.v1 up to offset 0 of partition 0 and stands still; 50 is needed."
    assert world.stage.waits.what.startswith(said)
    assert len(caplog.messages) == 1, "once, however long it lasts"
    world.sink_at = 50
    await world.progress.look()
    await task
    assert not await world.stalls_within(PATIENCE_S)
    assert not world.stage.waits, "and it is over"


async def test_a_sink_that_moves_is_work_that_goes_on(world: World) -> None:
    task = await needs(world, 99)
    assert not await world.stalls_within(LONG_S, sink_moves=1)
    assert not world.stage.waits
    task.cancel()


async def test_a_need_that_kafka_cannot_meet_is_a_stall(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """The facts topic lost its end: whatever the sink does, it never comes there."""
    task = await needs(world, 101)
    assert await world.stalls_within(ASK_EVERY_S + STALL_S + 2 * LOOK_EVERY_S, sink_moves=1)
    assert len([line for line in caplog.messages if "lacks facts" in line]) == 1
    task.cancel()


async def test_without_a_need_a_standstill_is_a_stall_though_the_sink_stands_still_too(world: World) -> None:
    assert await world.stalls_within(STALL_S + 2 * LOOK_EVERY_S)


async def test_a_need_that_is_met_at_once_hides_no_stall(world: World) -> None:
    world.sink_at = 50
    await world.progress.look()
    await (await needs(world, 50))
    assert await world.stalls_within(STALL_S + 2 * LOOK_EVERY_S)


async def test_kafka_that_does_not_say_is_waited_for_while_somebody_needs_it(world: World) -> None:
    world.away = True
    await world.progress.look()
    assert not world.stage.waits, "nobody needs it"
    task = await needs(world, 50)
    assert not await world.stalls_within(LONG_S)
    assert world.stage.waits.what.startswith("Kafka, which does not say how far the sink is")
    world.away, world.sink_at = False, 50
    await world.progress.look()
    await task
    assert not world.stage.waits
