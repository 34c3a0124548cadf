"""What Kafka says, read once for all checks: topics, groups, and how far they are at two moments."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError
from aiokafka.protocol.admin import ApiVersionRequest

from schemas.config import KafkaConfig
from schemas.processes import GROUPS
from schemas.topics import FORMER, TOPICS
from services.common.records import KafkaAway, consumer
from streams.runtime.kafka import broadcast_consumer

PROBE_GROUP = "touchline-doctor"
OFFSETS_TOPIC = "__consumer_offsets"
TIMEOUT_S = 30.0
READ_BACK_S = 5.0
PROBES = 4

Offsets = Mapping[tuple[str, int], int]
"""(topic without prefix, partition) → offset."""


@dataclass(frozen=True, slots=True)
class TopicSeen:
    """A topic as the broker describes it; `replication` is that of the partition with the fewest replicas."""

    partitions: int
    replication: int
    in_sync: int
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class GroupSeen:
    """A stage's group: members, and per partition what it had committed at the first look and at the second."""

    members: int
    before: Offsets
    after: Offsets


@dataclass(frozen=True, slots=True)
class KafkaSeen:
    """`ends`: where the topics ended at the first look, `begins`: the first offset there is.

    `ahead_s`: by how much the broker's clock is ahead of ours; None where it cannot be learnt.
    """

    brokers: int
    apis: Mapping[int, tuple[int, int]]
    topics: Mapping[str, TopicSeen]
    groups: Mapping[str, GroupSeen]
    ends: Offsets
    begins: Offsets
    ahead_s: float | None

    def lag(self, stage: str) -> int:
        """Records that were there at the first look and are not committed at the second."""
        done = self.groups[stage].after
        places = [place for place in self.ends if place[0] in GROUPS[stage].reads]
        return sum(max(self.ends[at] - max(done.get(at, 0), self.begins.get(at, 0)), 0) for at in places)


def look(kafka: KafkaConfig, look_s: float) -> KafkaSeen:
    """Look, wait `look_s`, look again at what should move. Raises KafkaAway."""
    try:
        return asyncio.run(_look_in_time(kafka, look_s))
    except (KafkaError, OSError, TimeoutError) as error:
        raise KafkaAway(f"Kafka at {', '.join(kafka.bootstrap)} does not answer as it should: {error!r}") from error


async def _look_in_time(kafka: KafkaConfig, look_s: float) -> KafkaSeen:
    async with asyncio.timeout(TIMEOUT_S + look_s):
        return await _look(kafka, look_s)


async def _look(kafka: KafkaConfig, look_s: float) -> KafkaSeen:
    async with consumer(kafka) as reader:
        admin: Any = AIOKafkaAdminClient(bootstrap_servers=list(kafka.bootstrap), client_id="touchline-doctor")
        await admin.start()
        try:
            topics = await _topics(admin, kafka)
            places = [TopicPartition(kafka.topic_prefix + n, p) for n, t in topics.items() for p in range(t.partitions)]
            reader.assign(places)
            ends, begins = await reader.end_offsets(places), await reader.beginning_offsets(places)
            before = {stage: await _committed(admin, kafka, stage) for stage in GROUPS}
            ahead_s = await _ahead(admin, kafka, places) if places else None
            await asyncio.sleep(look_s)
            groups = {
                stage: GroupSeen(
                    await _members(admin, kafka, stage), before[stage], await _committed(admin, kafka, stage)
                )
                for stage in GROUPS
            }
            brokers = len((await admin.describe_cluster())["brokers"])
            apis = await _apis(admin)
        finally:
            await admin.close()
    return KafkaSeen(brokers, apis, topics, groups, _named(kafka, ends), _named(kafka, begins), ahead_s)


def _named(kafka: KafkaConfig, offsets: Mapping[TopicPartition, int]) -> Offsets:
    return {(tp.topic.removeprefix(kafka.topic_prefix), tp.partition): offset for tp, offset in offsets.items()}


