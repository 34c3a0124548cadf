"""From an accepted request to Kafka's ack: bounded, timed, and honest about failure."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime
from typing import Protocol
from uuid import uuid4

import orjson

from schemas.base import EPOCH
from schemas.config import GatewayConfig
from schemas.topics import TopicName
from services.gateway.access import Source
from services.gateway.answers import Refusal, unavailable
from services.gateway.request import Request
from streams.runtime.failpoints import hit
from streams.runtime.metrics import Meter
from streams.runtime.writer import Position

#: So long a failure keeps the gateway unready; without it a gateway nobody sends to would stay so for ever.
FAILURE_COUNTS_S = 5.0
#: Of a header that is kept; a whole head has 64 KiB at most.
MAX_HEADER_CHARS = 1_024

Clock = Callable[[], datetime]


class Writer(Protocol):
    """The part of RecordWriter the gateway uses; raises when there is no Kafka to write to."""

    def put(self, topic: TopicName, key: str, item: bytes) -> asyncio.Future[Position]: ...


class Intake:
    """Hands requests to Kafka. Bytes count against the limit until Kafka has answered, not until the client has."""

    def __init__(self, config: GatewayConfig, writer: Writer, clock: Clock, metrics: Meter) -> None:
        self._config = config
        self._writer = writer
        self._clock = clock
        self._metrics = metrics
        self._waiting: dict[asyncio.Future[Position], float] = {}
        self._received_at = EPOCH
        self.in_flight_bytes = 0
        self.failed_at: float | None = None

    def reserve(self, size: int) -> None:
        """Count `size` bytes; Refusal 503 when that would be too many at once."""
        if self.in_flight_bytes + size > self._config.max_in_flight_bytes:
            raise self.unavailable("too much is waiting for Kafka; try again")
        self.in_flight_bytes += size
        self._metrics.set("touchline_gateway_in_flight_bytes", self.in_flight_bytes)

    def release(self, size: int) -> None:
        """Give reserved bytes back."""
        self.in_flight_bytes -= size
        self._metrics.set("touchline_gateway_in_flight_bytes", self.in_flight_bytes)

    async def store(self, source: Source, request: Request, query: str, body: str) -> None:
        """Returns once Kafka has acked the request, with this much of its query and body.

        Raises Refusal 503 when it did not in time.
        """
        request_id = uuid4().hex
        started = time.monotonic()
        await self.confirmed("touchpoints.raw.v1", request_id, self._encoded(request_id, source, request, query, body))
        self._metrics.observe("touchline_gateway_ack_seconds", time.monotonic() - started)
        self._metrics.inc("touchline_gateway_bytes_total", len(body), source=source.config.name)
        hit("gateway_after_ack")

    async def confirmed(self, topic: TopicName, key: str, item: bytes) -> None:
        """Returns once Kafka has acked an item. Raises Refusal 503 when it did not in time."""
        self.reserve(len(item))
        started = time.monotonic()
        try:
            hit("gateway_after_read")
            acked = self._put(topic, key, item, started)
        except Exception:
            self.release(len(item))
            self.failed_at = started
            raise self.unavailable("Kafka is away; try again") from None
        acked.add_done_callback(lambda _: self.release(len(item)))
        await asyncio.wait([acked], timeout=self._config.ack_timeout_s)
        if not acked.done() or acked.cancelled() or acked.exception() is not None:
            self.failed_at = time.monotonic()
            raise self.unavailable("Kafka did not confirm in time; try again")
        self.failed_at = None

    def is_confirming(self) -> bool:
        """Whether Kafka confirms what it is given, as far as recent requests have shown."""
        just_failed = self.failed_at is not None and time.monotonic() - self.failed_at < FAILURE_COUNTS_S
        return not just_failed and self.oldest_wait_s() <= self._config.ack_timeout_s

    def now(self) -> datetime:
        """The gateway's clock."""
        return self._clock()

    def oldest_wait_s(self) -> float:
        """How long the oldest unconfirmed request has waited."""
        return time.monotonic() - min(self._waiting.values()) if self._waiting else 0.0

    def unavailable(self, message: str) -> Refusal:
        """503 with the configured Retry-After."""
        return unavailable(self._config.retry_after_s, message)

    async def drain(self, timeout_s: float) -> None:
        """Wait until nothing is unconfirmed, at most `timeout_s`."""
        if self._waiting:
            await asyncio.wait(list(self._waiting), timeout=timeout_s)

    def _put(self, topic: TopicName, key: str, item: bytes, started: float) -> asyncio.Future[Position]:
        acked = self._writer.put(topic, key, item)
        if acked not in self._waiting:  # requests that share a record share its future
            self._waiting[acked] = started
            acked.add_done_callback(lambda done: self._waiting.pop(done, None))
        return acked

    def _encoded(self, request_id: str, source: Source, request: Request, query: str, body: str) -> bytes:
        """A RawRequest as JSON, without the model: this is the hot path."""
        self._received_at = max(self._clock(), self._received_at)  # never back, though the host's clock may step
        return orjson.dumps(
            {
                "request_id": request_id,
                "source": source.config.name,
                "vendor": source.config.vendor,
                "received_at": self._received_at,
                "method": request.method,
                "path": request.path,
                "query": query,
                "content_type": request.header(b"content-type")[:MAX_HEADER_CHARS],
                "headers": _kept(request, source.connector.keep_headers),
                "mapping": source.connector.mapping,
                "body": body,
            }
        )


def _kept(request: Request, names: tuple[str, ...]) -> dict[str, str]:
    """The headers a connector keeps, those that are there."""
    found = {name: request.header(name.encode())[:MAX_HEADER_CHARS] for name in names}
    return {name: value for name, value in found.items() if value}
