"""Raw records sent through the pipeline again, chosen one by one.

Requests that wait unread, because their source is set aside, are left out: they are still to be read, and would wait
there twice.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from schemas.config import KafkaConfig
from schemas.topics import TopicName
from services.common.parked import Unread, without
from services.common.records import consumer, producer, records_of, send_again, spans_since

TOPIC: Final[TopicName] = "touchpoints.raw.v1"
WINDOW: Final = 500
"""Records that wait for Kafka's ack at once."""
SAY_EVERY_S: Final = 10.0


@dataclass(slots=True)
class Resent:
    """How far it has come, in records; `left_out` are requests."""

    total: int = 0
    looked: int = 0
    sent: int = 0
    left_out: int = 0
    passed_s: float = 0.0


async def resend(
    kafka: KafkaConfig,
    is_wanted: Callable[[bytes], bool],
    said: Callable[[Resent], None],
    *,
    since: datetime | None = None,
    rate_per_s: float = 0.0,
) -> Resent:
    """Send each record again that came at `since` or later and is wanted; `said` gets the progress now and then.

    At most `rate_per_s` (0: as fast as Kafka acks). Raises KafkaAway.
    """
    done, began_s = Resent(), time.monotonic()
    said_s = began_s
    waiting: list[Awaitable[object]] = []
    async with consumer(kafka) as reader, producer(kafka) as writer:
        unread = await Unread.now(reader, kafka)
        wanted = await spans_since(reader, kafka, TOPIC, since)
        done.total = sum(end - first for first, end in wanted.values())
        async for record in records_of(reader, wanted):
            kept, left = without(record.value or b"[]", unread.ids)
            done.looked += 1
            done.left_out += left
            if is_wanted(kept):
                waiting.append(await send_again(writer, record, kept))
                done.sent += 1
            if len(waiting) >= WINDOW:
                await asyncio.gather(*waiting)
                waiting.clear()
            if rate_per_s:
                await asyncio.sleep(max(0.0, began_s + done.sent / rate_per_s - time.monotonic()))
            done.passed_s = time.monotonic() - began_s
            if time.monotonic() - said_s > SAY_EVERY_S:
                said_s = time.monotonic()
                said(done)
        await asyncio.gather(*waiting)
    done.passed_s = time.monotonic() - began_s
    return done
