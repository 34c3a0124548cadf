"""Replay and dead letters on a real Kafka."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.config import KafkaConfig
from schemas.touchpoints import DEAD, DeadLetter
from services.cli.commands.replaying import replay_raw
from services.common.dead_letters import Replayed, find, replay, summary, wanted
from services.common.records import KafkaAway, consumer, history, producer, spans
from streams.runtime.topics_admin import ensure_topics

pytestmark = pytest.mark.kafka
RAW = "touchpoints.raw.v1"
FACTS = "journey.facts.v1"


@pytest.fixture
async def kafka(kafka_bootstrap: str, topic_prefix: str) -> KafkaConfig:
    config = KafkaConfig(bootstrap=(kafka_bootstrap,), partitions=2, topic_prefix=topic_prefix)
    await ensure_topics(config)
    return config


def letter(name: str, topic: str, offset: int, **more: Any) -> DeadLetter:
    fields = {"stage": "attribute", "reason": "malformed", "message": "broken", "original": "{}"}
    place = {"origin_topic": topic, "origin_partition": 1, "origin_offset": offset, "origin_index": 0}
    return DeadLetter(letter_id=name, failed_at=datetime.now(UTC), **{**fields, **place, **more})


async def write(kafka: KafkaConfig, topic: str, *values: bytes, partition: int = 1) -> None:
    async with producer(kafka) as writer:
        for value in values:
            await writer.send_and_wait(kafka.topic_prefix + topic, value, key=b"key", partition=partition)


async def values(kafka: KafkaConfig, topic: Any) -> list[tuple[int, bytes, bytes]]:
    async with consumer(kafka) as reader:
        return [(r.partition, r.key, r.value) async for r in history(reader, kafka, topic)]


async def test_everything_raw_is_sent_again_to_its_partition_and_only_once(kafka: KafkaConfig) -> None:
    await write(kafka, RAW, b"[1]", b"[2]")
    await write(kafka, RAW, b"[3]", partition=0)
    done = await replay_raw(kafka, lambda line: None, rate_per_s=1000)
    assert done["records"] == 3
    assert await values(kafka, RAW) == [(0, b"key", b"[3]")] * 2 + [(1, b"key", v) for v in (b"[1]", b"[2]") * 2]


async def test_what_came_since_a_time_is_sent_again_and_nothing_else(kafka: KafkaConfig) -> None:
    await write(kafka, RAW, b"[1]")
    await asyncio.sleep(0.1)
    since = datetime.now(UTC)
    await write(kafka, RAW, b"[2]")
    assert (await replay_raw(kafka, lambda line: None, since=since))["records"] == 1
    assert await values(kafka, RAW) == [(1, b"key", v) for v in (b"[1]", b"[2]", b"[2]")]
    assert (await replay_raw(kafka, lambda line: None, since=datetime.now(UTC) + timedelta(hours=1)))["records"] == 0


async def test_letters_are_listed_once_chosen_and_replayed_by_their_record(kafka: KafkaConfig) -> None:
    await write(kafka, RAW, b"[0]", b"[1]")
    topic = kafka.topic_prefix + RAW
    first, twin, other = letter("a", topic, 1), letter("b", topic, 1), letter("c", topic, 0, reason="unmappable")
    await write(kafka, "touchpoints.dead.v1", DEAD.dump_json([first, twin]), DEAD.dump_json([first, other]))
    assert [found.letter_id for found in await find(kafka, wanted())] == ["a", "b", "c"]
    assert [found.letter_id for found in await find(kafka, wanted(["b"]))] == ["b"]
    chosen = await find(kafka, wanted(reason="malformed"))
    assert "original" not in summary(chosen[0])
    assert await replay(kafka, chosen) == Replayed(records=1)
    assert (await values(kafka, RAW))[-1] == (1, b"key", b"[1]")


async def test_a_letter_whose_record_is_gone_is_told_unless_it_is_complete(kafka: KafkaConfig) -> None:
    gone = letter("a", kafka.topic_prefix + RAW, 99)
    whole = letter("b", kafka.topic_prefix + FACTS, 99, stage="sink", original='{"x":1}')
    done = await replay(kafka, [gone, whole])
    assert (done.records, len(done.lost), done.waiting) == (1, 1, [])
    assert done.lost[0].startswith("a: its record is no longer in")
    assert [value for _, _, value in await values(kafka, FACTS)] == [b'[{"x":1}]']


async def test_an_absent_kafka_is_said() -> None:
    with pytest.raises(KafkaAway, match=r"127.0.0.1:1 does not answer"):
        async with consumer(KafkaConfig(bootstrap=("127.0.0.1:1",))):
            pass


async def test_a_consumer_stopped_just_after_an_assignment_does_stop(kafka: KafkaConfig) -> None:
    """aiokafka's fetcher loses a cancellation that meets a change of the assignment; commands hung for ever."""
    for _ in range(3):
        async with asyncio.timeout(20), consumer(kafka) as reader:
            await spans(reader, kafka, "touchpoints.dead.v1")
            await asyncio.sleep(0.1)
            await spans(reader, kafka, "touchpoints.raw.v1")
