"""Putting the sink's dead letters where they last."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Final, Protocol

from aiokafka.errors import KafkaError

from schemas.errors import TouchlineError
from schemas.topics import TopicName
from schemas.touchpoints import DeadLetter

STAGE: Final = "sink"
DEAD_TOPIC: Final[TopicName] = "touchpoints.dead.v1"


class DeadLettersUnavailable(TouchlineError):
    """The dead-letter topic cannot be written: stop, do not drop."""


class Producer(Protocol):
    """The part of AIOKafkaProducer used here."""

    async def send(self, topic: str, value: bytes, key: bytes) -> Awaitable[object]: ...


async def deliver(producer: Producer, topic_prefix: str, letters: Sequence[DeadLetter]) -> None:
    """Returns when Kafka has acked every letter. Raises DeadLettersUnavailable."""
    try:
        acks = [
            await producer.send(
                topic_prefix + DEAD_TOPIC,
                value=b"[" + found.model_dump_json().encode() + b"]",
                key=found.letter_id.encode(),
            )
            for found in letters
        ]
        await asyncio.gather(*acks)
    except KafkaError as error:
        raise DeadLettersUnavailable(f"{topic_prefix}{DEAD_TOPIC} cannot be written: {error}") from error
