"""An upgrade from the version whose `normalise` and `resolve` are `attribute` now: on with what they had left."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata

from schemas.config import KafkaConfig
from schemas.topics import TopicName
from schemas.touchpoints import (
    ACCOUNT_INPUTS,
    CLEAN,
    RECALLED,
    AttributedTouchpoint,
    Attribution,
    CleanTouchpoint,
    RawRequest,
    Recalled,
)
from services.common.records import consumer, history
from streams.processors.draining import Draining
from streams.processors.mapper import Mapper
from streams.processors.shell import Stage
from streams.runtime.kafka import GroupProgress, group_consumer
from streams.runtime.lineage import Mark
from streams.runtime.log_guard import Broken
from streams.runtime.metrics import Metrics
from streams.runtime.taking_over import take_over
from streams.runtime.topics_admin import ensure_topics
from tests.attributing import AsRead
from tests.clickhouse_fixture import ClickHouse
from tests.integration.pipelines import Installation, installed, received
from tests.integration.test_identity_links import outbox_on

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]
NOW = datetime.now(UTC)
RAW_TOPIC: TopicName = "touchpoints.raw.v1"
CLEAN_TOPIC: TopicName = "touchpoints.clean.v1"
RECALLED_TOPIC: TopicName = "touchpoints.recalled.v1"
SOURCES = "sources: [{name: web, vendor: segment, secrets: [{env: NONE}]}]\n"
EACH = 20
"""Requests in each of two partitions."""
READ = (12, 8)
"""Of these the old version has read."""
ATTRIBUTED = 3
"""Of what it has read it had attributed so many, of each partition."""
WITHIN_S = 60.0


@pytest.fixture
def installation(
    tmp_path: Path, kafka_bootstrap: str, topic_prefix: str, clickhouse_url: ClickHouse, clickhouse_database: str
) -> Any:
    with installed(tmp_path, kafka_bootstrap, topic_prefix, clickhouse_url, clickhouse_database) as made:
        made.configured(SOURCES)
        yield made


def request(name: str) -> RawRequest:
    at = NOW - timedelta(hours=1)
    message = {
        "type": "identify",
        "messageId": name,
        "anonymousId": f"a-{name}",
        "traits": {"email": f"{name}@{name}.example"},
        "timestamp": at.isoformat(),
    }
    return RawRequest(
        request_id=f"r-{name}", source="web", vendor="segment", received_at=at, path="/v1/batch",
        body=json.dumps({"batch": [message]}),
    )  # fmt: skip


def read(one: RawRequest) -> CleanTouchpoint:
    (found,) = Mapper().read(one, (RAW_TOPIC, 0, 0), 0).touchpoints
    return found


def recalled(name: str) -> Recalled:
    item = AttributedTouchpoint(
        touchpoint=read(request(name)),
        attribution=Attribution(account_id="person:a", method="person", confidence=1.0),
    )
    return Recalled(item=item, knowledge=0, refused=True, cause="a test")


async def committed(kafka: KafkaConfig, group: str, topic: TopicName, offsets: Mapping[int, Any]) -> None:
    """As a group's members did."""
    reader = AIOKafkaConsumer(
        bootstrap_servers=list(kafka.bootstrap), group_id=kafka.topic_prefix + group, enable_auto_commit=False
    )
    await reader.start()
    try:
        places = {TopicPartition(kafka.topic_prefix + topic, number): at for number, at in offsets.items()}
        reader.assign(list(places))
        await reader.commit(places)
    finally:
        await reader.stop()


async def progress(kafka: KafkaConfig, group: str) -> dict[tuple[str, int], tuple[int, Mark]]:
    found = GroupProgress(kafka, group)
    try:
        marks = await found.marks()
        return {(tp.topic.removeprefix(kafka.topic_prefix), tp.partition): mark for tp, mark in marks.items()}
    finally:
        await found.close()


def stands(kafka: KafkaConfig, group: str, topic: TopicName) -> dict[int, int]:
    found = asyncio.run(progress(kafka, group))
    return {partition: offset for (name, partition), (offset, _) in found.items() if name == topic}


