"""Reading a topic up to where it ends now, and sending records again: what people ask once, no service's work."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from schemas.config import KafkaConfig
from schemas.errors import TransientError
from schemas.topics import TopicName
from streams.runtime import kafka as transport

CLIENT_ID = "touchline-cli"
POLL_MS = 500
STOP_AGAIN_AFTER_S = 3.0


class KafkaAway(TransientError):
    """Kafka does not answer."""


@asynccontextmanager
async def consumer(kafka: KafkaConfig) -> AsyncIterator[Any]:
    """A consumer without a group: it commits nothing. Raises KafkaAway."""
    reader = transport.broadcast_consumer(kafka, CLIENT_ID)
    async with _running(reader, kafka):
        yield reader


@asynccontextmanager
async def producer(kafka: KafkaConfig) -> AsyncIterator[Any]:
    """An idempotent producer that waits for all replicas. Raises KafkaAway."""
    writer = transport.producer(kafka, CLIENT_ID)
    async with _running(writer, kafka):
        yield writer


@asynccontextmanager
async def _running(client: Any, kafka: KafkaConfig) -> AsyncIterator[None]:
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())  # what it would say, the error says
    try:
        await client.start()
    except KafkaError as error:
        await client.stop()
        raise KafkaAway(f"Kafka at {', '.join(kafka.bootstrap)} does not answer") from error
    try:
        yield
    finally:
        # a stop that comes just after an assign is lost in aiokafka's fetcher; the second cancellation is not
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_AGAIN_AFTER_S):
                await client.stop()


Spans = dict[TopicPartition, tuple[int, int]]
"""Per partition the first offset there is, and the one after the last."""


async def spans(reader: Any, kafka: KafkaConfig, name: TopicName) -> Spans:
    """Where the topic begins and ends now. Leaves the reader assigned to it."""
    count = transport.partitions(kafka, name)
    return await _spans(reader, [TopicPartition(kafka.topic_prefix + name, number) for number in range(count)])


async def _spans(reader: Any, partitions: Sequence[TopicPartition]) -> Spans:
    reader.assign(partitions)  # first: only then does the client learn where they are
    first, end = await reader.beginning_offsets(partitions), await reader.end_offsets(partitions)
    return {partition: (first[partition], end[partition]) for partition in partitions}


async def spans_since(reader: Any, kafka: KafkaConfig, name: TopicName, since: datetime | None) -> Spans:
    """`spans`, from the first record that came at `since` or later."""
    found = await spans(reader, kafka, name)
    if since is None:
        return found
    at = await reader.offsets_for_times({partition: int(since.timestamp() * 1000) for partition in found})
    return {tp: (at[tp].offset if at[tp] else end, end) for tp, (_, end) in found.items()}


async def history(reader: Any, kafka: KafkaConfig, name: TopicName, *, newest: int | None = None) -> AsyncIterator[Any]:
    """Every record of the topic up to where it ends now, partition by partition; the `newest` of each, if given."""
    found = await spans(reader, kafka, name)
    if newest is not None:
        found = {partition: (max(first, end - newest), end) for partition, (first, end) in found.items()}
    async for record in records_of(reader, found):
        yield record


async def records_of(reader: Any, spans: Spans) -> AsyncIterator[Any]:
    """Every record of these spans, partition by partition."""
    for partition, (first, end) in spans.items():
        reader.seek(partition, first)
        while await reader.position(partition) < end:
            batches = await reader.getmany(partition, timeout_ms=POLL_MS)
            for record in batches.get(partition, []):
                if record.offset < end:
                    yield record


async def record_at(reader: Any, topic: str, partition: int, offset: int) -> Any | None:
    """One record; None when retention took it away or it never was."""
    place = TopicPartition(topic, partition)
    first, end = (await _spans(reader, [place]))[place]
    if not first <= offset < end:
        return None
    reader.seek(place, offset)
    while await reader.position(place) <= offset:
        for record in (await reader.getmany(place, timeout_ms=POLL_MS, max_records=1)).get(place, []):
            return record if record.offset == offset else None
    return None


async def send_again(writer: Any, record: Any, value: bytes | None = None) -> Awaitable[object]:
    """Send a record once more, to the partition it was in; `value` in place of its own, if given.

    Returns what resolves with Kafka's ack.
    """
    headers = list(record.headers or ())
    future: Awaitable[object] = await writer.send(
        record.topic,
        record.value if value is None else value,
        key=record.key,
        partition=record.partition,
        headers=headers,
    )
    return future
