"""How long the sink collects: briefly while little comes, longer while much does or nobody looks, never for long."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from aiokafka import TopicPartition

from schemas.incidents import DELIVERIES, Delivery
from services.sink.batch import Batch
from services.sink.cadence import COLLECT_MAX_S, COLLECT_S, LITTLE_ITEMS, LOOKED_S, UNSEEN_ITEMS, UNSEEN_S, Cadence
from services.sink.health import SinkHealth
from services.sink.loop import FEW_ITEMS, LAST_LOOK_S, SinkLoop
from streams.runtime.metrics import NoMetrics
from tests.virtual_time import in_virtual_time

SEEN = 0.0


@pytest.mark.parametrize(
    ("items", "collect_s"),
    [(0, COLLECT_S), (1100, COLLECT_S), (1500, 0.6), (2000, COLLECT_MAX_S), (10_000, COLLECT_MAX_S)],
)
def test_it_collects_longer_after_a_large_batch(items: int, collect_s: float) -> None:
    cadence = Cadence()
    cadence.stored(items, SEEN)
    assert cadence.collect_s() == pytest.approx(collect_s)


def test_one_large_batch_is_forgotten() -> None:
    cadence = Cadence()
    cadence.stored(10_000, SEEN)
    cadence.stored(100, SEEN)
    assert cadence.collect_s() == COLLECT_S


@pytest.mark.parametrize(("items_per_s", "collect_s"), [(1600, COLLECT_S), (4000, COLLECT_MAX_S)])
def test_it_settles(items_per_s: int, collect_s: float) -> None:
    """1,600 items are what 1,000 events a second come to, whose map must be fresh; here storing takes 0.25 s."""
    cadence = Cadence()
    for _ in range(20):
        cadence.stored(round(items_per_s * (cadence.collect_s() + 0.25)), SEEN)
    assert cadence.collect_s() == collect_s


@pytest.mark.parametrize(
    ("looked_s", "collect_s"),
    [(None, COLLECT_S), (0.0, COLLECT_S), (LOOKED_S - 0.1, COLLECT_S), (LOOKED_S, UNSEEN_S), (1e6, UNSEEN_S)],
)
def test_it_collects_longer_while_nobody_looks_and_not_where_that_is_not_known(
    looked_s: float | None, collect_s: float
) -> None:
    cadence = Cadence()
    assert cadence.collect_s() == COLLECT_S
    cadence.stored(10, looked_s)
    assert cadence.collect_s() == collect_s
    cadence.stored(10, SEEN)
    assert cadence.collect_s() == COLLECT_S


def test_who_has_much_at_hand_does_not_wait_because_nobody_looks() -> None:
    cadence = Cadence()
    cadence.stored(10_000, LOOKED_S)
    assert cadence.collect_s(UNSEEN_ITEMS - 1) == UNSEEN_S
    assert cadence.collect_s(UNSEEN_ITEMS) == COLLECT_MAX_S


class Record:
    """A record of the delivery log with so many lines."""

    topic, partition, offset = "d", 0, 0

    def __init__(self, items: int) -> None:
        line = Delivery(
            at=datetime.now(UTC),
            notice_id="n",
            incident_id="i",
            account_id="a",
            policy="p",
            kind="opened",
            level="high",
            channel="c",
            outcome="sent",
            attempt=1,
            answer="",
        )
        self.value = DELIVERIES.dump_json([line] * items)


class Consumer:
    """A record with so many items comes every so many seconds; one is at hand, as the fetch that ran brought it."""

    def __init__(self, every_s: float, items: int) -> None:
        self.asked = 0
        self._every_s, self._items = every_s, items
        self._taken, self._began_s = 0, asyncio.get_running_loop().time()

    def _come(self) -> int:
        return int((asyncio.get_running_loop().time() - self._began_s) / self._every_s)

    async def getmany(self, *, timeout_ms: int, max_records: int) -> dict[TopicPartition, Sequence[Record]]:
        self.asked += 1
        until = asyncio.get_running_loop().time() + timeout_ms / 1000
        while self._come() <= self._taken and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(0.01)
        count, self._taken = min(self._come() - self._taken, max_records), min(self._come(), self._taken + max_records)
        return {TopicPartition("d", 0): [Record(self._items)] * count} if count else {}


async def collected(consumer: Consumer, looked_s: float | None = SEEN, last: int = 0) -> tuple[Batch, float, SinkLoop]:
    """A batch, and how long it took from its first record on."""
    nobody: Any = None
    loop = SinkLoop(
        consumer,
        nobody,
        nobody,
        topics={"d": "deliveries"},
        meter=NoMetrics(),
        health=SinkHealth(lambda: datetime.now(UTC)),
    )
    loop._cadence.stored(last, looked_s)

    async def unbroken(*_: object) -> None:
        return None

    loop._check_continuity = unbroken  # type: ignore[assignment, method-assign]
    began = asyncio.get_running_loop().time()
    batch = await loop._collect()
    return batch, asyncio.get_running_loop().time() - began, loop


@in_virtual_time
async def test_where_little_comes_kafka_is_asked_once_more_just_before_the_end() -> None:
    consumer = Consumer(every_s=0.04, items=1)
    batch, took_s, _ = await collected(consumer)
    assert took_s == pytest.approx(0.04 + COLLECT_S, abs=0.02)
    assert batch.records == pytest.approx(COLLECT_S / 0.04, abs=2)
    assert consumer.asked <= 3 + LAST_LOOK_S / 0.04 + 1 < batch.records


@in_virtual_time
async def test_where_much_comes_it_is_read_as_it_comes() -> None:
    consumer = Consumer(every_s=0.04, items=FEW_ITEMS + 1)
    batch, _, _ = await collected(consumer)
    assert consumer.asked >= batch.records


@in_virtual_time
async def test_after_a_batch_of_much_it_is_read_as_it_comes() -> None:
    consumer = Consumer(every_s=0.04, items=1)
    batch, _, _ = await collected(consumer, last=LITTLE_ITEMS + 1)
    assert consumer.asked >= batch.records
    consumer = Consumer(every_s=0.04, items=1)
    batch, _, _ = await collected(consumer, last=LITTLE_ITEMS)
    assert consumer.asked < batch.records


@in_virtual_time
async def test_while_nobody_looks_a_batch_holds_more() -> None:
    batch, took_s, _ = await collected(Consumer(every_s=0.1, items=1), LOOKED_S)
    assert took_s == pytest.approx(0.1 + UNSEEN_S, abs=0.05)
    assert batch.records == pytest.approx(UNSEEN_S / 0.1, abs=2)


@in_virtual_time
async def test_a_stop_does_not_wait_for_what_little_may_come() -> None:
    consumer = Consumer(every_s=0.1, items=1)
    nobody: Any = None
    loop = SinkLoop(
        consumer, nobody, nobody, topics={}, meter=NoMetrics(), health=SinkHealth(lambda: datetime.now(UTC))
    )
    asyncio.get_running_loop().call_later(0.5, loop.stopping.set)
    began = asyncio.get_running_loop().time()
    await loop._leave_in_kafka(UNSEEN_S)
    assert asyncio.get_running_loop().time() - began == pytest.approx(0.5, abs=0.05)
