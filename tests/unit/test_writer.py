"""Micro-batches: what shares a record, when it goes out, and that a busy topic lingers longer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass

import orjson

from schemas.topics import TopicName
from streams.runtime.writer import BUSY_ITEMS_PER_S, RecordWriter, partition_of
from tests.virtual_time import in_virtual_time

TOPIC: TopicName = "touchpoints.attributed.v1"
LINGER_S = 0.02
KEYS = {partition_of(key, 2): key for key in "abcdefgh"}
BUSY = int(BUSY_ITEMS_PER_S * LINGER_S)


@dataclass(frozen=True)
class Ack:
    offset: int


class Producer:
    """Takes every record and notes when, in turns of the loop's clock."""

    def __init__(self) -> None:
        self.sent: list[tuple[float, int, int]] = []

    async def send(self, topic: str, value: bytes, *, key: bytes | None, partition: int) -> Awaitable[Ack]:
        loop = asyncio.get_running_loop()
        self.sent.append((loop.time(), partition, len(orjson.loads(value))))
        done: asyncio.Future[Ack] = loop.create_future()
        done.set_result(Ack(len(self.sent) - 1))
        return done


def writer() -> tuple[RecordWriter, Producer]:
    producer = Producer()
    return RecordWriter(producer, lambda topic: 2, linger_s=LINGER_S), producer


@in_virtual_time
async def test_partitions_go_out_together() -> None:
    """So that the producer needs one request for them, though the second one's items came later."""
    records, producer = writer()
    first = records.put(TOPIC, KEYS[0], b"1")
    await asyncio.sleep(LINGER_S / 2)
    second = records.put(TOPIC, KEYS[1], b"2")
    await asyncio.gather(first, second)
    (at, *_), (then, *_) = producer.sent
    assert then - at < LINGER_S / 4


async def lingered_s(items: int, rest_s: float = 0.0) -> float:
    """How long an item lingers that comes after two batches of so many, with a rest between."""
    records, producer = writer()
    for _ in range(2):
        await asyncio.gather(*[records.put(TOPIC, KEYS[0], b"1") for _ in range(items)])
        await asyncio.sleep(rest_s)
    began = asyncio.get_running_loop().time()
    await records.put(TOPIC, KEYS[0], b"2")
    return producer.sent[-1][0] - began


@in_virtual_time
async def test_a_busy_topic_lingers_longer() -> None:
    assert await lingered_s(BUSY // 2) < 2 * LINGER_S
    assert await lingered_s(4 * BUSY) > 2 * LINGER_S


@in_virtual_time
async def test_a_burst_after_a_rest_is_not_busy() -> None:
    assert await lingered_s(4 * BUSY, rest_s=8 * LINGER_S) < 2 * LINGER_S


@in_virtual_time
async def test_hurry_waits_for_nothing() -> None:
    records, producer = writer()
    done = records.put(TOPIC, KEYS[0], b"1")
    records.hurry()
    began = asyncio.get_running_loop().time()
    await done
    assert asyncio.get_running_loop().time() - began < LINGER_S / 2
    await records.put(TOPIC, KEYS[0], b"2")
    assert [items for _, _, items in producer.sent] == [1, 1]


@in_virtual_time
async def test_in_a_compacted_topic_each_item_has_a_record_and_a_key_of_its_own() -> None:
    """Whatever comes together: else nothing could take the place of one of them, or empty it."""
    sent: list[tuple[bytes | None, bytes]] = []

    class Keyed(Producer):
        async def send(self, topic: str, value: bytes, *, key: bytes | None, partition: int) -> Awaitable[Ack]:
            sent.append((key, value))
            return await super().send(topic, value, key=key, partition=partition)

    records = RecordWriter(Keyed(), lambda topic: 1, linger_s=LINGER_S)
    links: TopicName = "identity.links.v1"
    done = [records.put(links, key, item) for key, item in (("a", b"1"), ("b", b"2"), ("a", b"3"))]
    assert {await one for one in done} == {(0, 2)}, "known is what is taught once the last of them is"
    assert sent == [(b"a", b"[1]"), (b"b", b"[2]"), (b"a", b"[3]")]
    await asyncio.gather(*[records.put(TOPIC, "a", item) for item in (b"1", b"2")])
    assert sent[3:] == [(b"a", b"[1,2]")]


@in_virtual_time
async def test_whoever_hurries_one_topic_leaves_the_others_to_linger() -> None:
    """Links go out at once, many times a second; what was attributed must not become a record each time."""
    records, producer = writer()
    waits = records.put(TOPIC, KEYS[0], b"1")
    link = records.put("identity.links.v1", KEYS[1], b"2")
    records.hurry({"identity.links.v1"})
    await link
    more = records.put(TOPIC, KEYS[0], b"3")
    await asyncio.gather(waits, more)
    (_, _, first), (at, _, second) = producer.sent
    assert (first, second) == (1, 2) and at >= LINGER_S / 2
