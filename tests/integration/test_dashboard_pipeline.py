"""What the dashboard sees of the pipeline on a real Kafka: a stage that stands still, one that catches up, no Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.config import KafkaConfig
from services.dashboard import pipeline as module
from services.dashboard.bootstrap import utc_now
from services.dashboard.pipeline import Pipeline
from streams.runtime.kafka import producer
from streams.runtime.topics_admin import ensure_topics

pytestmark = pytest.mark.kafka
FACTS = "journey.facts.v1"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BEHIND_AFTER", timedelta(seconds=0.5))
    monkeypatch.setattr(module, "LOOK_EVERY_S", 0.1)


@asynccontextmanager
async def looking(kafka: KafkaConfig) -> AsyncIterator[Pipeline]:
    pipeline = Pipeline(kafka, utc_now)
    running = asyncio.create_task(pipeline.run())
    try:
        yield pipeline
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_sink_that_stands_still_is_seen_and_one_that_has_stored_all_is_not(
    kafka_bootstrap: str, topic_prefix: str
) -> None:
    kafka = KafkaConfig(bootstrap=(kafka_bootstrap,), topic_prefix=topic_prefix)
    await ensure_topics(kafka)
    writer = producer(kafka, "test")
    await writer.start()
    async with asyncio.timeout(30), looking(kafka) as pipeline:
        await asyncio.sleep(1.5)
        assert pipeline.behind() == (), "a topic without records has nothing to wait for"
        for _ in range(3):
            await writer.send_and_wait(topic_prefix + FACTS, b"[]", partition=1)
        while not (told := pipeline.behind()):
            await asyncio.sleep(0.05)
        assert [(each.stage, each.records, each.stands_still) for each in told] == [("sink", 3, True)]
        sink = AIOKafkaConsumer(
            bootstrap_servers=[kafka_bootstrap], group_id=f"{topic_prefix}touchline-sink", enable_auto_commit=False
        )
        await sink.start()
        place = TopicPartition(topic_prefix + FACTS, 1)
        sink.assign([place])
        await sink.commit({place: 3})
        while pipeline.behind():
            await asyncio.sleep(0.05)
        assert pipeline.waiting() == ()
        await sink.stop()
    await writer.stop()


async def test_without_kafka_nothing_is_claimed(kafka_bootstrap: str) -> None:
    async with asyncio.timeout(30), looking(KafkaConfig(bootstrap=("127.0.0.1:1",))) as pipeline:
        while not pipeline.waiting():
            await asyncio.sleep(0.05)
        assert pipeline.waiting()[0].service == "kafka"
        assert pipeline.behind() == ()
