"""`touchline replay`: every raw request Kafka still has, or those since a time, sent through the pipeline again.

No figure may change by it: ids come from the events, and everything downstream overwrites by id. Requests that wait
unread, because their source is set aside, are left out: they are still to be read, and would wait there twice.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final

from schemas.config import KafkaConfig
from schemas.topics import TopicName
from services.common.parked import Unread, without
from services.common.records import consumer, producer, records_of, send_again, spans_since

TOPIC: Final[TopicName] = "touchpoints.raw.v1"
WINDOW = 500
SAY_EVERY_S = 10.0


async def replay_raw(
    kafka: KafkaConfig, say: Callable[[str], None], *, since: datetime | None = None, rate_per_s: float = 0.0
) -> dict[str, object]:
    """Send each raw record again that came at `since` or later; what was done. Raises KafkaAway.

    At most `rate_per_s` (0: as fast as Kafka acks).
    """
    began_s = said_s = time.monotonic()
    sent = left_out = 0
    waiting: list[Awaitable[object]] = []
    async with consumer(kafka) as reader, producer(kafka) as writer:
        unread = await Unread.now(reader, kafka)
        wanted = await spans_since(reader, kafka, TOPIC, since)
        total = sum(end - first for first, end in wanted.values())
        async for record in records_of(reader, wanted):
            kept, left = without(record.value or b"[]", unread.ids)
            left_out += left
            if left and kept == b"[]":
                continue
            waiting.append(await send_again(writer, record, kept))
            sent += 1
            if len(waiting) >= WINDOW:
                await asyncio.gather(*waiting)
                waiting.clear()
            if rate_per_s:
                await asyncio.sleep(max(0.0, began_s + sent / rate_per_s - time.monotonic()))
            if time.monotonic() - said_s > SAY_EVERY_S:
                said_s = time.monotonic()
                say(_progress(sent, total, said_s - began_s))
        await asyncio.gather(*waiting)
    return {"records": sent, "parked_requests_left_out": left_out, "duration_s": round(time.monotonic() - began_s, 3)}


def _progress(sent: int, total: int, passed_s: float) -> str:
    left_s = passed_s / sent * (total - sent) if sent else 0.0
    return f"replay      {sent} of {total} records, {left_s:.0f} s to go"
