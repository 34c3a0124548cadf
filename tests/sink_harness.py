"""A sink process of its own, topics with a prefix, and figures of the store for comparison."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from schemas.base import Contract, Item
from schemas.config import ClickHouseConfig, Config, KafkaConfig, SecretRef
from schemas.facts import Fact, IgnoredFact, ProposalFact
from schemas.touchpoints import DEAD, DeadLetter
from streams.runtime.clickhouse import Store

PARTITIONS = 2
BEFORE_FACTS = ("touchpoints.raw.v1", "touchpoints.attributed.v1")
"""What the sink does not read; `touchline verify` does."""
_RUN = """
import asyncio, sys
from schemas.config import Config
from services.sink.main import serve
from streams.runtime.logs import configure_logging
configure_logging("sink")
asyncio.run(serve(Config.model_validate_json(sys.argv[1])))
"""

#: Every figure that a reader can see, without times of writing and versions.
FIGURES = {
    "touchpoints": "SELECT * EXCEPT written_at FROM touchpoints FINAL ORDER BY event_id, account_id FORMAT JSONEachRow",
    "histories": "SELECT * EXCEPT written_at FROM histories FINAL ORDER BY event_id, account_id FORMAT JSONEachRow",
    "signals": "SELECT * EXCEPT written_at FROM signals FINAL ORDER BY signal_id FORMAT JSONEachRow",
    "accounts": "SELECT * EXCEPT written_at FROM account_journeys FINAL ORDER BY account_id FORMAT JSONEachRow",
    "corrections": "SELECT * FROM corrections FINAL ORDER BY correction_id FORMAT JSONEachRow",
    "cells": (
        "SELECT minute, phase, touchpoint_type, persona, segment, channel, volume, visitor_volume, friction, delight,"
        " emotion_sum, emotion_count, pain_sum, arraySort(account_set) AS reached, arraySort(visitor_set) AS visitors,"
        " arraySort(person_set) AS people, blueprint_version, importance, moment_of_truth"
        " FROM journey_minutes FINAL WHERE volume > 0 ORDER BY ALL FORMAT JSONEachRow"
    ),
}


@dataclass
class Harness:
    """One installation: prefix on Kafka, database in ClickHouse."""

    config: Config
    password: str
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def facts_topic(self) -> str:
        return self.config.kafka.topic_prefix + "journey.facts.v1"

    @property
    def links_topic(self) -> str:
        return self.config.kafka.topic_prefix + "identity.links.v1"

    @property
    def deliveries_topic(self) -> str:
        return self.config.kafka.topic_prefix + "alerts.deliveries.v1"

    @property
    def dead_topic(self) -> str:
        return self.config.kafka.topic_prefix + "touchpoints.dead.v1"

    def store(self) -> Store:
        return Store(self.config.clickhouse, self.password)

    def figures(self) -> dict[str, str]:
        """What a reader sees; equal figures, equal stores."""
        with self.store() as store:
            return {name: str(store.client.command(sql)) for name, sql in FIGURES.items()}

    def start(self, failpoint: str = "", ops_port: int = 0) -> subprocess.Popen[bytes]:
        """A sink process; `stop_all` ends it."""
        env = os.environ | {"TOUCHLINE_FAILPOINT": failpoint, "TOUCHLINE_OPS_PORT": str(ops_port)}
        command = [sys.executable, "-c", _RUN, self.config.model_dump_json()]
        process = subprocess.Popen(command, env=env, cwd=Path(__file__).parents[1])
        self.processes.append(process)
        return process

    def stop_all(self) -> list[int]:
        """Exit codes after SIGTERM."""
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        codes = [process.wait(20) for process in self.processes]
        self.processes.clear()
        return codes

    async def create_topics(self) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=list(self.config.kafka.bootstrap))
        await admin.start()
        try:
            await admin.create_topics(
                [
                    NewTopic(self.facts_topic, PARTITIONS, 1),
                    NewTopic(self.links_topic, 1, 1, topic_configs={"cleanup.policy": "compact"}),
                    NewTopic(self.deliveries_topic, 1, 1),
                    NewTopic(self.dead_topic, PARTITIONS, 1),
                    *(NewTopic(self.config.kafka.topic_prefix + name, PARTITIONS, 1) for name in BEFORE_FACTS),
                    NewTopic(self.config.kafka.topic_prefix + "touchpoints.parked.v1", PARTITIONS, 1),
                    NewTopic(self.config.kafka.topic_prefix + "sources.standings.v1", 1, 1),
                ]
            )
        finally:
            await admin.close()

    async def send(self, records: Iterable[tuple[str, bytes]], topic: str = "") -> None:
        """Sends (key, value) records, in order per key."""
        producer = AIOKafkaProducer(bootstrap_servers=list(self.config.kafka.bootstrap), acks="all")
        await producer.start()
        try:
            acks = [await producer.send(topic or self.facts_topic, v, key=k.encode()) for k, v in records]
            await asyncio.gather(*acks)
        finally:
            await producer.stop()

    async def dead_letters(self) -> list[DeadLetter]:
        """All there are."""
        places = [TopicPartition(self.dead_topic, number) for number in range(PARTITIONS)]
        consumer = AIOKafkaConsumer(bootstrap_servers=list(self.config.kafka.bootstrap), enable_auto_commit=False)
        await consumer.start()
        try:
            consumer.assign(places)
            await consumer.seek_to_beginning(*places)
            ends = await consumer.end_offsets(places)
            letters: list[DeadLetter] = []
            for place, end in ends.items():
                while await consumer.position(place) < end:
                    letters += DEAD.validate_json((await consumer.getone(place)).value)
            return letters
        finally:
            await consumer.stop()

    async def caught_up(self, deadline_s: float = 40) -> None:
        """Returns when the sink's group has committed all there is."""
        async with self.group() as consumer:
            places = [TopicPartition(self.facts_topic, n) for n in range(PARTITIONS)]
            places += [TopicPartition(self.links_topic, 0), TopicPartition(self.deliveries_topic, 0)]
            await _until(lambda: _at_end(consumer, places), deadline_s)

    @asynccontextmanager
    async def group(self) -> AsyncIterator[Any]:
        """A consumer of the sink's group that takes no partition: for its offsets."""
        kafka = self.config.kafka
        consumer = AIOKafkaConsumer(
            bootstrap_servers=list(kafka.bootstrap),
            group_id=kafka.topic_prefix + "touchline-sink",
            enable_auto_commit=False,
        )
        await consumer.start()
        try:
            yield consumer
        finally:
            await consumer.stop()

    async def committed(self) -> dict[int, int]:
        """Partition → committed offset of the facts."""
        admin = AIOKafkaAdminClient(bootstrap_servers=list(self.config.kafka.bootstrap))
        await admin.start()
        try:
            offsets = await admin.list_consumer_group_offsets(self.config.kafka.topic_prefix + "touchline-sink")
        finally:
            await admin.close()
        return {place.partition: found.offset for place, found in offsets.items() if place.topic == self.facts_topic}

    async def rewind(self) -> None:
        """Sets the group back to offset 0 of everything; no sink may run."""
        async with self.group() as consumer:
            places = [TopicPartition(self.facts_topic, n) for n in range(PARTITIONS)]
            single = (self.links_topic, self.deliveries_topic)
            consumer.assign([*places, *(TopicPartition(topic, 0) for topic in single)])
            await consumer.commit(dict.fromkeys(consumer.assignment(), 0))


