"""How long a consumer's fetches wait at the broker: long at rest, and never where that would delay a record."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.protocol.fetch import FetchRequest, FetchRequest_v11
from aiokafka.protocol.offset import OffsetRequest

from schemas.config import KafkaConfig
from services.sink.health import SinkHealth
from services.sink.main import _consumer as sink_consumer
from streams.runtime.idle_polling import ALONE_WAIT_MS, FIRST_WAIT_MS, GROUP_WAIT_MS, LOOK_S, Patience
from streams.runtime.kafka import broadcast_consumer, group_consumer

A, B, FAR = TopicPartition("t", 0), TopicPartition("t", 1), TopicPartition("t", 2)
LEADERS = {A: 1, B: 1, FAR: 2}


class Kafka:
    """A client and the broker behind it: notes for how long each fetch may wait, and answers with `records`."""

    def __init__(self) -> None:
        self.waits_ms: list[int] = []
        self.records: dict[TopicPartition, bytes] = {}
        self.code = 0
        self.cluster = SimpleNamespace(leader_for_partition=LEADERS.get)

    async def send(self, _node: int, request: Any, **_: Any) -> Any:
        if not isinstance(request, FetchRequest):
            return "else"
        self.waits_ms.append(request.build(FetchRequest_v11).max_wait_time)  # what goes over the wire
        found = [
            (number, self.code, 0, 0, 0, None, -1, self.records.get(TopicPartition("t", number), b""))
            for _, asked in request.topics
            for number, *_ in asked
        ]
        return SimpleNamespace(topics=[("t", found)])


class Consumer:
    def __init__(self, kafka: Kafka) -> None:
        self._client, self.assigned = kafka, {A, B, FAR}

    def assignment(self) -> set[TopicPartition]:
        return self.assigned


def asked_of(*places: TopicPartition) -> FetchRequest:
    return FetchRequest(500, 1, 1 << 20, 0, [("t", [(place.partition, 0, 1 << 20) for place in places])])


def waits(kafka: Kafka, consumer: Consumer, *fetches: tuple[TopicPartition, ...]) -> list[int]:
    """What fetches of these partitions, one after the other, may wait."""
    patience = Patience(consumer, 1_000)

    async def fetch() -> None:
        for places in fetches:
            kafka.records = {} if FAR in places or B in places else kafka.records
            await patience.send(LEADERS[places[0]], asked_of(*places))

    asyncio.run(fetch())
    return kafka.waits_ms


def test_a_quiet_consumer_asks_half_as_often_each_time_up_to_its_bound() -> None:
    kafka = Kafka()
    assert waits(kafka, Consumer(kafka), *[(A, B)] * 6) == [100, 200, 400, 800, 1_000, 1_000]


def test_a_fetch_that_leaves_a_partition_out_comes_back_soon_whatever_was_before() -> None:
    kafka = Kafka()
    assert waits(kafka, Consumer(kafka), (A, B), (A, B), (B,), (B,), (A, B)) == [100, 200, 100, 100, 400]


def test_a_record_ends_the_rest_and_so_does_an_error() -> None:
    kafka, consumer = Kafka(), None
    consumer = Consumer(kafka)
    patience = Patience(consumer, 1_000)

    async def fetch() -> None:
        for records, code in ((b"", 0), (b"", 0), (b"x", 0), (b"", 0), (b"", 0), (b"", 6), (b"", 0)):
            kafka.records, kafka.code = {A: records}, code
            await patience.send(1, asked_of(A, B))

    asyncio.run(fetch())
    assert kafka.waits_ms == [100, 200, 400, 100, 200, 400, 100]


def test_each_broker_is_waited_for_by_itself() -> None:
    kafka = Kafka()
    assert waits(kafka, Consumer(kafka), (A, B), (FAR,), (A, B), (FAR,)) == [100, 100, 200, 200]


def test_what_is_no_fetch_passes() -> None:
    kafka = Kafka()
    patience = Patience(Consumer(kafka), 1_000)
    assert asyncio.run(patience.send(1, OffsetRequest(-1, 0, []))) == "else"
    assert kafka.waits_ms == []


@pytest.mark.parametrize("kind", ["alone", "group", "sink"])
def test_every_consumer_of_ours_is_patient(kind: str) -> None:
    """Ten fetches a second of each, all day, were a third of what the tree cost at rest."""

    async def longest() -> int:
        kafka = KafkaConfig()
        made: Any = {
            "alone": lambda: broadcast_consumer(kafka, "c"),
            "group": lambda: group_consumer(kafka, "g", role="r"),
            "sink": lambda: sink_consumer(kafka, lambda _: None, SinkHealth(lambda: None)),  # type: ignore[arg-type, return-value]
        }[kind]()
        found = _patience_behind(made._client.send.__self__)
        assert made._consumer_timeout == LOOK_S
        made._closed = True  # it was never started, and would warn that it is not stopped
        return found._longest_ms

    assert asyncio.run(longest()) == {"alone": ALONE_WAIT_MS}.get(kind, GROUP_WAIT_MS)
    assert FIRST_WAIT_MS < GROUP_WAIT_MS < ALONE_WAIT_MS


def _patience_behind(stands: Any) -> Patience:
    """The sink's guard stands before it."""
    return stands if isinstance(stands, Patience) else stands._send.__self__
