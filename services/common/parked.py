"""What Kafka says of the sources that are set aside: where each stands, what waits of it, and asking to resume one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Set
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from schemas.config import KafkaConfig
from schemas.errors import TransientError
from schemas.parking import PARKED, Standing
from schemas.topics import TopicName
from schemas.touchpoints import RAW
from services.common.records import consumer, history, producer
from streams.runtime.decode import decode, items_bytes
from streams.runtime.kafka import partitions
from streams.runtime.standings import TOPIC, Standings, said
from streams.runtime.writer import partition_of

PARKED_TOPIC: Final[TopicName] = "touchpoints.parked.v1"
POLL_S: Final = 1.0
PATIENCE_S: Final = 30.0
SAY_EVERY_S: Final = 5.0


async def standings_now(reader: Any, kafka: KafkaConfig) -> Standings:
    """Where the sources stand now. Raises KafkaAway."""
    found = Standings()
    async for record in history(reader, kafka, TOPIC):
        found.learn_record(record.value)
    return found


async def standings_of(kafka: KafkaConfig) -> Standings:
    """The same, by a connection of its own. Raises KafkaAway."""
    async with consumer(kafka) as reader:
        return await standings_now(reader, kafka)


@dataclass(slots=True)
class Unread:
    """The requests that wait unread in the parked topic, by their ids; begun before what is judged, read after it.

    So what is read by the pipeline in between counts as waiting: it is not judged, and never taken for lost.
    """

    kafka: KafkaConfig
    before: Standings
    ids: set[str] = field(default_factory=set)

    @classmethod
    async def begin(cls, reader: Any, kafka: KafkaConfig) -> Unread:
        """Note where the sources stand. Raises KafkaAway."""
        return cls(kafka, await standings_now(reader, kafka))

    @classmethod
    async def now(cls, reader: Any, kafka: KafkaConfig) -> Unread:
        """Begun and read at once: for what sends raw records again. Raises KafkaAway."""
        found = await cls.begin(reader, kafka)
        await found.read(reader)
        return found

    async def read(self, reader: Any) -> None:
        """Read what lies there now. Raises KafkaAway."""
        count = partitions(self.kafka, PARKED_TOPIC)
        async for record in history(reader, self.kafka, PARKED_TOPIC):
            for _, item in decode(record.value or b"[]", PARKED).items:
                source = item.request.source
                if record.offset >= self.before.unread_from(source, partition_of(source, count)):
                    self.ids.add(item.request.request_id)


def without(value: bytes, ids: Set[str]) -> tuple[bytes, int]:
    """A record's value without the requests of these ids, the others byte by byte; and how many it is without."""
    if not ids:
        return value, 0
    left = [index for index, request in decode(value, RAW).items if request.request_id in ids]
    if not left:
        return value, 0
    found = [item for index, item in enumerate(items_bytes(value)) if index not in left]
    return b"[" + b",".join(found) + b"]", len(left)


async def resume(kafka: KafkaConfig, source: str, say: Callable[[str], None]) -> dict[str, object]:
    """Ask that a source be read again, and wait until all that waits of it is. What was done.

    Raises KafkaAway, and TransientError when nobody does it; it stays asked for.
    """
    async with _watching(kafka) as look:
        found = await look()
        if not found.is_aside(source):
            return {"source": source, "state": "flowing", "replayed_requests": 0}
        waited = backlog.requests if (backlog := found.backlogs.get(source)) is not None else 0
        cause = "an operator resumed it"
        await _say_so(kafka, Standing(source=source, state="resuming", since=datetime.now(UTC), cause=cause))
        moved_s, said_s, last = time.monotonic(), time.monotonic(), found.backlogs.get(source)
        while (found := await look()).is_aside(source):
            now_s, backlog = time.monotonic(), found.backlogs.get(source)
            if backlog != last:
                moved_s, last = now_s, backlog
            if now_s - moved_s > PATIENCE_S:
                raise TransientError(f"`{source}` is to be resumed, and nobody does it: is `attribute` running?")
            if now_s - said_s > SAY_EVERY_S:
                said_s = now_s
                say(f"{source}: {backlog.requests if backlog is not None else 0} requests wait")
            await asyncio.sleep(POLL_S)
    return {"source": source, "state": "flowing", "replayed_requests": waited}


@asynccontextmanager
async def _watching(kafka: KafkaConfig) -> AsyncIterator[Callable[[], Any]]:
    async with consumer(kafka) as reader:
        yield lambda: standings_now(reader, kafka)


async def _say_so(kafka: KafkaConfig, standing: Standing) -> None:
    _, key, item = said(standing)
    async with producer(kafka) as writer:
        await writer.send_and_wait(kafka.topic_prefix + TOPIC, b"[" + item + b"]", key=key.encode(), partition=0)
