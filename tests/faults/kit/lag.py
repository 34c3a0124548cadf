"""How far the processors are: what of a topic a group has yet to commit."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from schemas.config import KafkaConfig
from schemas.processes import STAGES
from streams.runtime.kafka import partitions
from tests.faults.kit.system import System

GROUPS = {f"touchline-{name}": stage.reads for name, stage in STAGES.items()}
QUIET_S = 3.0


async def lag(bootstrap: str) -> dict[str, int]:
    """Group → records it has not committed."""
    admin: Any = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    consumer: Any = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await admin.start()
    await consumer.start()
    try:
        found = {}
        for group, topics in GROUPS.items():
            config = KafkaConfig()
            places = [TopicPartition(t, p) for t in topics for p in range(partitions(config, t))]
            consumer.assign(places)  # first: only then does the client learn where they are
            committed = await admin.list_consumer_group_offsets(group)
            done = {tp: max(meta.offset, 0) for tp, meta in committed.items()}
            ends = await consumer.end_offsets(places)
            found[group] = sum(max(end - done.get(tp, 0), 0) for tp, end in ends.items())
        return found
    finally:
        await admin.close()
        await consumer.stop()


def wait_idle(system: System, timeout_s: float = 120.0) -> None:
    """Until every group has taken in everything there is, and for a while nothing comes."""
    until, quiet_since = time.monotonic() + timeout_s, 0.0
    while time.monotonic() < until:
        left = asyncio.run(lag(system.kafka))
        now = time.monotonic()
        quiet_since = 0.0 if any(left.values()) else quiet_since or now
        if quiet_since and now - quiet_since >= QUIET_S:
            return
        time.sleep(0.3)
    raise AssertionError(f"not taken in after {timeout_s} s: {left}")


def produce(system: System, topic: str, value: bytes) -> tuple[int, int]:
    """A record as only a broken program would write it; its partition and offset."""

    async def send() -> tuple[int, int]:
        producer: Any = AIOKafkaProducer(bootstrap_servers=system.kafka)
        await producer.start()
        try:
            ack = await producer.send_and_wait(topic, value, partition=0)
        finally:
            await producer.stop()
        return ack.partition, ack.offset

    return asyncio.run(send())
