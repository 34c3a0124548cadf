"""Topics of a Kafka cluster to files and back, with the offsets that they had and how far each group had read.

Offsets are part of what is stored: they number what is known of identity, and name dead letters. So a topic comes back
with every record at its place, and with empty ones where retention or compaction had taken some.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from schemas.base import Contract
from schemas.config import KafkaConfig
from schemas.topics import FORMER, TOPICS, TopicName
from services.cli.backup.manifest import BackupRefused
from services.cli.backup.records import Record, read, without_holes, write
from services.common.records import (
    CLIENT_ID,
    KafkaAway,
    consumer,
    producer,
    record_at,
    records_of,
    spans,
)
from streams.runtime.topics_admin import ensure_topics

FOLDER: Final = "topics"
_WINDOW: Final = 2_000
Say = Callable[[str], None]
Places = list[tuple[TopicName, int, int]]
"""(topic without prefix, partition, offset)."""


class Progress(Contract):
    """Where every partition ended, and how far each group had read."""

    ends: Places
    groups: dict[str, Places]


async def committed(kafka: KafkaConfig) -> dict[str, Places]:
    """How far each group has read our topics. Raises KafkaAway."""
    ours = {kafka.topic_prefix + name: name for name in TOPICS | FORMER}
    async with _admin(kafka) as admin:
        found: dict[str, Places] = {}
        for group, *_ in await admin.list_consumer_groups():
            offsets = await admin.list_consumer_group_offsets(group)
            places = [(ours[tp.topic], tp.partition, at.offset) for tp, at in offsets.items() if tp.topic in ours]
            if places and group.startswith(kafka.topic_prefix):
                found[group.removeprefix(kafka.topic_prefix)] = sorted(places)
        return found


async def save(kafka: KafkaConfig, root: Path, say: Say) -> Places:
    """Every topic as it is now, a file a partition below `root`; where each partition ended. Raises KafkaAway."""
    (root / FOLDER).mkdir(mode=0o700)
    ends: Places = []
    names = await _there(kafka)
    async with consumer(kafka) as reader:
        for name in names:
            count = 0
            for place, span in (await spans(reader, kafka, name)).items():
                ends.append((name, place.partition, span[1]))
                with (root / file_of(name, place.partition)).open("xb") as file:
                    async for record in records_of(reader, {place: span}):
                        write(file, _kept(record))
                        count += 1
            say(f"{name}: {count:,} records")
    return ends


async def _there(kafka: KafkaConfig) -> list[TopicName]:
    """All topics; of those that earlier versions wrote, the ones that are there."""
    async with _admin(kafka) as admin:
        found = set(await admin.list_topics())
    return [*TOPICS, *(name for name in FORMER if kafka.topic_prefix + name in found)]


def file_of(name: TopicName, partition: int) -> str:
    """Where the records of a partition are, below the backup's content."""
    return f"{FOLDER}/{name}-{partition}"


async def bring(kafka: KafkaConfig, root: Path, progress: Progress, say: Say) -> None:
    """Makes the topics what `save` saw, and the groups continue where they were. A killed one is run again.

    Raises BackupRefused: a topic holds something else, has other partitions, or a stage is running. Raises KafkaAway.
    """
    await ensure_topics(kafka, former={name for name, *_ in progress.ends if name in FORMER})
    async with _admin(kafka) as admin:
        await _refuse_running(admin, [kafka.topic_prefix + group for group in progress.groups])
    async with consumer(kafka) as reader, producer(kafka) as writer:
        begun = await _begun(reader, kafka, root, progress)
        for name, number, end in progress.ends:
            await _send(writer, kafka, root / file_of(name, number), (name, number, end), begun[name, number])
            say(f"{name}-{number}: {end:,} offsets")
    for group, places in progress.groups.items():
        await _commit(kafka, kafka.topic_prefix + group, places)


async def _refuse_running(admin: AIOKafkaAdminClient, groups: list[str]) -> None:
    for answer in await admin.describe_consumer_groups(groups) if groups else ():
        for _, group, state, *_ in answer.groups:
            if state not in ("Empty", "Dead"):
                raise BackupRefused(f"{group} is running: stop all but Kafka and ClickHouse, then restore again")


async def _begun(reader: Any, kafka: KafkaConfig, root: Path, progress: Progress) -> dict[tuple[str, int], int]:
    """How far a restore of this very backup has come with each partition: its last record is looked at."""
    begun: dict[tuple[str, int], int] = {}
    counts = {name: len(await spans(reader, kafka, name)) for name in {name for name, *_ in progress.ends}}
    for name, number, end in progress.ends:
        if number >= counts[name]:
            raise BackupRefused(f"{name} has {counts[name]} partitions, in the backup more: set `kafka.partitions`")
        found = await spans(reader, kafka, name)
        place = TopicPartition(kafka.topic_prefix + name, number)
        _, there = found[place]
        if there and (there > end or not await _is_ours(reader, place, there - 1, root / file_of(name, number), end)):
            raise BackupRefused(
                f"{place.topic} holds records that are not of this backup: restore into a new cluster, or set another "
                "`kafka.topic_prefix`"
            )
        begun[name, number] = there
    return begun


async def _is_ours(reader: Any, place: TopicPartition, offset: int, file: Path, end: int) -> bool:
    found = await record_at(reader, place.topic, place.partition, offset)
    with file.open("rb") as opened:
        wanted = next(without_holes(read(opened), offset, end), None)
    if found is None or wanted is None:
        return False  # retention took it: whatever this is, it was not written a moment ago
    return (found.key, found.value) == (wanted.key, wanted.value)


async def _send(writer: Any, kafka: KafkaConfig, file: Path, place: tuple[TopicName, int, int], since: int) -> None:
    name, number, end = place
    waiting: list[Awaitable[Any]] = []
    with file.open("rb") as opened:
        for record in without_holes(read(opened), since, end):
            waiting.append(
                await writer.send(
                    kafka.topic_prefix + name,
                    record.value,
                    key=record.key,
                    partition=number,
                    timestamp_ms=record.at_ms,
                    headers=list(record.headers),
                )
            )
            if len(waiting) >= _WINDOW:
                await asyncio.gather(*waiting)
                waiting.clear()
        await asyncio.gather(*waiting)


async def _commit(kafka: KafkaConfig, group: str, places: Places) -> None:
    """Without what a commit says of the log it was made in: that one is another."""
    reader = AIOKafkaConsumer(
        bootstrap_servers=list(kafka.bootstrap), group_id=group, enable_auto_commit=False, client_id=CLIENT_ID
    )
    await reader.start()
    try:
        offsets = {TopicPartition(kafka.topic_prefix + name, number): offset for name, number, offset in places}
        reader.assign(list(offsets))
        await reader.commit(offsets)
    finally:
        await reader.stop()


def _kept(record: Any) -> Record:
    return Record(record.offset, record.timestamp, record.key, record.value, tuple(record.headers or ()))


@asynccontextmanager
async def _admin(kafka: KafkaConfig) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=list(kafka.bootstrap), client_id=CLIENT_ID)
    try:
        await admin.start()
    except KafkaError as error:
        await admin.close()
        raise KafkaAway(f"Kafka at {', '.join(kafka.bootstrap)} does not answer") from error
    try:
        yield admin
    finally:
        await admin.close()
