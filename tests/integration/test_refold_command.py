"""Asking the accounts' writers through a real Kafka: who is asked, where, and when it is done."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.config import KafkaConfig
from schemas.touchpoints import ACCOUNT_INPUTS, Refold
from services.cli.commands import refold_run as command
from services.cli.commands.refold_run import GROUP, TOPIC, NothingMoves, Pace, refold, writers
from services.common.records import consumer, history
from streams.runtime.topics_admin import ensure_topics
from streams.runtime.writer import partition_of

pytestmark = pytest.mark.kafka
ACCOUNTS = [f"crm:{number}" for number in range(20)]


@pytest.fixture
async def kafka(kafka_bootstrap: str, topic_prefix: str) -> KafkaConfig:
    config = KafkaConfig(bootstrap=(kafka_bootstrap,), partitions=2, topic_prefix=topic_prefix)
    await ensure_topics(config)
    return config


async def _work(kafka: KafkaConfig) -> None:
    """A journey worker that has done everything there is, over and over."""
    worker = AIOKafkaConsumer(
        bootstrap_servers=list(kafka.bootstrap), group_id=kafka.topic_prefix + GROUP, enable_auto_commit=False
    )
    await worker.start()
    try:
        places = [TopicPartition(kafka.topic_prefix + TOPIC, number) for number in range(kafka.partitions)]
        worker.assign(places)
        while True:
            await worker.commit(await worker.end_offsets(places))
            await asyncio.sleep(0.1)
    finally:
        await worker.stop()


async def test_each_account_is_asked_in_its_partition_and_done_is_when_it_is_acked(kafka: KafkaConfig) -> None:
    working = asyncio.create_task(_work(kafka))
    try:
        async with asyncio.timeout(30), writers(kafka) as there:
            done = await refold([ACCOUNTS[:15], ACCOUNTS[15:]], there, Pace("refold", 20, print), "looks wrong")
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
    assert done["accounts"] == 20
    async with consumer(kafka) as reader:
        asked = [(r.partition, item) async for r in history(reader, kafka, TOPIC) for item in _items(r.value)]
    assert sorted(item.account_id for _, item in asked) == sorted(ACCOUNTS)
    assert all(partition == partition_of(item.account_id, 2) for partition, item in asked)
    assert {(item.kind, item.cause) for _, item in asked} == {("refold", "looks wrong")}


def _items(value: bytes) -> list[Refold]:
    return [item for item in ACCOUNT_INPUTS.validate_json(value) if isinstance(item, Refold)]


async def test_without_workers_it_says_that_nothing_moves(kafka: KafkaConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "STALLED_AFTER_S", 1.0)
    async with asyncio.timeout(30), writers(kafka) as there:
        with pytest.raises(NothingMoves, match="do they run"):
            await refold([ACCOUNTS], there, Pace("refold", 20, print), "looks wrong")
