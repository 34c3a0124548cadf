"""Who is on duty for the sources that are set aside: exactly one of the workers of `normalise`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from schemas.config import KafkaConfig
from streams.processors.parking_worker import LOOK_S, Shift
from streams.runtime.kafka import group_consumer
from streams.runtime.standings import TOPIC

GROUP = "touchline-parking"
RETRY_S = 0.5
_log = logging.getLogger("touchline.parking")


class Parking:
    """Exactly one worker is on duty: the one that owns the partition of the standings in a group of their own."""

    def __init__(self, kafka: KafkaConfig, make: Callable[[], Shift]) -> None:
        self._kafka = kafka
        self._make = make
        self._partition = TopicPartition(kafka.topic_prefix + TOPIC, 0)
        self._consumer: Any = None
        self._shift: Shift | None = None

    async def start(self) -> None:
        """Join the group."""
        self._consumer = group_consumer(self._kafka, GROUP, role="parking")
        self._consumer.subscribe([self._partition.topic])
        await self._consumer.start()

    async def run(self) -> None:
        """Work while on duty, until cancelled."""
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
        if self._shift is None:
            self._consumer.pause(self._partition)
            self._shift = self._make()
            await self._shift.begin()
        if await self._shift.is_cut():
            await self._end()
            return True
        return await self._shift.work()

    async def _end(self) -> None:
        shift, self._shift = self._shift, None
        if shift is not None:
            await shift.end()
