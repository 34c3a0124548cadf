"""The links topic on a real broker: a worker's start, the leader, and what it sends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiokafka import TopicPartition

from schemas.config import KafkaConfig
from schemas.facts import FACTS, ProposalFact
from schemas.links import LINKS, Edge
from schemas.touchpoints import ACCOUNT_INPUTS, Recall
from streams.processors.links import TOPIC, LinksReader, RecallLeader
from streams.runtime.kafka import broadcast_consumer, end_offsets, partitions, producer
from streams.runtime.log_guard import Broken
from streams.runtime.metrics import NoMetrics
from streams.runtime.outbox import Outbox
from streams.runtime.topics_admin import ensure_topics
from streams.runtime.writer import RecordWriter
from tests.journeys import at

pytestmark = pytest.mark.kafka


def edge(a: str, b: str, seconds: float) -> Edge:
    return Edge(a=a, b=b, since=at(seconds), evidence=f"e{seconds}", source="web", scoped=True)


@asynccontextmanager
async def outbox_on(kafka: KafkaConfig) -> AsyncIterator[Outbox]:
    sender = producer(kafka, "test")
    await sender.start()
    try:
        writer = RecordWriter(sender, lambda topic: partitions(kafka, topic), topic_prefix=kafka.topic_prefix)
        yield Outbox(writer, pytest.fail)
    finally:
        await sender.stop()


def _broken(places: list[Broken]) -> None:
    pytest.fail(f"this log is as it was: {places[0]}")


@asynccontextmanager
async def worker(kafka: KafkaConfig, outbox: Outbox) -> AsyncIterator[LinksReader]:
    reader = LinksReader(kafka, NoMetrics(), _broken)
    leader = RecallLeader(kafka, reader, outbox, _broken)
    await reader.start()
    await leader.start()
    tasks = [asyncio.create_task(reader.run()), asyncio.create_task(leader.run())]
    try:
        yield reader
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await leader.stop()
        await reader.stop()


async def items(kafka: KafkaConfig, topic: str, count: int) -> list[bytes]:
    """The values on a topic, at least so many."""
    consumer = broadcast_consumer(kafka, "look")
    await consumer.start()
    try:
        ends = await end_offsets(consumer, kafka, topic)  # type: ignore[arg-type]
        while sum(ends.values()) < count:
            await asyncio.sleep(0.1)
            ends = await end_offsets(consumer, kafka, topic)  # type: ignore[arg-type]
        consumer.assign([TopicPartition(kafka.topic_prefix + topic, number) for number in ends])
        found: list[bytes] = []
        while len(found) < count:
            for records in (await consumer.getmany(timeout_ms=500)).values():
                found += [record.value for record in records]
        return found
    finally:
        await consumer.stop()


async def test_what_follows_from_links_is_sent_once_and_a_start_goes_on_from_there(
    kafka_bootstrap: str, topic_prefix: str
) -> None:
    kafka = KafkaConfig(bootstrap=(kafka_bootstrap,), topic_prefix=topic_prefix, partitions=1)
    await ensure_topics(kafka)
    links = [
        edge("crm_contact:1", "anonymous:kiosk", 1),
        edge("crm_contact:2", "anonymous:kiosk", 2),
        edge("crm_contact:1", "anonymous:kiosk", 3),  # a worse record of the first
    ]
    async with outbox_on(kafka) as outbox, asyncio.timeout(60):
        async with worker(kafka, outbox):
            for link in links:
                await outbox.deliver([(TOPIC, link.link_id, link.encoded())], at_once=True)
            (told,) = [LINKS.validate_json(value) for value in (await items(kafka, TOPIC, 4))[3:]]
            assert told == [links[0]]  # again, so that compaction keeps it
            (fact,) = FACTS.validate_json((await items(kafka, "journey.facts.v1", 1))[0])
            assert isinstance(fact, ProposalFact)
            assert (fact.a, fact.b, fact.status, fact.question) == (
                "anonymous:kiosk", "crm_contact:2", "open", "same_person",
            )  # fmt: skip
            recalls = ACCOUNT_INPUTS.validate_json((await items(kafka, "touchpoints.attributed.v1", 1))[0])
            assert all(isinstance(recall, Recall) for recall in recalls)
        async with worker(kafka, outbox) as again:
            assert again.knowledge.graph.person("anonymous:kiosk").aliases == ("crm_contact:1", "anonymous:kiosk")
            assert len(list(again.knowledge.proposals)) == 1
            await asyncio.sleep(1)
            assert not again.recalls and not again.repairs


async def test_a_start_sends_what_nobody_sent_although_one_poll_brings_all(
    kafka_bootstrap: str, topic_prefix: str
) -> None:
    """The leader of the attribute workers died between two links; both come in the same poll of the next one."""
    kafka = KafkaConfig(bootstrap=(kafka_bootstrap,), topic_prefix=topic_prefix, partitions=1)
    await ensure_topics(kafka)
    first, second = edge("email:ann@acme.com", "anonymous:a1", 1), edge("email:ann@acme.com", "anonymous:a2", 2)
    async with outbox_on(kafka) as outbox, asyncio.timeout(60):
        async with worker(kafka, outbox) as before:
            await outbox.deliver([(TOPIC, first.link_id, first.encoded())], at_once=True)
            await before.wait_for(1)
            while before.recalls:
                await asyncio.sleep(0.05)
        await outbox.deliver([(TOPIC, second.link_id, second.encoded())], at_once=True)
        reader = LinksReader(kafka, NoMetrics(), _broken)
        await reader.start()
        try:
            assert reader.knowledge.graph.person("anonymous:a2").aliases[0] == "email:ann@acme.com"
            assert reader.recalls, "the recalls of the second link are nobody's"
            assert {recall.knowledge for recall in reader.recalls} == {2}
        finally:
            await reader.stop()
