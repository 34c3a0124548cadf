"""Follows a topic that everyone reads whole: all that is there, and then what comes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from schemas.config import KafkaConfig
from schemas.topics import TopicName
from streams.runtime.idle_polling import REST_MS
from streams.runtime.kafka import broadcast_consumer, partitions

RETRY_S: Final = 0.5
Learn = Callable[[str, bytes | None], None]
_log = logging.getLogger("touchline.follower")


class Follower:
    """Hands every record to `learn` as (key, value), in the order of each partition; anew after Kafka was away.

    newest: begin so many records before the end of a partition; 0: at its beginning.
    """

    def __init__(self, kafka: KafkaConfig, topic: TopicName, learn: Learn, client_id: str, *, newest: int = 0) -> None:
        self._kafka, self._topic, self._learn, self._client_id = kafka, kafka.topic_prefix + topic, learn, client_id
        self._count, self._newest = partitions(kafka, topic), newest
        self._said = ""

    async def run(self) -> None:
        """Until cancelled; Kafka being away, or the topic not being there yet, is waited out."""
        while True:
            consumer = broadcast_consumer(self._kafka, self._client_id)
            try:
                await consumer.start()
                await self._follow(consumer)
            except (KafkaError, OSError) as error:
                self._notice(f"{self._topic} cannot be read: {error}")
                await asyncio.sleep(RETRY_S)
            finally:
                await consumer.stop()

    async def _follow(self, consumer: Any) -> None:
        places = [TopicPartition(self._topic, number) for number in range(self._count)]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        if self._newest:
            begins, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
            for place in places:
                consumer.seek(place, max(begins[place], ends[place] - self._newest))
        self._said = ""
        while True:
            for records in (await consumer.getmany(*places, timeout_ms=REST_MS)).values():
                for record in records:
                    self._learn((record.key or b"").decode(errors="replace"), record.value)

    def _notice(self, problem: str) -> None:
        """One line when the problem changes, not one a retry."""
        if problem != self._said:
            _log.warning("%s", problem)
        self._said = problem
