"""Follows the log of people's actions, from its beginning."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from schemas.config import KafkaConfig
from schemas.incidents import ACTIONS
from schemas.topics import TopicName
from streams.incidents.actions import ActionLog
from streams.runtime.decode import decode
from streams.runtime.kafka import broadcast_consumer

TOPIC: Final[TopicName] = "incidents.actions.v1"
_POLL_MS = 500
_RETRY_S = 0.5
_log = logging.getLogger("touchline.alerts")


class Actions:
    """Keeps an ActionLog as the topic has it."""

    def __init__(self, kafka: KafkaConfig, log: ActionLog, acted: Callable[[Iterable[str]], None]) -> None:
        """`acted` hears the evidence that each new action names."""
        self._kafka, self._log, self._acted = kafka, log, acted
        self._partition = TopicPartition(kafka.topic_prefix + TOPIC, 0)

    async def run(self) -> None:
        """Until cancelled; Kafka being away is waited out."""
        while True:
            consumer = broadcast_consumer(self._kafka, "touchline-alerts-actions")
            try:
                await consumer.start()
                consumer.assign([self._partition])
                await consumer.seek_to_beginning(self._partition)
                while True:
                    self._learn(await consumer.getmany(self._partition, timeout_ms=_POLL_MS))
            except (KafkaError, OSError) as error:
                _log.warning("people's actions cannot be read: %s", error)
                await asyncio.sleep(_RETRY_S)
            finally:
                await consumer.stop()

    def _learn(self, found: dict[TopicPartition, list[Any]]) -> None:
        for record in found.get(self._partition, []):
            for _, action in decode(record.value or b"[]", ACTIONS).items:
                self._log.learn(action)
                self._acted(action.events)
