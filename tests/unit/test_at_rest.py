"""What a process does while nothing comes, counted by a clock that jumps: each wake-up costs something all day long.

And what comes is still taken up at once: whoever rests is woken, and does not look at the clock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import uvicorn
from aiokafka import TopicPartition

from schemas.config import KafkaConfig
from services.common.server import UnsignalledServer
from streams.journey.causes import LATE
from streams.processors.links import LinksReader, RecallLeader
from streams.processors.memory import Memory
from streams.processors.progress import SinkProgress
from streams.processors.refold import Refolds
from streams.processors.waits import Waits
from streams.runtime.metrics import NoMetrics
from tests.virtual_time import in_virtual_time

HOUR_S = 3600.0
KAFKA = KafkaConfig()


async def running(task: Callable[[], Coroutine[Any, Any, object]], then: Coroutine[Any, Any, None]) -> None:
    """Do `then` while the task runs."""
    beside = asyncio.create_task(task())
    try:
        await then
    finally:
        beside.cancel()
        with suppress(asyncio.CancelledError):
            await beside


def clock_s() -> float:
    return asyncio.get_running_loop().time()


class Group:
    """The sink's group: where it stands, and how often that was asked."""

    def __init__(self) -> None:
        self.at, self.asked_at = 0, list[float]()

    async def committed(self, topic: str) -> dict[int, int]:
        self.asked_at.append(clock_s())
        return {0: self.at}

    async def close(self) -> None: ...


@in_virtual_time
async def test_a_sink_that_stands_is_asked_ever_less_often_and_at_once_when_somebody_needs_it() -> None:
    async def ends() -> dict[int, int]:
        return {0: 10}

    stage: Any = SimpleNamespace(waits=Waits(), moved=lambda: None)
    group, progress = Group(), SinkProgress(KAFKA, stage, ends)
    progress._progress = group  # type: ignore[assignment]

    async def rest() -> None:
        await asyncio.sleep(HOUR_S)
        assert len(group.asked_at) < HOUR_S / 8 + 10
        group.at, began_s = 5, clock_s()
        await progress.reached(0, 5)
        assert clock_s() - began_s < 0.2
        before = len(group.asked_at)
        await asyncio.sleep(1.5)
        assert len(group.asked_at) > before, "it has just moved, and may again"

    await running(progress.run, rest())


class Leader(SimpleNamespace):
    """The leader for recalls: a consumer that holds the links, and what is known and committed of them."""

    def __init__(self) -> None:
        super().__init__(looks=0, commits=[])
        self.reader = LinksReader(KAFKA, NoMetrics(), lambda _: None)
        outbox: Any = None
        self.leader = RecallLeader(KAFKA, self.reader, outbox, lambda _: None)
        self.place = TopicPartition("identity.links.v1", 0)
        self.leader._consumer, self.leader._sent = self, 0

    def assignment(self) -> set[TopicPartition]:
        self.looks += 1
        return {self.place}

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        self.commits.append((clock_s(), offsets[self.place]))


@in_virtual_time
async def test_recalls_are_sent_at_once_and_looked_for_seldom() -> None:
    one = Leader()

    async def rest() -> None:
        await asyncio.sleep(60)
        assert one.looks < 60 / 0.2
        began_s, one.reader.knowledge.position = clock_s(), 7
        await one.reader._announce()
        await asyncio.sleep(0.05)
        ((at_s, position),) = one.commits
        assert position == 7 and at_s - began_s < 0.05

    await running(one.leader.run, rest())


@in_virtual_time
async def test_refolds_wait_for_an_account_and_begin_with_it_at_once() -> None:
    memory, rests, refolded = Memory(10, 100, lambda *_: True), list[float](), list[float]()
    waits = SimpleNamespace(go_on=lambda _: rests.append(clock_s()), wait=lambda *_: None)
    parts: Any = SimpleNamespace(
        memory=memory, histories=None, mappings={}, progress=None, stage=SimpleNamespace(waits=waits)
    )
    refolds = Refolds(parts, debounce_s=0.1, meter=NoMetrics())

    async def refold(batch: dict[str, Any]) -> list[str]:
        refolded.append(clock_s())
        for account_id in batch:
            del memory.dirty[account_id]
        return []

    refolds._refold = refold  # type: ignore[method-assign, assignment]

    async def rest() -> None:
        await asyncio.sleep(60.3)
        assert len(rests) < 60 / 0.4
        began_s = clock_s()
        memory.mark_dirty("crm:1", LATE)
        await asyncio.sleep(0.2)
        assert [round(at - began_s, 3) for at in refolded] == [0.1], "only the time it gathers in"

    await running(refolds.run, rest())


class _Quiet(UnsignalledServer):
    """A server without a socket: what remains is looking whether it is to end."""

    def __init__(self) -> None:
        super().__init__(uvicorn.Config(lambda: None))
        self.looks = 0

    async def on_tick(self, counter: int) -> bool:
        self.looks += 1
        return self.should_exit


@in_virtual_time
async def test_a_server_looks_once_a_second_whether_it_is_to_end_and_is_told_at_once() -> None:
    server = _Quiet()
    serving = asyncio.create_task(server.main_loop())
    await asyncio.sleep(HOUR_S + 0.5)
    assert server.looks <= HOUR_S + 2
    began_s, server.should_exit = clock_s(), True
    await serving
    assert clock_s() == began_s
