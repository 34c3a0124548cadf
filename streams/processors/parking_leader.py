"""Which worker is the leader for the sources that are set aside: exactly one of the workers of `attribute`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from schemas.config import KafkaConfig
from streams.processors.parking_worker import LOOK_S, ParkingWorker
from streams.runtime.kafka import group_consumer
from streams.runtime.standings import TOPIC

GROUP = "touchline-parking"
RETRY_S = 0.5
_log = logging.getLogger("touchline.parking")


class ParkingLeader:
    """Exactly one worker is the leader: the one that owns the partition of the standings in a group of their own."""

    def __init__(self, kafka: KafkaConfig, make: Callable[[], ParkingWorker]) -> None:
        self._kafka = kafka
        self._make = make
        self._partition = TopicPartition(kafka.topic_prefix + TOPIC, 0)
        self._consumer: Any = None
        self._worker: ParkingWorker | None = None

    async def start(self) -> None:
        """Join the group."""
        self._consumer = group_consumer(self._kafka, GROUP, role="parking")
        self._consumer.subscribe([self._partition.topic])
        await self._consumer.start()

    async def run(self) -> None:
        """Work while this worker is the leader, until cancelled."""
        while True:
            try:
                moved = await self._round()
            except KafkaError as error:
                _log.warning("parked requests wait for Kafka: %s", error)
                await self._end()
                await asyncio.sleep(RETRY_S)
            else:
                await asyncio.sleep(0 if moved else LOOK_S)

    async def stop(self) -> None:
        """Leave the group; safe to call twice."""
        await self._end()
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()

    async def _round(self) -> bool:
        if self._partition not in self._consumer.assignment():
            await self._end()
            return False
        if self._worker is None:
            self._consumer.pause(self._partition)
            self._worker = self._make()
            await self._worker.begin()
        if await self._worker.is_cut():
            await self._end()
            return True
        return await self._worker.work()

    async def _end(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            await worker.end()
