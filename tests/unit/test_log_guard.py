"""The guard between a consumer and Kafka, with a Kafka that says what each test wants."""

from __future__ import annotations

import asyncio
import struct
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.protocol.commit import OffsetFetchRequest
from aiokafka.protocol.fetch import FetchRequest

from streams.runtime import log_guard
from streams.runtime.lineage import Mark
from streams.runtime.log_guard import Broken, LogGuard, guard

A, B = TopicPartition("t", 0), TopicPartition("t", 1)
OUT_OF_RANGE, NO_TOPIC = 1, 3


class Kafka:
    """A consumer's client and the broker behind it. `ends`: per partition epoch → where it ended."""

    def __init__(self) -> None:
        self.topic_id, self.is_there, self.first = b"i" * 16, True, 0
        self.committed: dict[TopicPartition, tuple[int, str]] = {}
        self.ends: dict[TopicPartition, dict[int, int]] = {A: {}, B: {}}
        self.commits: list[dict[TopicPartition, tuple[int, Mark]]] = []
        self.answer: list[tuple[int, int, bytes]] = []
        self.cluster = SimpleNamespace(leader_for_partition=lambda _partition: 1)
        self.asked = 0

    async def send(self, _node: int, request: Any, **_: Any) -> Any:
        if isinstance(request, FetchRequest):
            found = [(number, code, 0, 0, 0, None, -1, records) for number, code, records in self.answer]
            return SimpleNamespace(topics=[("t", found)])
        if isinstance(request, OffsetFetchRequest):
            found_too = [(tp.partition, offset, text, 0) for tp, (offset, text) in self.committed.items()]
            return SimpleNamespace(topics=[("t", found_too)])
        self.asked += 1
        if request.API_KEY == 3:
            return SimpleNamespace(topics=[(0 if self.is_there else NO_TOPIC, "t", self.topic_id, False, [], 0, {})])
        ((_, ((number, _, epoch),)),) = request._topics
        known = max((e for e in self.ends[TopicPartition("t", number)] if e <= epoch), default=-1)
        end = self.ends[TopicPartition("t", number)].get(known, -1)
        return SimpleNamespace(topics=[("t", [(0, number, known, end)])])


class Consumer:
    """As much of one as the guard looks at."""

    def __init__(self, kafka: Kafka) -> None:
        self._client, self._group_id, self.kafka = kafka, "g", kafka

    async def commit(self, offsets: dict[TopicPartition, Any]) -> None:
        self.kafka.commits.append({tp: (given.offset, Mark.read(given.metadata)) for tp, given in offsets.items()})

    async def beginning_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, self.kafka.first)


class Case:
    def __init__(self) -> None:
        self.kafka = Kafka()
        self.consumer: Any = Consumer(self.kafka)
        self.told: list[list[Broken]] = []
        self.guard: LogGuard = guard(self.consumer, self.told.append)

    async def resume(self, **committed: tuple[int, Mark]) -> None:
        places = {"a": A, "b": B}
        self.kafka.committed = {places[name]: (at, mark.text()) for name, (at, mark) in committed.items()}
        await self.guard.send(1, OffsetFetchRequest("g", [("t", [0, 1])]))

    async def fetch(self, answer: list[tuple[int, int, bytes]], *positions: int) -> bool:
        """Whether the consumer gets to see it."""
        self.kafka.answer = answer
        asked = [("t", [(number, position, 1) for number, position in enumerate(positions)])]
        request = FetchRequest(1, 1, 1, 0, asked)
        try:
            await asyncio.wait_for(self.guard.send(1, request), 0.2)
        except TimeoutError:
            return False
        return True


@pytest.fixture
def case() -> Case:
    return Case()


def batch(first: int, epoch: int, records: int = 1) -> bytes:
    return struct.pack(">qii", first, 40, epoch) + b"\0" * 36 + b"" * records


ID = (b"i" * 16).hex()


async def test_a_commit_says_the_epoch_of_the_record_before_it(case: Case) -> None:
    assert await case.fetch([(0, 0, batch(0, 2) + batch(5, 3))], 0)
    await case.consumer.commit({A: 5})
    await case.consumer.commit({A: (6, "")})
    assert [commit[A] for commit in case.kafka.commits] == [(5, Mark(2, ID)), (6, Mark(3, ID))]


