"""Where each source stands, read from its topic: whoever follows it knows what everyone else who does knows."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from schemas.config import KafkaConfig
from schemas.parking import STANDINGS, AnyStanding, Backlog, NotTaken, ReadProgress, Standing
from schemas.topics import TopicName
from streams.runtime.decode import decode
from streams.runtime.idle_polling import REST_MS
from streams.runtime.kafka import broadcast_consumer
from streams.runtime.outbox import Output

TOPIC: TopicName = "sources.standings.v1"
RETRY_S = 0.5
START_TIMEOUT_S = 30.0
POLL_MS = 500
_log = logging.getLogger("touchline.standings")


class Standings:
    """What is known; later items of one key take the place of earlier ones. A source nobody spoke of flows."""

    def __init__(self, on_flowing: Callable[[str], None] = lambda source: None) -> None:
        """`on_flowing` hears of each source that flows again."""
        self.of: dict[str, Standing] = {}
        self.backlogs: dict[str, Backlog] = {}
        self.looked: dict[int, int] = {}
        self._not_taken: dict[str, NotTaken] = {}
        self._on_flowing = on_flowing

    def learn(self, items: Iterable[AnyStanding]) -> None:
        """Items in the order of the log."""
        for item in items:
            if isinstance(item, ReadProgress):
                self.looked[item.partition] = item.looked
                self.backlogs |= {backlog.source: backlog for backlog in item.backlogs}
            elif isinstance(item, NotTaken):
                self._not_taken[item.key] = item
            else:
                self._stands(item)

    def learn_record(self, value: bytes | None) -> None:
        """A record of the log; what cannot be read is left out."""
        found = decode(value or b"[]", STANDINGS)
        if found.refused:
            _log.error("standings of another version", extra={"refused": len(found.refused)})
        self.learn(item for _, item in found.items)

    def is_aside(self, source: str) -> bool:
        """Whether what it sends is kept unread."""
        return (found := self.of.get(source)) is not None and found.state != "flowing"

    def unread_from(self, source: str, partition: int) -> int:
        """What lies there of a source from this offset on is not read yet; its partition of the parked topic."""
        backlog = self.backlogs.get(source)
        return backlog.position if backlog is not None and backlog.is_waiting else self.looked.get(partition, 0)

    @property
    def aside(self) -> list[Standing]:
        """Those that are, by name."""
        return [standing for _, standing in sorted(self.of.items()) if standing.state != "flowing"]

    def not_taken(self, since: datetime) -> list[NotTaken]:
        """What was not taken since then, all processes together: by source, the commonest first."""
        found: dict[tuple[str, str, str], NotTaken] = {}
        for one in self._not_taken.values():
            kind = (one.source, one.stage, one.reason)
            if one.last_at >= since:
                found[kind] = _added(found[kind], one) if kind in found else one
        return sorted(found.values(), key=lambda one: (one.source, -one.count, one.stage, one.reason))

    def _stands(self, standing: Standing) -> None:
        self.of[standing.source] = standing
        if standing.state == "flowing":
            self._on_flowing(standing.source)


class StandingsReader:
    """Keeps `standings` as the topic has them."""

    def __init__(self, kafka: KafkaConfig, standings: Standings, client_id: str = "touchline-standings") -> None:
        self.standings = standings
        self._kafka = kafka
        self._client_id = client_id
        self._partition = TopicPartition(kafka.topic_prefix + TOPIC, 0)
        self._consumer: Any = None

    async def start(self) -> None:
        """Connect and read all that is there now. Raises KafkaError; may be called again."""
        consumer = broadcast_consumer(self._kafka, self._client_id)
        try:
            await consumer.start()
            consumer.assign([self._partition])
            await consumer.seek_to_beginning(self._partition)
            end = (await consumer.end_offsets([self._partition]))[self._partition]
            while await consumer.position(self._partition) < end:
                await self._read(consumer)
        except BaseException:
            await consumer.stop()
            raise
        self._consumer = consumer

    async def run(self) -> None:
        """Follow the topic until cancelled."""
        while True:
            try:
                if self._consumer is None:  # the topic may not be there yet
                    async with asyncio.timeout(START_TIMEOUT_S):
                        await self.start()
                await self._read(self._consumer, REST_MS)
            except (KafkaError, OSError, TimeoutError) as error:
                _log.warning("where sources stand cannot be read: %s", error)
                await asyncio.sleep(RETRY_S)

    async def stop(self) -> None:
        """Safe to call twice."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()

    async def _read(self, consumer: Any, wait_ms: int = POLL_MS) -> None:
        for records in (await consumer.getmany(self._partition, timeout_ms=wait_ms)).values():
            for record in records:
                self.standings.learn_record(record.value)


def _added(one: NotTaken, other: NotTaken) -> NotTaken:
    last = max(one, other, key=lambda each: each.last_at)
    return last.changed(count=one.count + other.count, since=min(one.since, other.since))


def said(item: AnyStanding) -> Output:
    """An item as it is published."""
    return (TOPIC, item.key, item.encoded())