async def _topics(admin: Any, kafka: KafkaConfig) -> dict[str, TopicSeen]:
    there = set(await admin.list_topics())
    names = [kafka.topic_prefix + name for name in TOPICS | FORMER if kafka.topic_prefix + name in there]
    if not names:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    settings = {
        resource[3]: {entry[0]: str(entry[1]) for entry in resource[4]}
        for answer in await admin.describe_configs(resources)
        for resource in answer.resources
    }
    return {
        described["topic"].removeprefix(kafka.topic_prefix): TopicSeen(
            len(described["partitions"]),
            # one that is being made or deleted has none at that moment
            min((len(partition["replicas"]) for partition in described["partitions"]), default=0),
            min((len(partition["isr"]) for partition in described["partitions"]), default=0),
            settings.get(described["topic"], {}),
        )
        for described in await admin.describe_topics(names)
    }


def _group(kafka: KafkaConfig, stage: str) -> str:
    return f"{kafka.topic_prefix}touchline-{stage}"


async def _committed(admin: Any, kafka: KafkaConfig, stage: str) -> Offsets:
    try:
        found = await admin.list_consumer_group_offsets(_group(kafka, stage))
    except KafkaError:  # a fresh cluster has no coordinator before the first group
        return {}
    return _named(kafka, {tp: meta.offset for tp, meta in found.items() if meta.offset >= 0})


async def _members(admin: Any, kafka: KafkaConfig, stage: str) -> int:
    try:
        answers = await admin.describe_consumer_groups([_group(kafka, stage)])
    except KafkaError:
        return 0
    return sum(len(group[5]) for answer in answers for group in answer.groups)


async def _apis(admin: Any) -> dict[int, tuple[int, int]]:
    """What the broker speaks: number of a request → its oldest and newest version."""
    client = admin._client  # the admin client has no call for this
    answer = await client.send(client.get_random_node(), ApiVersionRequest())
    return {key: (oldest, newest) for key, oldest, newest, *_ in answer.api_versions}


async def _ahead(admin: Any, kafka: KafkaConfig, places: list[TopicPartition]) -> float | None:
    """`_probed`, asked again while a fresh cluster makes the offsets' topic; None where it may not be read."""
    for _ in range(PROBES):
        with suppress(KafkaError):
            if (found := await _probed(admin, kafka, places)) is not None:
                return found
        await asyncio.sleep(1)
    return None


async def _probed(admin: Any, kafka: KafkaConfig, places: list[TopicPartition]) -> float | None:
    """A commit is stored with the broker's own time: make one in a group of our own, and read it back."""
    group = kafka.topic_prefix + PROBE_GROUP
    committer = AIOKafkaConsumer(
        bootstrap_servers=list(kafka.bootstrap), group_id=group, client_id=PROBE_GROUP, enable_auto_commit=False
    )
    reader = broadcast_consumer(kafka, PROBE_GROUP)
    await asyncio.gather(committer.start(), reader.start())
    try:
        committer.assign(places[:1])
        await committer.commit({places[0]: 0})  # a fresh cluster makes the offsets' topic with its first commit
        (described,) = await admin.describe_topics([OFFSETS_TOPIC])
        if not described["partitions"]:
            return None
        place = TopicPartition(OFFSETS_TOPIC, partition_of(group, len(described["partitions"])))
        reader.assign([place])
        reader.seek(place, (await reader.end_offsets([place]))[place])
        sent_s = time.time()
        await committer.commit({places[0]: 0})
        acked_s = time.time()
        while time.time() < acked_s + READ_BACK_S:  # other groups' commits come in between
            for record in (await reader.getmany(place, timeout_ms=500)).get(place, []):
                if record.key and group.encode() in record.key:
                    return _outside(record.timestamp / 1000, sent_s, acked_s)
        return None
    finally:
        await asyncio.gather(committer.stop(), reader.stop())


def _outside(at_s: float, sent_s: float, acked_s: float) -> float:
    """How far a moment lies outside the span in which it must lie; 0 within, negative before."""
    return max(at_s - acked_s, 0.0) + min(at_s + 0.001 - sent_s, 0.0)


def partition_of(group: str, partitions: int) -> int:
    """The partition of the offsets' topic that the broker keeps a group in: GroupCoordinatorService.partitionFor."""
    code = 0  # as String.hashCode of Java
    for char in group:
        code = (31 * code + ord(char)) & 0xFFFFFFFF
    return min(code, (1 << 32) - code) % (1 << 31) % partitions
