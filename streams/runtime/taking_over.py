"""A group goes on where one of an earlier version was: its commits are copied, once, before anybody reads."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import OffsetAndMetadata

from schemas.config import KafkaConfig
from schemas.topics import TopicName

CLIENT_ID = "touchline-takeover"
_log = logging.getLogger("touchline.groups")


async def take_over(kafka: KafkaConfig, group: str, former: Mapping[TopicName, str]) -> None:
    """Where `group` has committed nothing, commit what `former` had: topic → the group that read it before.

    What stands beside an offset is copied, too: it says which log was read. Kafka takes commits from outside only while
    a group has no members, so a second worker copies nothing over what the first has read. Raises KafkaError.
    """
    async with _admin(kafka) as admin:
        own = await _commits(admin, kafka, group)
        due: dict[TopicPartition, OffsetAndMetadata] = {}
        for topic, name in former.items():
            wanted = kafka.topic_prefix + topic
            found = await _commits(admin, kafka, name)
            due |= {place: at for place, at in found.items() if place.topic == wanted and place not in own}
    if due:
        await _commit(kafka, group, due)
        _log.info("goes on where an earlier version was", extra={"group": group, "partitions": len(due)})


async def _commits(admin: Any, kafka: KafkaConfig, group: str) -> dict[TopicPartition, OffsetAndMetadata]:
    offsets = await admin.list_consumer_group_offsets(kafka.topic_prefix + group)
    return {place: at for place, at in offsets.items() if at.offset >= 0}


async def _commit(kafka: KafkaConfig, group: str, due: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
    writer: Any = AIOKafkaConsumer(
        bootstrap_servers=list(kafka.bootstrap),
        client_id=CLIENT_ID,
        group_id=kafka.topic_prefix + group,
        enable_auto_commit=False,
    )
    await writer.start()
    try:
        writer.assign(list(due))
        await writer.commit(dict(due))
    finally:
        await writer.stop()


@asynccontextmanager
async def _admin(kafka: KafkaConfig) -> AsyncIterator[Any]:
    admin = AIOKafkaAdminClient(bootstrap_servers=list(kafka.bootstrap), client_id=CLIENT_ID)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()
