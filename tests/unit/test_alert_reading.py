"""How the alerts read facts: few are read and committed with those of the next moment, many as they come."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from aiokafka import TopicPartition

from schemas.facts import FACTS
from services.alerting.watcher import FEW_RECORDS, GATHER_S, Watcher
from streams.incidents.rhythm import Rhythms
from streams.runtime.metrics import NoMetrics
from tests.virtual_time import in_virtual_time

PLACE = TopicPartition("journey.facts.v1", 0)
NOTHING = FACTS.dump_json([])


class Record:
    value = NOTHING

    def __init__(self, offset: int) -> None:
        self.offset = offset


class Consumer:
    """A record comes every so many seconds, after those that were there before."""

    def __init__(self, every_s: float, before: int = 0) -> None:
        self.asked, self._every_s, self._taken, self._before = 0, every_s, 0, before
        self.meanwhile: Any = lambda: None

    async def getmany(self, *, timeout_ms: int, max_records: int) -> Mapping[TopicPartition, Sequence[Record]]:
        self.asked += 1
        if self.asked == 2:
            self.meanwhile()
        await asyncio.sleep(timeout_ms / 1000)
        there = self._before + int(asyncio.get_running_loop().time() / self._every_s)
        found = [Record(offset) for offset in range(self._taken, min(there, self._taken + max_records))]
        self._taken += len(found)
        return {PLACE: found} if found else {}

    def highwater(self, place: TopicPartition) -> int:
        return self._taken


def watcher(consumer: Consumer) -> Watcher:
    nobody: Any = None
    return Watcher(
        consumer,
        nobody,
        nobody,
        nobody,
        route=lambda message: (),
        places=nobody,
        rhythms=Rhythms(),
        meter=NoMetrics(),
        clock=lambda: datetime.now(UTC),
    )


@in_virtual_time
async def test_few_are_committed_with_those_of_the_next_moment() -> None:
    consumer = Consumer(every_s=0.05)
    read = await watcher(consumer)._read()
    took_s = asyncio.get_running_loop().time()
    assert took_s == pytest.approx(0.2 + GATHER_S, abs=0.05)
    assert read == {PLACE: int(took_s / 0.05)}
    assert consumer.asked == 3


@in_virtual_time
async def test_many_are_handled_as_they_come() -> None:
    consumer = Consumer(every_s=1.0, before=FEW_RECORDS + 1)
    assert await watcher(consumer)._read() == {PLACE: FEW_RECORDS + 1}
    assert consumer.asked == 1


@in_virtual_time
async def test_where_nothing_comes_nothing_is_waited_for() -> None:
    consumer = Consumer(every_s=1.0)
    assert await watcher(consumer)._read() == {}
    assert consumer.asked == 1


@in_virtual_time
async def test_facts_that_come_with_a_change_of_hands_are_left_to_their_next_owner() -> None:
    consumer = Consumer(every_s=0.05)
    watching = watcher(consumer)
    taken: list[int] = []
    watching._take = lambda value, partition: taken.append(partition)  # type: ignore[method-assign]
    consumer.meanwhile = lambda: watching._fresh.add(PLACE)
    read = await watching._read()
    assert read == {PLACE: len(taken)} == {PLACE: 4}


@in_virtual_time
async def test_a_stop_ends_the_moment() -> None:
    consumer = Consumer(every_s=0.05)
    watching = watcher(consumer)
    asyncio.get_running_loop().call_later(0.25, watching.stopping.set)
    await watching._read()
    assert asyncio.get_running_loop().time() < 0.2 + GATHER_S - 0.05
