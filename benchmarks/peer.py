"""The processors against an ordinary Faust app doing the same job, on one broker, in one run.

Same events, encoded before. Each side is warmed up, frozen while its input is written, let go, and pinned to
one core; what counts is CPU time until the last output is in Kafka, so a busy machine disturbs little.
Three inputs: one request of one message a record (what the peer is made for) to both; and what the gateway
really writes (requests of 20, several a record) to ours.
"""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from benchmarks.core import requests
from benchmarks.figures import Figure, Pace, Say
from benchmarks.load import PEOPLE_AN_ACCOUNT
from benchmarks.processes import cpu_s, tree
from schemas.config import Config, KafkaConfig
from schemas.facts import FACTS
from schemas.touchpoints import RAW, AttributedTouchpoint
from services.embedded.kafka.process import EmbeddedBroker
from services.embedded.kafka.settings import BrokerSettings
from services.embedded.kafka.setup import prepare_runtime
from services.sink.migrate import migrate
from streams.runtime.kafka import broadcast_consumer
from streams.runtime.topics_admin import ensure_topics
from tests.clickhouse_fixture import ClickHouse, warehouse
from tests.sink_harness import store_config

PARTITIONS: Final = 2
ACCOUNTS: Final = 1000
REQUEST_EVENTS: Final = 20
REQUESTS_A_RECORD: Final = 5
WARM_EVENTS: Final = ACCOUNTS * PEOPLE_AN_ACCOUNT
GIVE_UP_S: Final = 300.0
PROCESSORS: Final = ("normalise", "resolve", "journey")
_STAGE = "import sys; from schemas.config import Config; from streams.processors.main import run; " + (
    "sys.exit(run(sys.argv[1], Config.model_validate_json(sys.argv[2]), sys.argv[3]))"
)
_SINK = "import asyncio, sys; from schemas.config import Config; from services.sink.main import serve; " + (
    "asyncio.run(serve(Config.model_validate_json(sys.argv[1])))"
)

Events = Callable[[bytes], Iterable[str]]
"""The ids of the events that a record of the output tells of; some are told more than once."""


@dataclass(frozen=True, slots=True)
class Side:
    """One contestant: its commands, the topic it reads, and the one that shows, by its events, when it is done.

    `beside` runs with it, neither counted nor on its core.
    """

    name: str
    commands: list[list[str]]
    input: str
    output: str
    events: Events
    beside: list[list[str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Speed:
    """Events over the CPU seconds, and over the seconds, they took on one core."""

    per_cpu_s: float
    per_s: float


def run(pace: Pace, say: Say) -> list[Figure]:
    """The table's lines; the ratio is the figure, the rates depend on the machine."""
    with ExitStack() as stack:
        folder = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="touchline-bench-", ignore_cleanup_errors=True))
        )
        clickhouse, _ = stack.enter_context(warehouse(folder / "clickhouse"))
        broker = stack.enter_context(EmbeddedBroker(BrokerSettings(data_dir=folder / "kafka"), prepare_runtime()))
        arena = _Arena(broker.bootstrap, clickhouse)
        found: dict[str, list[Speed]] = {"peer": [], "ours, same records": [], "ours": []}
        for turn in range(pace.repeats):
            singles, whole = _singles(pace.peer_events), _as_written(pace.our_events)
            for name, (side, records, events) in {
                "peer": (arena.peer(turn), singles, pace.peer_events),
                "ours, same records": (arena.ours(f"s{turn}"), singles, pace.peer_events),
                "ours": (arena.ours(f"w{turn}"), whole, pace.our_events),
            }.items():
                speed = asyncio.run(_measured(side, arena.kafka, records, events))
                say(f"  {name}: {speed.per_cpu_s:,.0f} events per CPU second, {speed.per_s:,.0f}/s on one core")
                found[name].append(speed)
    return _figures(found)


def _figures(found: dict[str, list[Speed]]) -> list[Figure]:
    speeds = {name: statistics.median(speed.per_cpu_s for speed in each) for name, each in found.items()}
    walls = {name: statistics.median(speed.per_s for speed in each) for name, each in found.items()}
    labels = {
        "peer": "plain Faust, one event a record",
        "ours, same records": "normalise+resolve+journey, the same records",
        "ours": "normalise+resolve+journey, records as the gateway writes them",
    }
    rows = [
        Figure("one core", label, f"{speeds[name]:,.0f} events/CPU s ({walls[name]:,.0f}/s by the clock)")
        for name, label in labels.items()
    ]
    ratios = [
        Figure("one core", "ratio, same records", f"{speeds['ours, same records'] / speeds['peer']:.1f}×"),
        Figure("one core", "ratio, records as written", f"{speeds['ours'] / speeds['peer']:.1f}×", "10×"),
    ]
    return rows + ratios


