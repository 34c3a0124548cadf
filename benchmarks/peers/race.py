"""One contestant over one input: CPU and time until its last output is in Kafka."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from aiokafka import AIOKafkaProducer, TopicPartition

from benchmarks.peers.contestants import PARTITIONS, Side, Told
from benchmarks.processes import cpu_s, tree
from schemas.config import KafkaConfig
from streams.runtime.kafka import broadcast_consumer

GIVE_UP_S: Final = 120.0
"""Without an event more in the output."""


class Void(Exception):
    """A contestant that miscounted: how fast it was means nothing."""


@dataclass(frozen=True, slots=True)
class Input:
    """Records, and how many events they hold."""

    records: Sequence[bytes]
    events: int


@dataclass(frozen=True, slots=True)
class Speed:
    """Events over the CPU seconds, and over the seconds, they took on one core."""

    per_cpu_s: float
    per_s: float


async def measured(side: Side, kafka: KafkaConfig, warm: Input, given: Input) -> Speed:
    """Warm up, freeze, write the input, let go, wait for the last output.

    Raises TimeoutError when nothing comes any more, ChildProcessError when a contestant ends, Void when it miscounted.
    """
    output = _Output(side, kafka)
    producer = AIOKafkaProducer(bootstrap_servers=list(kafka.bootstrap), linger_ms=5)
    await producer.start()
    await output.start()
    try:
        with _running(side) as contestants:
            pids = [process.pid for process in contestants]
            await _write(producer, side.input, warm.records)
            await output.counts(warm.events, contestants)
            _signal(pids, signal.SIGSTOP)
            await _write(producer, side.input, given.records)
            before_s, began_s = sum(map(cpu_s, pids)), time.monotonic()
            _signal(pids, signal.SIGCONT)
            await output.counts(warm.events + given.events, contestants)
            took_s = time.monotonic() - began_s
            output.seen.check()
            return Speed(given.events / (sum(map(cpu_s, pids)) - before_s), given.events / took_s)
    finally:
        await output.stop()
        await producer.stop()


async def _write(producer: Any, topic: str, records: Sequence[bytes]) -> None:
    sent = [await producer.send(topic, value, partition=n % PARTITIONS) for n, value in enumerate(records)]
    await asyncio.gather(*sent)


@dataclass(slots=True)
class Seen:
    """The events that an output told of, and what it counted for each account."""

    ids: set[str] = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=dict)

    def take(self, told: Iterable[Told]) -> None:
        """What a record tells."""
        for event_id, account, touchpoints in told:
            self.ids.add(event_id)
            self.counts[account] = max(touchpoints, self.counts.get(account, 0))

    def check(self) -> None:
        """Raises Void when what its accounts were counted to is not what was given."""
        if (counted := sum(self.counts.values())) != len(self.ids):
            raise Void(f"{len(self.ids)} events were counted as {counted}")


class _Output:
    """Reads a contestant's output."""

    def __init__(self, side: Side, kafka: KafkaConfig) -> None:
        self._places = [TopicPartition(side.output, number) for number in range(PARTITIONS)]
        self._consumer: Any = broadcast_consumer(kafka, "bench-output")
        self._told, self.seen = side.told, Seen()

    async def start(self) -> None:
        """Read from the beginning."""
        await self._consumer.start()
        self._consumer.assign(self._places)
        await self._consumer.seek_to_beginning(*self._places)

    async def stop(self) -> None:
        await self._consumer.stop()

    async def counts(self, events: int, contestants: Sequence[subprocess.Popen[bytes]]) -> None:
        """Return once so many events are there."""
        moved_at, seen = time.monotonic(), len(self.seen.ids)
        while len(self.seen.ids) < events:
            if ended := next((process for process in contestants if process.poll() is not None), None):
                raise ChildProcessError(
                    f"it ended with {ended.returncode} after {len(self.seen.ids)} of {events} events"
                )
            if len(self.seen.ids) > seen:
                moved_at, seen = time.monotonic(), len(self.seen.ids)
            if time.monotonic() > moved_at + GIVE_UP_S:
                raise TimeoutError(f"{seen} of {events} events, and no other in {GIVE_UP_S:.0f} s")
            for records in (await self._consumer.getmany(*self._places, timeout_ms=100)).values():
                for record in records:
                    self.seen.take(self._told(record.value))


@contextmanager
def _running(side: Side) -> Iterator[list[subprocess.Popen[bytes]]]:
    """The contestant's processes, all on one core, the last one of those we may use; the others have the rest."""
    *others, last = sorted(os.sched_getaffinity(0))
    contestants = [_on(command, {last}) for command in side.commands]
    beside = [_on(command, set(others) or {last}) for command in side.beside]
    try:
        yield contestants
    finally:
        for process in contestants + beside:
            process.terminate()
            process.send_signal(signal.SIGCONT)
        for process in contestants + beside:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _on(command: list[str], cores: set[int]) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(command)
    os.sched_setaffinity(process.pid, cores)
    return process


def _signal(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        for each in tree(pid):
            os.kill(each, number)
