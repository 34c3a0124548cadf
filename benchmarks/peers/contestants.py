"""Who takes part: the commands of each, the topics it reads and fills, and how its output tells that it is done."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from benchmarks.peers import ours_app
from benchmarks.peers.environment import python
from schemas.config import Config, KafkaConfig
from schemas.facts import FACTS
from services.sink.migrate import migrate
from streams.runtime.topics_admin import ensure_topics
from tests.clickhouse_fixture import ClickHouse
from tests.sink_harness import store_config

PARTITIONS: Final = 2
PROCESSORS: Final = ("attribute", "journey")
_STAGE = "import sys; from schemas.config import Config; from streams.processors.main import run; " + (
    "sys.exit(run(sys.argv[1], Config.model_validate_json(sys.argv[2]), sys.argv[3]))"
)
_SINK = "import asyncio, sys; from schemas.config import Config; from services.sink.main import serve; " + (
    "asyncio.run(serve(Config.model_validate_json(sys.argv[1])))"
)

Told = tuple[str, str, int]
"""(event id, its account, how many events the account has had by then)."""
Tell = Callable[[bytes], Iterable[Told]]
"""What a record of the output tells of events; some are told more than once."""


@dataclass(frozen=True, slots=True)
class Side:
    """One contestant: its commands, the topic it reads, and the one that shows, by its events, when it is done.

    `beside` runs with it, neither counted nor on its core.
    """

    commands: list[list[str]]
    input: str
    output: str
    told: Tell
    beside: list[list[str]] = field(default_factory=list)


class Arena:
    """One broker and one store; every contestant gets names of its own."""

    def __init__(self, bootstrap: str, clickhouse: ClickHouse, folder: Path) -> None:
        """`folder`: for what contestants keep on disk."""
        self.kafka = KafkaConfig(bootstrap=(bootstrap,), partitions=PARTITIONS)
        self._clickhouse, self._folder = clickhouse, folder

    def faust(self, name: str) -> Side:
        """The ordinary Faust app."""
        return self._peer(name, [sys.executable, "-m", "benchmarks.peers.faust_app"], "requests", "grouped", "counted")

    def quix(self, name: str) -> Side:
        """The ordinary Quix Streams app. Raises NotMade when there is none. Its topic between it makes itself."""
        folder = str(self._folder / name)
        return self._peer(name, [python(), "-m", "benchmarks.peers.quix_app"], "requests", "counted", more=[folder])

    def loop(self, name: str) -> Side:
        """The loop written by hand."""
        return self._peer(name, [sys.executable, "-m", "benchmarks.peers.loop_app"], "requests", "grouped", "counted")

    def job(self, name: str) -> Side:
        """Our machinery with the peers' job alone."""
        kafka = self._own(name)
        command = [sys.executable, "-m", "benchmarks.peers.ours_app", kafka.model_dump_json()]
        return Side([command], f"{name}-{ours_app.INPUT}", f"{name}-{ours_app.OUTPUT}", told)

    def ours(self, name: str) -> Side:
        """Our processors; done when a fact has been told of every event.

        Beside them the sink: an account that a link changed is read anew once the store has all that was told of it.
        """
        kafka = self._own(name)
        token = self._clickhouse.data_dir / "internal.token"
        config = Config(kafka=kafka, clickhouse=store_config(self._clickhouse.base_url, name, token))
        migrate(config.clickhouse, self._clickhouse.token)
        commands = [
            [sys.executable, "-c", _STAGE, stage, config.model_dump_json(), self._clickhouse.token]
            for stage in PROCESSORS
        ]
        sink = [sys.executable, "-c", _SINK, config.model_dump_json()]
        topics = (f"{name}-touchpoints.raw.v1", f"{name}-journey.facts.v1")
        return Side(commands, *topics, touchpoints, beside=[sink])

    def _own(self, name: str) -> KafkaConfig:
        kafka = self.kafka.model_copy(update={"topic_prefix": f"{name}-"})
        asyncio.run(ensure_topics(kafka))
        return kafka

    def _peer(self, name: str, command: list[str], *topics: str, more: Sequence[str] = ()) -> Side:
        """Done when every event has been written with its count, into the last of its topics."""
        prefix = f"{name}-"
        asyncio.run(self._create([f"{prefix}{topic}" for topic in topics]))
        return Side(
            [[*command, self.kafka.bootstrap[0], prefix, *more]], f"{prefix}{topics[0]}", f"{prefix}{topics[-1]}", told
        )

    async def _create(self, topics: Sequence[str]) -> None:
        admin: Any = AIOKafkaAdminClient(bootstrap_servers=list(self.kafka.bootstrap))
        await admin.start()
        try:
            await admin.create_topics([NewTopic(topic, PARTITIONS, 1) for topic in topics])
        finally:
            await admin.close()


def told(value: bytes) -> Iterable[Told]:
    """Of a peer's output, one event or several a record."""
    found = orjson.loads(value)
    events = found if isinstance(found, list) else [found]
    return [(event["event_id"], event["account"], event["touchpoints"]) for event in events]


def touchpoints(value: bytes) -> Iterable[Told]:
    """Of the facts, whose accounts are counted elsewhere: each event is taken for an account of its own."""
    return [(fact.event_id, fact.event_id, 1) for fact in FACTS.validate_json(value) if fact.kind == "touchpoint"]
