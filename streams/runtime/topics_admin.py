"""Topics: made by our code from the catalogue, refused when they exist with other partitions."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from schemas.config import KafkaConfig
from schemas.errors import ConfigurationError, TransientError
from schemas.topics import FORMER, TOPICS, Topic, TopicName

_HOUR_MS: Final = 3_600_000
_log = logging.getLogger("touchline.topics")


def partitions_of(topic: Topic, kafka: KafkaConfig) -> int:
    """How many partitions the catalogue and the configuration give a topic."""
    return 1 if topic.single else kafka.partitions


def roll_hours(hours: int) -> int:
    """After how long a topic that keeps records for `hours` begins a new file: whole files are dropped."""
    return min(24, hours)


def settings_of(topic: Topic, kafka: KafkaConfig) -> dict[str, str]:
    """A topic's own broker settings."""
    settings = {
        "cleanup.policy": topic.cleanup,
        "max.message.bytes": str(topic.max_message_bytes),
        "min.insync.replicas": str(kafka.min_insync),
    }
    if topic.cleanup == "delete":
        hours = kafka.hours_of(topic.name)
        settings["retention.ms"] = str(hours * _HOUR_MS)
        settings["retention.bytes"] = str(kafka.retention_bytes)
        # what is written to is never dropped: a slow topic would keep its first record for as long again
        settings["segment.ms"] = str(roll_hours(hours) * _HOUR_MS)
    else:
        # without it a key that is told anew, or erased, may keep its former value for ever
        settings["max.compaction.lag.ms"] = settings["delete.retention.ms"] = str(kafka.compaction_hours * _HOUR_MS)
    return settings | topic.extra


async def ensure_topics(
    kafka: KafkaConfig, *, deadline_s: float = 60.0, former: Collection[TopicName] = ()
) -> list[str]:
    """Make what is missing, check what is there; returns the names made.

    `former`: those of earlier versions that are made, too: nobody else makes them.

    Raises ConfigurationError when a topic has other partitions (keys would move), TransientError
    when Kafka stays away until the deadline.
    """
    until = time.monotonic() + deadline_s
    while True:
        try:
            return await _ensure(kafka, former)
        except (KafkaError, OSError) as error:
            if time.monotonic() > until:
                raise TransientError(f"Kafka at {', '.join(kafka.bootstrap)} does not answer: {error}") from error
            await asyncio.sleep(0.3)


async def _ensure(kafka: KafkaConfig, former: Collection[TopicName]) -> list[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=list(kafka.bootstrap), client_id="touchline-topics")
    await admin.start()
    try:
        known = {kafka.topic_prefix + name: topic for name, topic in (TOPICS | FORMER).items()}
        there = set(await admin.list_topics())
        # those of earlier versions, too: what they hold is kept no longer than the configuration says
        await _check(admin, {name: topic for name, topic in known.items() if name in there}, kafka)
        wanted = {name: topic for name, topic in known.items() if topic.name in TOPICS or topic.name in former}
        missing = {name: topic for name, topic in wanted.items() if name not in there}
        await _create(admin, missing, kafka)
        return sorted(missing)
    finally:
        await admin.close()


async def _check(admin: AIOKafkaAdminClient, found: dict[str, Topic], kafka: KafkaConfig) -> None:
    for described in await admin.describe_topics(list(found)) if found else []:
        name, count = described["topic"], len(described["partitions"])
        wanted = partitions_of(found[name], kafka)
        if count != wanted:
            raise ConfigurationError(
                f"topic `{name}` has {count} partitions, the configuration says {wanted}: keys would move to other "
                f"partitions. Set `kafka.partitions: {count}`, or use another `kafka.topic_prefix`"
            )
    if found:  # in one request: each is a write of the controller's, and every stage waits for it at its start
        topics = [ConfigResource(ConfigResourceType.TOPIC, name, settings_of(t, kafka)) for name, t in found.items()]
        await admin.alter_configs(topics)


async def _create(admin: AIOKafkaAdminClient, missing: dict[str, Topic], kafka: KafkaConfig) -> None:
    if not missing:
        return
    answer = await admin.create_topics(
        [
            NewTopic(name, partitions_of(topic, kafka), kafka.replication, topic_configs=settings_of(topic, kafka))
            for name, topic in missing.items()
        ]
    )
    for name, code, *rest in answer.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            raise error(f"{name}: {rest[0] if rest else ''}")
    _log.info("topics made", extra={"topics": len(missing)})