class _Arena:
    """One broker and one store; every contestant gets names of its own."""

    def __init__(self, bootstrap: str, clickhouse: ClickHouse) -> None:
        self.kafka = KafkaConfig(bootstrap=(bootstrap,), partitions=PARTITIONS)
        self._clickhouse = clickhouse

    def peer(self, turn: int) -> Side:
        """The ordinary app; done when every event's touchpoint has been sent."""
        prefix = f"peer{turn}-"
        asyncio.run(self._create([f"{prefix}{name}" for name in ("requests", "touchpoints", "states")]))
        command = [sys.executable, "-m", "benchmarks.peer_app", self.kafka.bootstrap[0], prefix]
        return Side("peer", [command], f"{prefix}requests", f"{prefix}touchpoints", _attributed)

    def ours(self, name: str) -> Side:
        """The three processors; done when a fact has been told of every event.

        Beside them the sink: an account that a link changed is read anew once the store has all that was told of it.
        """
        kafka = self.kafka.model_copy(update={"topic_prefix": f"{name}-"})
        token = self._clickhouse.data_dir / "internal.token"
        config = Config(kafka=kafka, clickhouse=store_config(self._clickhouse.base_url, name, token))
        migrate(config.clickhouse, self._clickhouse.token)
        asyncio.run(ensure_topics(kafka))
        commands = [
            [sys.executable, "-c", _STAGE, stage, config.model_dump_json(), self._clickhouse.token]
            for stage in PROCESSORS
        ]
        sink = [sys.executable, "-c", _SINK, config.model_dump_json()]
        topics = (f"{name}-touchpoints.raw.v1", f"{name}-journey.facts.v1")
        return Side("ours", commands, *topics, _touchpoints, beside=[sink])

    async def _create(self, topics: Sequence[str]) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=list(self.kafka.bootstrap))
        await admin.start()
        try:
            await admin.create_topics([NewTopic(topic, PARTITIONS, 1) for topic in topics])
        finally:
            await admin.close()


def _touchpoints(value: bytes) -> Iterable[str]:
    return (fact.event_id for fact in FACTS.validate_json(value) if fact.kind == "touchpoint")


def _attributed(value: bytes) -> Iterable[str]:
    return (AttributedTouchpoint.decoded(value).event_id,)


def _singles(events: int) -> list[bytes]:
    """One request of one message a record, as the peer reads them: no array around it for the peer alone."""
    return [RAW.dump_json([request]) for request in requests(events, batch=1, accounts=ACCOUNTS)]


def _as_written(events: int) -> list[bytes]:
    """Requests of 20 messages, five of them a record."""
    found = requests(events, batch=REQUEST_EVENTS, accounts=ACCOUNTS)
    return [RAW.dump_json(found[n : n + REQUESTS_A_RECORD]) for n in range(0, len(found), REQUESTS_A_RECORD)]


async def _measured(side: Side, kafka: KafkaConfig, records: Sequence[bytes], events: int) -> Speed:
    """Warm up, freeze, write the input, let go, wait for the last output."""
    output = _Output(side, kafka)
    producer = AIOKafkaProducer(bootstrap_servers=list(kafka.bootstrap), linger_ms=5)
    await producer.start()
    await output.start()
    try:
        with _processes(side) as pids:
            warm = requests(0, batch=1, accounts=ACCOUNTS)
            await _write(producer, side.input, [RAW.dump_json([request]) for request in warm])
            await output.counts(WARM_EVENTS)
            _signal(pids, signal.SIGSTOP)
            await _write(producer, side.input, records)
            before_s, began_s = sum(map(cpu_s, pids)), time.monotonic()
            _signal(pids, signal.SIGCONT)
            await output.counts(WARM_EVENTS + events)
            took_s = time.monotonic() - began_s
            return Speed(events / (sum(map(cpu_s, pids)) - before_s), events / took_s)
    finally:
        await output.stop()
        await producer.stop()


async def _write(producer: Any, topic: str, records: Sequence[bytes]) -> None:
    sent = [await producer.send(topic, value, partition=n % PARTITIONS) for n, value in enumerate(records)]
    await asyncio.gather(*sent)


class _Output:
    """Reads a contestant's output and counts the events in it."""

    def __init__(self, side: Side, kafka: KafkaConfig) -> None:
        self._places = [TopicPartition(side.output, number) for number in range(PARTITIONS)]
        self._consumer: Any = broadcast_consumer(kafka, "bench-output")
        self._events, self._seen = side.events, set[str]()

    async def start(self) -> None:
        await self._consumer.start()
        self._consumer.assign(self._places)
        await self._consumer.seek_to_beginning(*self._places)

    async def stop(self) -> None:
        await self._consumer.stop()

    async def counts(self, events: int) -> None:
        """Return once so many events are there."""
        until = time.monotonic() + GIVE_UP_S
        while len(self._seen) < events:
            if time.monotonic() > until:
                raise TimeoutError(f"{len(self._seen)} of {events} events after {GIVE_UP_S:.0f} s")
            for records in (await self._consumer.getmany(*self._places, timeout_ms=100)).values():
                self._seen.update(event for record in records for event in self._events(record.value))


@contextmanager
def _processes(side: Side) -> Iterator[list[int]]:
    """The contestant's processes, all on one core, the last one of those we may use; the others have the rest."""
    *others, last = sorted(os.sched_getaffinity(0))
    contestants = [_on(command, {last}) for command in side.commands]
    beside = [_on(command, set(others) or {last}) for command in side.beside]
    try:
        yield [process.pid for process in contestants]
    finally:
        for process in contestants + beside:
            process.terminate()
        for process in contestants + beside:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def _on(command: list[str], cores: set[int]) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(command)
    os.sched_setaffinity(process.pid, cores)
    return process


def _signal(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        for each in tree(pid):
            os.kill(each, number)