async def test_a_log_in_order_is_asked_about_once_and_after_each_new_leader(case: Case) -> None:
    case.kafka.ends[A] = {2: 10, 3: 30}
    await case.resume(a=(8, Mark(2, ID)))
    for position, epoch, wanted in ((8, 2, 2), (9, 2, 2), (10, 3, 4), (11, 3, 4)):
        assert await case.fetch([(0, 0, batch(position, epoch))], position)
        assert case.kafka.asked == wanted
    assert case.told == []


async def test_all_broken_logs_of_a_fetch_go_back_in_one_commit(case: Case) -> None:
    case.kafka.ends = {A: {2: 6, 4: 9}, B: {1: 3, 4: 20}}
    await case.resume(a=(8, Mark(2, ID)), b=(9, Mark(2, ID)))
    assert not await case.fetch([(0, 0, batch(8, 4)), (1, OUT_OF_RANGE, b"")], 8, 9)
    ((a, b),) = case.told
    assert (a.partition, a.back.resumed, b.partition, b.back.resumed) == (A, 6, B, 3)
    assert {tp: (offset, mark.epoch) for tp, (offset, mark) in case.kafka.commits[0].items()} == {A: (6, 2), B: (3, 1)}


async def test_nothing_more_is_committed_to_a_broken_log(case: Case) -> None:
    case.kafka.ends[A] = {2: 6, 4: 9}
    await case.resume(a=(8, Mark(2, ID)))
    assert not await case.fetch([(0, 0, batch(8, 4))], 8)
    await case.consumer.commit({A: 9, B: 1})
    await case.consumer.commit({A: 10})
    assert [set(commit) for commit in case.kafka.commits] == [{A}, {B}]


async def test_a_commit_that_fails_does_not_keep_the_process_from_starting_afresh(case: Case) -> None:
    async def refuse(_offsets: object) -> None:
        raise KafkaError("rebalancing")

    case.guard._commit = refuse
    case.kafka.ends[A] = {2: 6}
    await case.resume(a=(8, Mark(2, ID)))
    assert not await case.fetch([(0, OUT_OF_RANGE, b"")], 8)
    assert case.told


async def test_what_retention_took_is_not_a_lost_tail(case: Case) -> None:
    case.kafka.ends[A], case.kafka.first = {2: 50}, 50
    await case.resume(a=(8, Mark(2, ID)))
    assert await case.fetch([(0, OUT_OF_RANGE, b"")], 8)
    await case.resume(b=(8, Mark()))
    assert await case.fetch([(0, 0, b""), (1, OUT_OF_RANGE, b"")], 50, 8)
    assert case.told == []


async def test_a_topic_that_is_away_is_waited_for(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_guard, "RETRY_S", 0.01)
    case.kafka.ends[A] = {2: 8}
    await case.resume(a=(8, Mark(2, ID)))
    case.kafka.is_there = False
    assert not await case.fetch([(0, NO_TOPIC, b"")], 8)
    case.kafka.is_there = True
    assert await case.fetch([(0, 0, b"")], 8)
    assert case.told == []


async def test_another_topic_of_the_same_name_is_read_from_its_beginning(case: Case) -> None:
    case.kafka.ends[A] = {2: 80}
    await case.resume(a=(8, Mark(2, ID)))
    case.kafka.topic_id = b"j" * 16
    assert not await case.fetch([(0, 0, batch(8, 2))], 8)
    ((broken,),) = case.told
    assert broken.back.recreated and broken.back.resumed == 0 and "made again" in str(broken)


async def test_it_is_told_as_long_as_the_group_commits(case: Case) -> None:
    case.kafka.ends[A] = {2: 6, 4: 9}
    await case.resume(a=(8, Mark(2, ID)))
    assert not await case.fetch([(0, 0, batch(8, 4))], 8)
    after = Case()
    await after.resume(a=case.kafka.commits[0][A])
    assert "read again from offset 6 (had been at 8)" in after.guard.returns[0]