async def left_by_the_old_version(kafka: KafkaConfig) -> set[str]:
    """Requests, touchpoints between the two processes, and recalled ones; returns what is to be attributed yet."""
    await ensure_topics(kafka, former=[CLEAN_TOPIC])
    writer = AIOKafkaProducer(bootstrap_servers=list(kafka.bootstrap))
    await writer.start()
    left = {f"p{partition}-{n}" for partition in (0, 1) for n in range(READ[partition], EACH)} | {"recalled-1"}
    try:
        for partition in (0, 1):
            for n in range(READ[partition]):
                name = f"p{partition}-{n}"
                value = CLEAN.dump_json([read(request(name))])
                await writer.send_and_wait(kafka.topic_prefix + CLEAN_TOPIC, value, partition=partition)
                left |= {name} if n >= ATTRIBUTED else set()
        for n in range(2):
            value = RECALLED.dump_json([recalled(f"recalled-{n}")])
            await writer.send_and_wait(kafka.topic_prefix + RECALLED_TOPIC, value, partition=0)
    finally:
        await writer.stop()
    await committed(kafka, "touchline-normalise", RAW_TOPIC, dict(enumerate(READ)))
    await committed(kafka, "touchline-resolve", CLEAN_TOPIC, {0: ATTRIBUTED, 1: ATTRIBUTED})
    await committed(kafka, "touchline-resolve", RECALLED_TOPIC, {0: 1})
    return left


async def attributed(kafka: KafkaConfig) -> Counter[str]:
    async with consumer(kafka) as reader:
        values = [record.value async for record in history(reader, kafka, "touchpoints.attributed.v1")]
    items = [item for value in values for item in ACCOUNT_INPUTS.validate_json(value)]
    return Counter(item.touchpoint.vendor_event_id for item in items if isinstance(item, AttributedTouchpoint))


async def emptied(kafka: KafkaConfig) -> None:
    """Retention took all of it."""
    admin = AIOKafkaAdminClient(bootstrap_servers=list(kafka.bootstrap))
    await admin.start()
    places = {TopicPartition(kafka.topic_prefix + CLEAN_TOPIC, n): RecordsToDelete(READ[n]) for n in (0, 1)}
    await admin.delete_records(places)
    await admin.close()


async def is_there(kafka: KafkaConfig) -> bool:
    admin = AIOKafkaAdminClient(bootstrap_servers=list(kafka.bootstrap))
    await admin.start()
    try:
        return kafka.topic_prefix + CLEAN_TOPIC in await admin.list_topics()
    finally:
        await admin.close()


@pytest.mark.parametrize("failpoint", ["", "draining_before_commit", "attribute_after_links", "attribute_before_ack"])
def test_what_was_left_is_attributed_and_nothing_else(installation: Installation, failpoint: str) -> None:
    kafka = installation.kafka
    left = asyncio.run(left_by_the_old_version(kafka))
    for partition in (0, 1):
        received(kafka, [request(f"p{partition}-{n}") for n in range(EACH)], partition)
    if failpoint:
        installation.env["TOUCHLINE_FAILPOINT"] = f"{failpoint}:kill"
        installation.start("attribute")
        assert installation.processes.pop("attribute").wait(60) == -9, installation.log("attribute")
        del installation.env["TOUCHLINE_FAILPOINT"]
    installation.start("attribute")
    installation.wait_for(lambda: set(asyncio.run(attributed(kafka))), left, WITHIN_S)
    installation.wait_for(lambda: stands(kafka, "touchline-attribute", RAW_TOPIC), {0: EACH, 1: EACH}, WITHIN_S)
    installation.wait_for(lambda: stands(kafka, "touchline-attribute", RECALLED_TOPIC), {0: 2}, WITHIN_S)
    installation.wait_for(lambda: stands(kafka, "touchline-resolve", CLEAN_TOPIC), dict(enumerate(READ)), WITHIN_S)
    if failpoint:
        return
    assert "nothing is left of an earlier version" in installation.log("attribute")
    assert asyncio.run(attributed(kafka)) == Counter(left), "each once"
    installation.stop("attribute")
    assert asyncio.run(is_there(kafka)), "what it holds is kept as long as the configuration says"
    asyncio.run(emptied(kafka))
    installation.start("attribute")
    installation.wait_for(lambda: asyncio.run(is_there(kafka)), False, WITHIN_S)
    received(kafka, [request("after")], 0)
    installation.wait_for(lambda: asyncio.run(attributed(kafka)), Counter(left | {"after"}), WITHIN_S)