async def _at_end(consumer: Any, places: Sequence[TopicPartition]) -> bool:
    if not consumer.assignment():
        consumer.assign(list(places))
    ends = await consumer.end_offsets(list(places))
    committed = {place: await consumer.committed(place) or 0 for place in places}
    return all(committed[place] >= ends[place] for place in places)


async def _until(condition: Callable[[], Any], deadline_s: float) -> None:
    deadline = time.monotonic() + deadline_s
    while not await condition():
        assert time.monotonic() < deadline, f"not within {deadline_s} s"
        await asyncio.sleep(0.1)


def record_of(items: Sequence[Contract | Item]) -> bytes:
    """A record's value."""
    return b"[" + b",".join(item.encoded() for item in items) + b"]"


def records_of(facts: Sequence[Fact], size: int = 5) -> list[tuple[str, bytes]]:
    """Facts as records of up to `size` items, keyed by account, in order per account."""
    by_account: dict[str, list[Fact]] = {}
    for fact in facts:
        by_account.setdefault(_key(fact), []).append(fact)
    return [
        (account, record_of(mine[at : at + size]))
        for account, mine in by_account.items()
        for at in range(0, len(mine), size)
    ]


def _key(fact: Fact) -> str:
    if isinstance(fact, ProposalFact):
        return fact.proposal_id
    return fact.source if isinstance(fact, IgnoredFact) else fact.account_id


def store_config(base_url: str, database: str, token_file: Path) -> ClickHouseConfig:
    """A ClickHouse configuration with databases of its own."""
    return ClickHouseConfig(
        url=base_url,
        database=database,
        bi_database=f"bi_{database}",
        password=SecretRef(file=str(token_file), env=None),
    )


def harness(bootstrap: str, prefix: str, clickhouse: ClickHouseConfig, password: str) -> Harness:
    kafka = KafkaConfig(bootstrap=(bootstrap,), partitions=PARTITIONS, topic_prefix=prefix)
    return Harness(Config(kafka=kafka, clickhouse=clickhouse), password)
