"""How far the sink is: what an account's writer has told is stored once the sink has committed past it."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from aiokafka.errors import KafkaError

from schemas.config import KafkaConfig
from schemas.topics import TopicName
from streams.transport.kafka import GroupProgress

FACTS: TopicName = "journey.facts.v1"
SINK_GROUP = "touchline-sink"
POLL_S = 0.1
IDLE_POLL_S = 1.0
_log = logging.getLogger("touchline.progress")


class SinkProgress:
    """Waits for the sink; asks Kafka often only while someone waits."""

    def __init__(self, kafka: KafkaConfig) -> None:
        self._progress = GroupProgress(kafka, SINK_GROUP)
        self._committed: dict[int, int] = {}
        self._wanted = asyncio.Event()
        self._moved = asyncio.Condition()
        self._waiting = 0

    def has(self, partition: int, offset: int) -> bool:
        """Whether facts before `offset` are known to be stored."""
        return self._committed.get(partition, 0) >= offset

    async def reached(self, partition: int, offset: int) -> None:
        """Return once every fact of the partition before `offset` is stored."""
        if self.has(partition, offset):
            return
        self._waiting += 1
        self._wanted.set()
        try:
            async with self._moved:
                await self._moved.wait_for(lambda: self.has(partition, offset))
        finally:
            self._waiting -= 1

    async def run(self) -> None:
        """Poll while someone waits, now and then otherwise, so that `has` is never far behind; until cancelled."""
        while True:
            if not self._waiting:
                self._wanted.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wanted.wait(), IDLE_POLL_S)
            try:
                self._committed = await self._progress.committed(FACTS)
            except (KafkaError, OSError) as error:
                _log.warning("the sink's progress cannot be read: %s", error)
                await self._progress.close()
            async with self._moved:
                self._moved.notify_all()
            await asyncio.sleep(POLL_S)

    async def close(self) -> None:
        """Safe to call twice."""
        await self._progress.close()
