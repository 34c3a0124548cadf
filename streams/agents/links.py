"""The broadcast of links: every resolve worker reads the whole topic and applies it in its one order."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from schemas.config import KafkaConfig
from schemas.links import LINKS
from schemas.metrics import MetricName
from schemas.topics import TopicName
from schemas.touchpoints import ACCOUNT_INPUTS, Recall
from streams.ops.metrics import Meter
from streams.resolve.knowledge import Knowledge
from streams.transport.decode import decode
from streams.transport.kafka import GroupProgress, broadcast_consumer, group_consumer
from streams.transport.outbox import Outbox, Output

TOPIC: TopicName = "identity.links.v1"
RECALL_GROUP = "touchline-recall"
FORGET_EVERY_S = 5.0
_KNOWN: MetricName = "touchline_links_known"
_OFFSET: MetricName = "touchline_links_offset"
_log = logging.getLogger("touchline.links")


class LinksReader:
    """Keeps `knowledge` up to date, and the recalls that follow from each link until someone has sent them."""

    def __init__(self, kafka: KafkaConfig, meter: Meter) -> None:
        self.knowledge = Knowledge()
        self.recalls: deque[Recall] = deque()
        self._kafka = kafka
        self._meter = meter
        self._partition = TopicPartition(kafka.topic_prefix + TOPIC, 0)
        self._consumer: Any = None
        self._moved = asyncio.Condition()

    async def start(self) -> None:
        """Connect and read everything that is there now."""
        self._consumer = broadcast_consumer(self._kafka, "touchline-links")
        await self._consumer.start()
        self._consumer.assign([self._partition])
        await self._consumer.seek_to_beginning(self._partition)
        end = (await self._consumer.end_offsets([self._partition]))[self._partition]
        while await self._consumer.position(self._partition) < end:
            await self._read()
        self.knowledge.position = max(self.knowledge.position, end)
        _log.info("links known", extra={"links": len(self.knowledge.graph), "offset": end})

    async def run(self) -> None:
        """Follow the topic until cancelled."""
        while True:
            try:
                await self._read()
            except KafkaError as error:
                _log.warning("links cannot be read: %s", error)
                await asyncio.sleep(0.5)

    async def stop(self) -> None:
        """Safe to call twice."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()

    async def wait_for(self, position: int) -> None:
        """Return once the links up to `position` (offset + 1) are known."""
        async with self._moved:
            await self._moved.wait_for(lambda: self.knowledge.position >= position)

    async def _read(self) -> None:
        batches = await self._consumer.getmany(self._partition, timeout_ms=500)
        for records in batches.values():
            for record in records:
                self._apply(record.value or b"[]", record.offset + 1)
        if batches:
            self._meter.set(_KNOWN, len(self.knowledge.graph))
            self._meter.set(_OFFSET, self.knowledge.position)
            async with self._moved:
                self._moved.notify_all()

    def _apply(self, value: bytes, position: int) -> None:
        found = decode(value, LINKS)
        for _, link in found.items:
            self.recalls.extend(self.knowledge.apply(link, position))
        if found.refused:
            _log.error("links that cannot be read", extra={"offset": position - 1, "refused": len(found.refused)})
        self.knowledge.position = max(self.knowledge.position, position)


class RecallDuty:
    """Exactly one worker sends the recalls: the one that owns the links partition in the recall group.

    Its committed offset says which links' recalls are sent, so a crash sends some twice and none never.
    """

    def __init__(self, kafka: KafkaConfig, reader: LinksReader, outbox: Outbox) -> None:
        self._reader = reader
        self._outbox = outbox
        self._kafka = kafka
        self._partition = TopicPartition(kafka.topic_prefix + TOPIC, 0)
        self._progress = GroupProgress(kafka, RECALL_GROUP)
        self._sent: int | None = None
        self._consumer: Any = None

    async def start(self) -> None:
        """Join the group."""
        self._consumer = group_consumer(self._kafka, RECALL_GROUP, role="recall")
        self._consumer.subscribe([self._partition.topic])
        await self._consumer.start()

    async def run(self) -> None:
        """Send what is due while on duty; elsewhere forget what the one on duty has sent."""
        checked_at = 0.0
        while True:
            now = asyncio.get_running_loop().time()
            try:
                if self._partition in self._consumer.assignment():
                    await self._on_duty()
                else:
                    self._sent = None
                    if now - checked_at > FORGET_EVERY_S:
                        checked_at = now
                        self._forget((await self._progress.committed(TOPIC)).get(0, 0))
            except KafkaError as error:
                _log.warning("recalls wait for Kafka: %s", error)
                await asyncio.sleep(0.5)
            await asyncio.sleep(0.02)

    async def stop(self) -> None:
        """Leave the group; safe to call twice."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()
        await self._progress.close()

    async def _on_duty(self) -> None:
        """Send the recalls of links that nobody has sent, then commit how far that is."""
        if self._sent is None:
            self._consumer.pause(self._partition)
            self._sent = await self._consumer.committed(self._partition) or 0
            self._forget(self._sent)
        position = self._reader.knowledge.position
        if position > self._sent:
            await self._outbox.deliver([_output(recall) for recall in self._reader.recalls])
            await self._consumer.commit({self._partition: position})
            self._sent = position
            self._forget(position)

    def _forget(self, position: int) -> None:
        recalls = self._reader.recalls
        while recalls and recalls[0].knowledge <= position:
            recalls.popleft()


def _output(recall: Recall) -> Output:
    return ("touchpoints.attributed.v1", recall.account_id, ACCOUNT_INPUTS.dump_json([recall])[1:-1])
