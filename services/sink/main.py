"""The sink as a process: journey facts and identity links from Kafka into ClickHouse."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError

from schemas.config import Config, KafkaConfig
from schemas.errors import TransientError
from schemas.topics import RAW_MAX_BYTES, TopicName
from services.common.secrets import clickhouse_password, erasure_key
from services.sink.batch import Kind
from services.sink.blueprints import keep
from services.sink.health import SinkHealth
from services.sink.letters import deliver
from services.sink.loop import SinkLoop
from services.sink.sink import Sink
from services.sink.space import SpaceWatch
from streams.identity.erasures import Ledger
from streams.runtime.clickhouse import Store
from streams.runtime.garbage import settle
from streams.runtime.idle_polling import GROUP_WAIT_MS, patient
from streams.runtime.kafka import instance_of
from streams.runtime.lifetime import started, stop_on_signals
from streams.runtime.log_guard import Broken, OnBroken, guard
from streams.runtime.metrics import Metrics
from streams.runtime.metrics_server import OpsServer

GROUP: Final = "touchline-sink"
"""Put behind the topic prefix. Its committed offsets tell the processors what is stored."""
TOPICS: Final[Mapping[TopicName, Kind]] = {
    "journey.facts.v1": "facts",
    "identity.links.v1": "links",
    "alerts.deliveries.v1": "deliveries",
}
"""What it stores."""
_log = logging.getLogger("touchline.sink")


async def serve(config: Config) -> None:
    """Runs until SIGTERM, SIGINT or cancellation. Waits for Kafka and ClickHouse as long as they are away.

    Raises ConfigurationError at start, DeadLettersUnavailable when refused items cannot be put away, TransientError
    when Kafka's log is no more what was read: the group has gone back, and a fresh process goes on from there.
    """
    password, key = clickhouse_password(config), erasure_key(config)
    store, asking = Store(config.clickhouse, password), Store(config.clickhouse, password, timeout_s=5)
    metrics, health = Metrics(), SinkHealth(_now)
    health.wait("Kafka", "not connected yet")
    space = SpaceWatch(asking, metrics)
    health.little_space = lambda: space.words
    beside = [asyncio.create_task(keep(config, _now())), asyncio.create_task(space.run())]
    try:
        async with OpsServer(metrics, health.report, host=config.metrics_host):
            await _serve(config.kafka, store, metrics, health, key)
    finally:
        for task in beside:
            task.cancel()
        store.close()
        asking.close()


async def _serve(kafka: KafkaConfig, store: Store, metrics: Metrics, health: SinkHealth, key: bytes) -> None:
    stopping, broken = asyncio.Event(), list[Broken]()
    stop_on_signals(stopping)

    def waits(error: KafkaError) -> None:
        if health.wait("Kafka", repr(error)):
            _log.warning("waiting for Kafka", extra={"error": repr(error)})

    def note(places: list[Broken]) -> None:
        for place in places:
            _log.error("a log is no more what was read: %s", place)
        broken.extend(places)
        stopping.set()

    async with started(partial(_consumer, kafka, note, health), stopping, waits) as consumer:
        if consumer is None:
            return
        async with started(partial(_producer, kafka), stopping, waits) as producer:
            if producer is None:
                return
            topics = {kafka.topic_prefix + name: kind for name, kind in TOPICS.items()}
            loop = SinkLoop(
                consumer,
                Sink(store, metrics, _now, Ledger(key)),
                partial(deliver, producer, kafka.topic_prefix),
                topics=topics,
                meter=metrics,
                health=health,
            )
            loop.looked_s = lambda: store.looked_s
            loop.stopping = stopping
            consumer.subscribe(list(topics), listener=loop)
            health.go_on()
            settle()
            _log.info("sink started", extra={"group": kafka.topic_prefix + GROUP})
            await loop.run()
    if broken:
        raise TransientError("what Kafka holds has changed under the sink; it starts afresh")


def _consumer(kafka: KafkaConfig, note: OnBroken, health: SinkHealth) -> Any:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=list(kafka.bootstrap),
        group_id=kafka.topic_prefix + GROUP,
        group_instance_id=instance_of("sink"),
        enable_auto_commit=False,
        # never "latest": what retention took away is counted, and reading goes on with the oldest record there is
        auto_offset_reset="earliest",
        session_timeout_ms=6_000,
        heartbeat_interval_ms=1_500,
        # while ClickHouse is away nothing is polled for as long as it takes: heartbeats alone keep the membership,
        # and memory stays bounded, because no partition is fetched again before its last fetch was taken
        max_poll_interval_ms=7 * 24 * 3600 * 1000,
        max_partition_fetch_bytes=2 << 20,
        fetch_max_bytes=16 << 20,
    )
    patient(consumer, GROUP_WAIT_MS)
    health.guard = guard(consumer, note)
    return consumer


def _producer(kafka: KafkaConfig) -> Any:
    return AIOKafkaProducer(
        bootstrap_servers=list(kafka.bootstrap),
        acks="all",
        enable_idempotence=True,
        max_request_size=RAW_MAX_BYTES,
        request_timeout_ms=20_000,
    )


def _now() -> datetime:
    return datetime.now(UTC)
