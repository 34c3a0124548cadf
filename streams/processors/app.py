"""A Faust app as Touchline needs it: the settings that keep events, and those that are refused."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import faust

from schemas.config import KafkaConfig
from schemas.errors import ConfigurationError
from streams.processors.guarded import GuardedTransport
from streams.runtime.kafka import SESSION_TIMEOUT_S, instance_of
from streams.runtime.log_guard import OnBroken

#: Faust and its framework log at DEBUG and drop the lines in the handler: a tenth of the CPU.
NOISY = ("faust", "mode", "aiokafka", "kafka")

FORBIDDEN = {
    "processing_guarantee": ("exactly_once", "it has open data-loss bugs; at-least-once with ids is exact here"),
    "web_enabled": (True, "each service has its own ops endpoint"),
}


def make_app(stage: str, kafka: KafkaConfig, on_broken: OnBroken, **overrides: Any) -> Any:
    """The Faust app of a stage. ConfigurationError for settings that lose events.

    `on_broken` hears of logs that lost what was read, in the thread of Faust's consumer.
    """
    refuse(overrides)
    quieten()
    settings: dict[str, Any] = {
        "broker": ";".join(f"kafka://{address}" for address in kafka.bootstrap),
        "store": "memory://",
        "processing_guarantee": "at_least_once",
        "web_enabled": False,
        "topic_allow_declare": False,
        "topic_disable_leader": True,
        "consumer_auto_offset_reset": "earliest",
        "consumer_max_fetch_size": 8 << 20,
        "consumer_group_instance_id": instance_of(stage),
        "broker_session_timeout": SESSION_TIMEOUT_S,
        "broker_heartbeat_interval": 2.0,
        "broker_request_timeout": 40.0,
        "broker_max_poll_interval": 3600.0,
        "broker_commit_interval": 0.5,
        "stream_wait_empty": False,
        "stream_buffer_maxsize": 512,
        "loghandlers": [],
        "datadir": str(Path(tempfile.gettempdir()) / "touchline-faust"),  # it makes one, though we keep no tables
    }
    app = faust.App(f"{kafka.topic_prefix}touchline-{stage}", **(settings | overrides))
    app.transport = GuardedTransport(app.conf.broker_consumer, app, on_broken)
    return app


def refuse(settings: dict[str, Any]) -> None:
    """ConfigurationError for a setting that would lose events or open a port."""
    for name, (value, why) in FORBIDDEN.items():
        if settings.get(name) == value:
            raise ConfigurationError(f"faust setting `{name}={value}` is refused: {why}")


def quieten() -> None:
    """Levels on the loggers themselves, so that lines nobody sees are not made."""
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in list(logging.root.manager.loggerDict):
        if name.split(".")[0] in NOISY:
            logging.getLogger(name).setLevel(logging.WARNING)


def attach(app: Any, topic: str, consume: Any) -> None:
    """An agent over a topic: one instance, events without automatic acks, bytes as they are."""
    source = app.topic(topic, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")

    async def agent(stream: Any) -> None:
        await consume(stream.noack().events())

    app.agent(source, name=f"agent-{topic}", concurrency=1)(agent)


def names(kafka: KafkaConfig, topics: Sequence[str]) -> set[str]:
    """Topic names as they are called on this cluster."""
    return {kafka.topic_prefix + topic for topic in topics}
