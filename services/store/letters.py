"""Dead letters of the sink: the original bytes, why, and where they came from."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Sequence
from datetime import datetime
from typing import Final, Protocol
from uuid import NAMESPACE_URL, uuid5

from aiokafka.errors import KafkaError

from schemas.errors import TouchlineError
from schemas.topics import TopicName
from schemas.touchpoints import DeadLetter
from services.store.decode import Refused

STAGE: Final = "sink"
DEAD_TOPIC: Final[TopicName] = "touchpoints.dead.v1"


class DeadLettersUnavailable(TouchlineError):
    """The dead-letter topic cannot be written: stop, do not drop."""


class Producer(Protocol):
    """The part of AIOKafkaProducer used here."""

    async def send(self, topic: str, value: bytes, key: bytes) -> Awaitable[object]: ...


def letter(refused: Refused, origin: tuple[str, int, int], failed_at: datetime) -> DeadLetter:
    """The letter for one item; the same item of the same record has the same id, however often it fails.

    `origin` is (topic, partition, offset).
    """
    topic, partition, offset = origin
    original, encoding = _as_text(refused.original)
    return DeadLetter(
        letter_id=str(uuid5(NAMESPACE_URL, f"{STAGE}/{topic}/{partition}/{offset}/{refused.index}")),
        stage=STAGE,
        reason=refused.reason,
        message=refused.message,
        original=original,
        encoding="utf-8" if encoding == "utf-8" else "base64",
        origin_topic=topic,
        origin_partition=partition,
        origin_offset=offset,
        origin_index=refused.index,
        failed_at=failed_at,
    )


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


def _as_text(original: bytes) -> tuple[str, str]:
    try:
        return original.decode(), "utf-8"
    except UnicodeDecodeError:
        return base64.b64encode(original).decode(), "base64"