async def test_commits_are_copied_where_there_are_none_and_with_what_they_say(
    kafka_bootstrap: str, topic_prefix: str
) -> None:
    kafka = KafkaConfig(bootstrap=(kafka_bootstrap,), partitions=3, topic_prefix=topic_prefix)
    await ensure_topics(kafka)
    mark = Mark(epoch=4, topic_id="abc")
    await committed(kafka, "old", RAW_TOPIC, {0: OffsetAndMetadata(5, mark.text()), 1: OffsetAndMetadata(6, "")})
    await committed(kafka, "old", RECALLED_TOPIC, {0: OffsetAndMetadata(9, "")})
    await committed(kafka, "new", RAW_TOPIC, {1: OffsetAndMetadata(8, "")})
    await take_over(kafka, "new", {RAW_TOPIC: "old"})
    found = await progress(kafka, "new")
    assert found == {(RAW_TOPIC, 0): (5, mark), (RAW_TOPIC, 1): (8, Mark())}


async def test_nothing_is_copied_over_what_a_group_at_work_has_read(kafka_bootstrap: str, topic_prefix: str) -> None:
    """Two workers start at once: the second asked before the first had committed, and copies after."""
    kafka = KafkaConfig(bootstrap=(kafka_bootstrap,), partitions=1, topic_prefix=topic_prefix)
    await ensure_topics(kafka)
    await committed(kafka, "old", RAW_TOPIC, {0: 5})
    first = group_consumer(kafka, "new", role="test")
    first.subscribe([topic_prefix + RAW_TOPIC])
    await first.start()
    try:
        async with asyncio.timeout(30):
            while not first.assignment():
                await first.getmany(timeout_ms=100)
        with pytest.raises(KafkaError):
            await take_over(kafka, "new", {RAW_TOPIC: "old"})
    finally:
        await first.stop()


class OldAssignor(RoundRobinPartitionAssignor):  # type: ignore[misc]
    """As Faust's is: members of the old version and this reader have none in common."""

    name = "faust"


async def test_while_the_old_version_runs_the_rest_waits(kafka_bootstrap: str, topic_prefix: str) -> None:
    kafka = KafkaConfig(bootstrap=(kafka_bootstrap,), partitions=2, topic_prefix=topic_prefix)
    left = await left_by_the_old_version(kafka)
    between = {name for name in left if name.startswith("p") and int(name[3:]) < READ[int(name[1])]}
    old = AIOKafkaConsumer(
        topic_prefix + CLEAN_TOPIC, bootstrap_servers=[kafka_bootstrap], group_id=topic_prefix + "touchline-resolve",
        enable_auto_commit=False, partition_assignment_strategy=[OldAssignor],
    )  # fmt: skip
    await old.start()
    async with outbox_on(kafka) as outbox:
        stage = Stage("attribute", outbox, Metrics(), pytest.fail)
        broken = list[Broken]()
        draining = Draining(kafka, stage, AsRead(), broken.extend)
        task = asyncio.create_task(draining.run())
        try:
            await asyncio.sleep(5)
            assert await as_read(kafka) == Counter() and draining.left == len(between)
            await old.stop()
            async with asyncio.timeout(60):
                while await as_read(kafka) != Counter(between) or draining.left:
                    assert not task.done(), task
                    await asyncio.sleep(0.2)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def as_read(kafka: KafkaConfig) -> Counter[str]:
    async with consumer(kafka) as reader:
        values = [record.value async for record in history(reader, kafka, "touchpoints.attributed.v1")]
    return Counter(one.vendor_event_id for value in values for one in CLEAN.validate_json(value))
