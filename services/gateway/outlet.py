"""The way into Kafka: an idempotent producer that is made when Kafka is there, and made anew when it stopped for good.

An idempotent producer can stop for ever (a sequence error, a fatal answer), or hang after a failover while the
broker is well. Both are seen here: by the error, or by a request unconfirmed for long although Kafka answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from typing import Any, Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, TopicAuthorizationFailedError

from schemas.config import KafkaConfig
from schemas.errors import TransientError
from schemas.topics import RAW_MAX_BYTES, TOPICS, TopicName
from streams.runtime.writer import Position, Producer, RecordWriter

TOPIC: TopicName = "touchpoints.raw.v1"
RETRY_S = 0.5
PROBE_S = 1.0
CONNECT_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 5.0
STUCK_AFTER_S = 30.0
_MAX_BATCH_BYTES = 512 * 1024

_log = logging.getLogger("touchline.gateway")


class Connection(Producer, Protocol):
    """What the outlet asks of an AIOKafkaProducer."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def partitions_for(self, topic: str) -> set[int]: ...


def connection(kafka: KafkaConfig, ack_timeout_s: float) -> Connection:
    """A real producer. Retries within itself for ever, without reordering or duplicating."""
    made: Any = AIOKafkaProducer(
        bootstrap_servers=list(kafka.bootstrap),
        client_id="touchline-gateway",
        acks="all",
        enable_idempotence=True,
        request_timeout_ms=int(ack_timeout_s * 1000),
        max_request_size=RAW_MAX_BYTES,
        max_batch_size=_MAX_BATCH_BYTES,
        metadata_max_age_ms=30_000,
    )
    return made  # type: ignore[no-any-return]


class Outlet:
    """`put` while Kafka is reachable, TransientError while it is not. `run` keeps it so until cancelled."""

    def __init__(self, kafka: KafkaConfig, connect: Callable[[], Connection]) -> None:
        self._kafka = kafka
        self._connect = connect
        self._connection: Connection | None = None
        self._writer: RecordWriter | None = None
        self._partitions = 0
        self._broken = asyncio.Event()
        self._answered_at = 0.0
        self._problem = "not connected yet"
        #: How long the oldest request has waited; the gateway's intake knows.
        self.oldest_wait_s: Callable[[], float] = lambda: 0.0

    def put(self, topic: TopicName, key: str, item: bytes) -> asyncio.Future[Position]:
        """See RecordWriter.put."""
        if self._writer is None:
            raise TransientError(f"Kafka is away: {self._problem}")
        return self._writer.put(topic, key, item)

    def health(self) -> tuple[bool, dict[str, object]]:
        """Whether Kafka answered within the last seconds."""
        age_s = time.monotonic() - self._answered_at if self._answered_at else None
        ok = self._writer is not None and age_s is not None and age_s < 5 * PROBE_S
        return ok, {"kafka": "ok" if ok else self._problem, "kafka_answered_s_ago": age_s and round(age_s, 1)}

    async def run(self) -> None:
        """Connect, watch, connect anew; for ever."""
        while True:
            try:
                await self._open()
                await self._watch()
            except (KafkaError, OSError, TimeoutError) as error:
                self._notice(f"{type(error).__name__}: {error}"[:200])
            await self.close()
            await asyncio.sleep(RETRY_S)

    async def flush(self) -> None:
        """Send what is collected and wait for the acks, at most a few seconds."""
        if self._writer is not None:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(STOP_TIMEOUT_S):
                    await self._writer.flush()

    async def close(self) -> None:
        """Let go of the producer and of all that waits for it; safe to call twice."""
        connected, self._connection = self._connection, None
        writer, self._writer = self._writer, None
        if connected is not None:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(STOP_TIMEOUT_S):
                    await connected.stop()
            await _end(connected)
        if writer is not None:
            writer.abandon(TransientError("Kafka is away"))

    async def _open(self) -> None:
        self._broken.clear()
        self._connection = self._connect()
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            await self._connection.start()
            await self._ask()
        self._writer = RecordWriter(
            self._connection, self._count, topic_prefix=self._kafka.topic_prefix, on_error=self._on_error
        )
        _log.info("connected to kafka", extra={"partitions": self._partitions})

    def _count(self, topic: TopicName) -> int:
        return 1 if TOPICS[topic].single else self._partitions

    async def _ask(self) -> None:
        """Partitions of the topic, from the broker; also the proof that it answers."""
        assert self._connection is not None
        self._partitions = len(await self._connection.partitions_for(self._kafka.topic_prefix + TOPIC))
        self._answered_at = time.monotonic()

    async def _watch(self) -> None:
        """Returns when the producer must be made anew; while the broker is away it waits."""
        while not self._broken.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PROBE_S):
                    await self._broken.wait()
            try:
                async with asyncio.timeout(CONNECT_TIMEOUT_S):
                    await self._probe()
            except (KafkaError, OSError, TimeoutError) as error:
                self._notice(f"{type(error).__name__}: {error}"[:200])
                continue
            if self.oldest_wait_s() > STUCK_AFTER_S:
                self._notice("the producer is stuck although kafka answers")
                return

    async def _probe(self) -> None:
        client = getattr(self._connection, "client", None)
        if client is not None:  # `partitions_for` answers from its cache: ask the broker
            await client.fetch_all_metadata()
        await self._ask()

    def _on_error(self, error: BaseException) -> None:
        if isinstance(error, MessageSizeTooLargeError):
            return
        if isinstance(error, TopicAuthorizationFailedError):  # the producer goes on, for the other topics
            self._notice(f"this user may not write there: {error}")
            return
        if not (isinstance(error, KafkaError) and error.retriable):
            self._notice(f"the producer stopped: {type(error).__name__}")
            self._broken.set()

    def _notice(self, problem: str) -> None:
        """One line when the problem changes, not one a retry."""
        if problem != self._problem:
            _log.warning("kafka is away", extra={"problem": problem})
        self._problem = problem


async def _end(connected: Any) -> None:
    """End what a `stop` that was broken off leaves running: it waits for every ack, for ever while Kafka is away.

    An idempotent producer never gives a batch up, so its tasks would keep all they hold and go on for ever.
    """
    for part in (getattr(connected, "_sender", None), getattr(connected, "client", None)):
        if part is not None:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(STOP_TIMEOUT_S):
                    await part.close()
