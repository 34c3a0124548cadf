"""What an older mapping read: found in the store, sent again from Kafka, and withdrawn beside newer readings."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.config import KafkaConfig
from schemas.touchpoints import ACCOUNT_INPUTS, RawRequest, Withdraw
from services.cli import refold as refold_module
from services.cli.reading_anew import RAW_TOPIC, WAY, gone_through, left_as_read, send_outdated, withdraw_older
from services.cli.records import consumer, history, producer
from services.cli.refold import TOPIC, NothingMoves
from streams.transport.clickhouse import Store
from streams.transport.topics_admin import ensure_topics
from tests.clickhouse_fixture import ClickHouse
from tests.store_facts import touchpoint_fact
from tests.store_fixture import fresh_store, put

MAPPINGS = {"segment": 2}


@pytest.fixture
async def kafka(kafka_bootstrap: str, topic_prefix: str) -> KafkaConfig:
    config = KafkaConfig(bootstrap=(kafka_bootstrap,), partitions=2, topic_prefix=topic_prefix)
    await ensure_topics(config)
    return config


@pytest.fixture
def store(clickhouse_url: ClickHouse, clickhouse_database: str) -> Iterator[Store]:
    with fresh_store(clickhouse_url, clickhouse_database) as (made, _):
        yield made


def request(mapping: int | None, vendor: str = "segment") -> bytes:
    made = RawRequest(
        request_id="r", source="web", vendor=vendor, received_at=datetime(2026, 3, 1, tzinfo=UTC), body="{}"
    )
    fields = orjson.loads(made.encoded())
    del fields["mapping"]
    return orjson.dumps(fields | ({} if mapping is None else {"mapping": mapping}))


async def send(kafka: KafkaConfig, *records: bytes) -> None:
    async with producer(kafka) as writer:
        for record in records:
            await writer.send_and_wait(kafka.topic_prefix + RAW_TOPIC, record, partition=0)


@pytest.mark.kafka
async def test_records_with_an_outdated_request_are_sent_again_as_they_are(kafka: KafkaConfig) -> None:
    old, mixed = b"[" + request(None) + b"]", b"[" + request(2) + b"," + request(1) + b"]"
    fine = b"[" + request(2) + b"," + request(None, "zendesk") + b"]"
    await send(kafka, old, mixed, fine, b"not json")
    assert await send_outdated(kafka, MAPPINGS, print) == 2
    async with consumer(kafka) as reader:
        found = [record.value async for record in history(reader, kafka, RAW_TOPIC)]
    assert found == [old, mixed, fine, b"not json", old, mixed]


@pytest.mark.kafka
async def test_waits_for_every_stage_and_says_which_one_stands(
    kafka: KafkaConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refold_module, "STALLED_AFTER_S", 1.0)
    await send(kafka, b"[" + request(1) + b"]")
    with pytest.raises(NothingMoves, match="normalise does not go on"):
        await gone_through(kafka)
    for stage, topic in dict(WAY).items():
        await _commit_all(kafka, stage, topic)
    async with asyncio.timeout(30):
        await gone_through(kafka)


async def _commit_all(kafka: KafkaConfig, stage: str, topic: str) -> None:
    worker = AIOKafkaConsumer(
        bootstrap_servers=list(kafka.bootstrap),
        group_id=f"{kafka.topic_prefix}touchline-{stage}",
        enable_auto_commit=False,
    )
    await worker.start()
    try:
        places = [TopicPartition(kafka.topic_prefix + topic, number) for number in range(kafka.partitions)]
        worker.assign(places)
        await worker.commit(await worker.end_offsets(places))
    finally:
        await worker.stop()


@pytest.mark.clickhouse
@pytest.mark.kafka
async def test_an_older_reading_in_another_account_is_withdrawn_and_what_stays_old_is_counted(
    kafka: KafkaConfig, store: Store
) -> None:
    old = touchpoint_fact(1, account="crm:1")
    mended = old.input.touchpoint.changed(mapping=2, read_anew=True)
    item = touchpoint_fact(1, account="crm:2").input.changed(touchpoint=mended)
    new = touchpoint_fact(1, account="crm:2", input=item)
    put(store, [old, new, touchpoint_fact(2, account="crm:1")])
    vendor = old.input.touchpoint.vendor
    assert left_as_read(store.client, {vendor: 2}) == {vendor: 2}
    assert left_as_read(store.client, {vendor: 1}) == {}
    assert await withdraw_older(kafka, store.client) == 1
    async with consumer(kafka) as reader:
        found = [i async for r in history(reader, kafka, TOPIC) for i in ACCOUNT_INPUTS.validate_json(r.value)]
    (withdraw,) = found
    assert isinstance(withdraw, Withdraw)
    assert (withdraw.account_id, withdraw.event_id, withdraw.mapping) == ("crm:1", old.event_id, 2)
