"""Making producers and consumers: the settings that the guarantees rest on, in one place."""

from __future__ import annotations

import os
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from schemas.config import KafkaConfig
from schemas.topics import FORMER, RAW_MAX_BYTES, TOPICS, TopicName
from streams.runtime.idle_polling import ALONE_WAIT_MS, GROUP_WAIT_MS, patient
from streams.runtime.lineage import Mark
from streams.runtime.topics_admin import partitions_of

INSTANCE_ENV = "TOUCHLINE_INSTANCE"
SESSION_TIMEOUT_S = 10.0
#: Between attempts while a broker is away. A stage has several clients, and each attempt costs what the broker needs to
#: come back.
RETRY_BACKOFF_MS = 250


def instance_of(role: str) -> str | None:
    """The static membership of a role in its group; a restarted process takes its partitions back at once.

    Only where whoever starts the processes says which is which, in TOUCHLINE_INSTANCE.
    """
    instance = os.environ.get(INSTANCE_ENV, "")
    return f"{role}-{instance}" if instance else None


def producer(kafka: KafkaConfig, client_id: str) -> Any:
    """An idempotent producer, not started: acked by all in-sync replicas, never reordered, never doubled."""
    return AIOKafkaProducer(
        bootstrap_servers=list(kafka.bootstrap),
        client_id=client_id,
        acks="all",
        enable_idempotence=True,
        max_request_size=RAW_MAX_BYTES,
        max_batch_size=512 * 1024,
        metadata_max_age_ms=30_000,
        retry_backoff_ms=RETRY_BACKOFF_MS,
    )


def partitions(kafka: KafkaConfig, topic: TopicName) -> int:
    """Partitions of a topic, as the catalogue says (and `ensure_topics` has checked)."""
    return partitions_of((TOPICS | FORMER)[topic], kafka)


def broadcast_consumer(kafka: KafkaConfig, client_id: str) -> Any:
    """A consumer without a group, for topics that everyone reads whole."""
    made = AIOKafkaConsumer(
        bootstrap_servers=list(kafka.bootstrap),
        client_id=client_id,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        metadata_max_age_ms=30_000,
        retry_backoff_ms=RETRY_BACKOFF_MS,
    )
    patient(made, ALONE_WAIT_MS)
    return made


def group_consumer(kafka: KafkaConfig, group: str, *, role: str) -> Any:
    """A consumer of a group that commits only what we tell it to."""
    made = AIOKafkaConsumer(
        bootstrap_servers=list(kafka.bootstrap),
        client_id=f"touchline-{role}",
        group_id=kafka.topic_prefix + group,
        group_instance_id=instance_of(role),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=int(SESSION_TIMEOUT_S * 1000),
        heartbeat_interval_ms=2_000,
        max_poll_interval_ms=3_600_000,
        metadata_max_age_ms=30_000,
        retry_backoff_ms=RETRY_BACKOFF_MS,
    )
    patient(made, GROUP_WAIT_MS)
    return made


class GroupProgress:
    """Reads how far another group has committed; connects when first asked."""

    def __init__(self, kafka: KafkaConfig, group: str) -> None:
        self._kafka = kafka
        self._group = kafka.topic_prefix + group
        self._admin: Any = None

    async def committed(self, topic: TopicName) -> dict[int, int]:
        """Partition → next offset the group will read; partitions it never committed are absent."""
        name = self._kafka.topic_prefix + topic
        return {tp.partition: meta.offset for tp, meta in (await self._commits()).items() if tp.topic == name}

    async def marks(self) -> dict[TopicPartition, tuple[int, Mark]]:
        """Each partition the group ever committed, with what its commit says beside the offset."""
        return {tp: (meta.offset, Mark.read(meta.metadata)) for tp, meta in (await self._commits()).items()}

    async def _commits(self) -> dict[TopicPartition, Any]:
        if self._admin is None:
            self._admin = AIOKafkaAdminClient(
                bootstrap_servers=list(self._kafka.bootstrap), client_id="touchline-progress"
            )
            await self._admin.start()
        offsets = await self._admin.list_consumer_group_offsets(self._group)
        return {tp: meta for tp, meta in offsets.items() if meta.offset >= 0}

    async def close(self) -> None:
        """Give the connection back; safe to call twice."""
        admin, self._admin = self._admin, None
        if admin is not None:
            await admin.close()


async def end_offsets(consumer: Any, kafka: KafkaConfig, topic: TopicName) -> dict[int, int]:
    """Partition → offset that the next record will get."""
    name = kafka.topic_prefix + topic
    wanted = [TopicPartition(name, number) for number in range(partitions(kafka, topic))]
    return {tp.partition: offset for tp, offset in (await consumer.end_offsets(wanted)).items()}
