"""The alerts service as a process on a real Kafka: CPU and memory at a rate of events, and with many open incidents.

    python -m benchmarks.alerts_service                            # 1,000 events/s for a minute, then 10,000 incidents
    python -m benchmarks.alerts_service --seconds 20 --open 1000

The facts are those of the benchmarks' load, told by the real journey, and come by the clock. ClickHouse is away: what
figures and silence cost is told by `benchmarks --only judging`. Everything is on this machine and ends by itself.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx
import yaml

from benchmarks.figures import QUICK, Figure, Pace, Say, table
from benchmarks.guarded import say as aloud
from benchmarks.processes import cpu_s, memory_mb, tree
from benchmarks.sink_live import TICK_S, feed
from schemas.config import KafkaConfig
from schemas.facts import FACTS, SignalFact
from services.embedded.kafka.process import EmbeddedBroker
from services.embedded.kafka.settings import BrokerSettings
from services.embedded.kafka.setup import prepare_runtime
from streams.runtime.kafka import producer
from streams.runtime.metrics_server import OPS_PORT_ENV
from streams.runtime.topics_admin import ensure_topics
from streams.runtime.writer import partition_of

RATE_PER_S: Final = 1_000
SECONDS: Final = 60
OPEN: Final = 10_000
LAST_S: Final = 300.0
"""So long is waited for all to be open, or for a start."""
_OPENED = re.compile(r'touchline_alerts_open\{level="\w+"\} ([\d.]+)')


@dataclass(frozen=True, slots=True)
class Spent:
    """What a stretch of time cost."""

    seconds: float
    cpu: float
    memory_mb: float


class Service:
    """The process, and what it says of itself."""

    def __init__(self, pid: int, port: int) -> None:
        self.pid, self._url = pid, f"http://127.0.0.1:{port}"

    async def until_ready(self) -> None:
        async with asyncio.timeout(LAST_S):
            while (answer := await self._get("/healthz")) is None or answer.status_code != 200:
                await asyncio.sleep(0.2)

    async def until_open(self, count: int) -> None:
        async with asyncio.timeout(LAST_S):
            while await self.open() < count:
                await asyncio.sleep(0.5)

    async def open(self) -> int:
        """How many it has open; 0 while it does not answer yet."""
        answer = await self._get("/metrics")
        return round(sum(map(float, _OPENED.findall(answer.text)))) if answer else 0

    async def spent(self, work: Any) -> Spent:
        began, before = time.monotonic(), cpu_s(self.pid)
        await work
        return Spent(time.monotonic() - began, cpu_s(self.pid) - before, memory_mb(tree(self.pid)))

    async def _get(self, path: str) -> httpx.Response | None:
        try:
            async with httpx.AsyncClient() as client:
                return await client.get(self._url + path)
        except httpx.TransportError:
            return None


def run(pace: Pace, say: Say) -> list[Figure]:
    """A broker, the service, a minute of events and a crowd of incidents."""
    seconds, count = (10, OPEN // 10) if pace == QUICK else (SECONDS, OPEN)
    return measured(RATE_PER_S, seconds, count, say)


def measured(rate_per_s: int, seconds: int, count: int, say: Say) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="touchline-bench-", ignore_cleanup_errors=True) as name:
        settings = BrokerSettings(data_dir=Path(name) / "kafka")
        with EmbeddedBroker(settings, prepare_runtime()) as broker:
            kafka = KafkaConfig(bootstrap=(broker.bootstrap,))
            return asyncio.run(_all(kafka, Path(name), rate_per_s, seconds, count, say))


async def _all(kafka: KafkaConfig, folder: Path, rate_per_s: int, seconds: int, count: int, say: Say) -> list[Figure]:
    await ensure_topics(kafka)
    part = "alerts as a process"
    async with _service(kafka, folder) as service:
        await service.until_ready()
        rest = await service.spent(asyncio.sleep(10))
        records = feed(rate_per_s, seconds)
        busy = await service.spent(_by_the_clock(kafka, records))
        say(f"{seconds} s of {rate_per_s:,} events/s sent in {busy.seconds:.0f} s")
        opening = await service.spent(_opened(kafka, service, count))
        still = await service.spent(asyncio.sleep(20))
    async with _service(kafka, folder) as service:
        again = await service.spent(service.until_open(count))
    return [
        Figure(part, "at rest", _percent(rest)),
        Figure(part, f"{rate_per_s:,} events/s for {busy.seconds:.0f} s", _percent(busy)),
        Figure(part, f"{count:,} incidents opened", f"{opening.cpu:.1f} s of CPU, {opening.memory_mb:.0f} MB"),
        Figure(part, f"at rest with {count:,} open", _percent(still)),
        Figure(part, f"a start with {count:,} open", f"{again.cpu:.1f} s of CPU, {again.memory_mb:.0f} MB"),
    ]


@asynccontextmanager
async def _service(kafka: KafkaConfig, folder: Path) -> AsyncIterator[Service]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    file = folder / "touchline.yaml"
    bootstrap = {"bootstrap": list(kafka.bootstrap)}
    file.write_text(yaml.safe_dump({"kafka": bootstrap, "clickhouse": {"url": "http://127.0.0.1:9"}}))
    command = [sys.executable, "-m", "services.cli.service", "alerts", "--config", str(file)]
    named = os.environ | {OPS_PORT_ENV: str(port)}
    process = await asyncio.create_subprocess_exec(*command, env=named, stderr=subprocess.DEVNULL)
    try:
        yield Service(process.pid, port)
    finally:
        process.terminate()
        await process.wait()


async def _by_the_clock(kafka: KafkaConfig, ticks: list[list[bytes]]) -> None:
    writer = producer(kafka, "bench")
    await writer.start()
    try:
        began = time.monotonic()
        for number, records in enumerate(ticks):
            await asyncio.sleep(max(0.0, began + number * TICK_S - time.monotonic()))
            for index, value in enumerate(records):
                place = (number + index) % kafka.partitions
                await writer.send("journey.facts.v1", value, key=b"bench", partition=place)
        await writer.flush()
    finally:
        await writer.stop()


async def _opened(kafka: KafkaConfig, service: Service, count: int) -> None:
    """As many accounts with a failed moment of truth each."""
    writer = producer(kafka, "bench")
    await writer.start()
    try:
        for number in range(count):
            account = f"crm:{number}"
            value = FACTS.dump_json(_failed(account, number, datetime.now(UTC)))
            place = partition_of(account, kafka.partitions)
            await writer.send("journey.facts.v1", value, key=account.encode(), partition=place)
        await writer.flush()
    finally:
        await writer.stop()
    await service.until_open(count)


def _failed(account: str, number: int, at: datetime) -> list[SignalFact]:
    root: dict[str, Any] = {
        "signal_id": f"root-{number}",
        "account_id": account,
        "revision": 1,
        "rule": "ticket_reopened",
        "rule_version": 1,
        "polarity": "friction",
        "severity": 0.7,
        "event_id": f"event-{number}",
        "person_id": "p1",
        "touchpoint_type": "support_ticket",
        "phase": "enablement",
        "opened_at": at,
        "closed_at": at,
        "evidence": (f"event-{number}",),
        "evidence_count": 1,
        "explanation": "the ticket was opened again after it was called solved",
    }
    tag = root | {"signal_id": f"tag-{number}", "rule": "moment_of_truth_failed", "parts": (f"root-{number}",)}
    return [SignalFact(**root), SignalFact(**tag)]


def _percent(spent: Spent) -> str:
    return f"{spent.cpu / spent.seconds * 100:.1f} % of a core, {spent.memory_mb:.0f} MB"


def main() -> None:
    """As the command line asks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=RATE_PER_S)
    parser.add_argument("--seconds", type=int, default=SECONDS)
    parser.add_argument("--open", type=int, default=OPEN)
    asked = parser.parse_args()
    aloud(table(measured(asked.rate, asked.seconds, asked.open, aloud)))


if __name__ == "__main__":
    main()
