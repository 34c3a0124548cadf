"""What the alerts service costs: CPU for each event that passes it, memory and time with many open incidents."""

from __future__ import annotations

import asyncio
import logging
import time
import tracemalloc
from collections.abc import Awaitable, Generator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from schemas.alerting import AlertsConfig
from schemas.base import EPOCH
from schemas.config import KafkaConfig
from schemas.facts import FACTS, AccountFact, Fact, SignalFact, TouchpointFact
from schemas.incidents import Desk, Message, Part, Ward
from services.alerting.deliveries import Deliveries
from services.alerting.desks import Desks
from services.alerting.dispatch import Dispatcher
from services.alerting.watcher import Watcher
from streams.incidents.intake import Lens
from streams.incidents.messages import Places
from streams.incidents.rhythm import Rhythms
from streams.journey.blueprints import load
from streams.journey.compiled import CompiledBlueprint
from streams.runtime.metrics import NoMetrics
from tests.simulation.alerted import facts
from tests.simulation.score import stories

KAFKA: Final = KafkaConfig(partitions=1)
RECORD: Final = 20
"""Facts a record; the journey puts up to a few hundred into one."""
RATE_PER_S: Final = 1_000


@dataclass(frozen=True, slots=True)
class Cost:
    """Of facts in the order of their time, judged as they come."""

    facts: int
    touchpoints: int
    cpu_percent: float


@dataclass(frozen=True, slots=True)
class Crowd:
    """With so many open incidents."""

    count: int
    memory_mb: float
    load_s: float
    look_ms: float
    due_ms: float


class _Kept:
    """A producer that keeps the last value of each key, as a compacted topic does."""

    def __init__(self) -> None:
        self.values: dict[str, bytes | None] = {}

    async def send(self, topic: str, value: bytes | None, *, key: bytes, partition: int) -> Awaitable[Any]:
        self.values[key.decode()] = value
        return _nothing()

    async def send_and_wait(self, topic: str, value: bytes | None, *, key: bytes, partition: int) -> None:
        """The delivery log is not looked at."""


class _Service:
    """The service without Kafka; `now` is its clock."""

    def __init__(self, blueprint: CompiledBlueprint) -> None:
        self.now, self.kept = EPOCH, _Kept()
        self.desks = Desks(KAFKA, self.kept, 1)
        self.desks.wards = {0: Ward(partition=0, blueprint_digest=1, since=EPOCH, until=EPOCH)}
        self.deliveries = Deliveries(KAFKA, self.kept, NoMetrics())
        self.watcher = Watcher(
            None,
            self.desks,
            Lens(blueprint.source),
            self.deliveries,
            route=_to_one,
            places=Places("https://journey.example.com"),
            rhythms=Rhythms(),
            meter=NoMetrics(),
            clock=lambda: self.now,
        )

    async def take(self, value: bytes, now: datetime) -> None:
        """What one turn of the service does."""
        self.now = max(self.now, now)
        self.watcher._take(value, 0)
        await self.watcher._look()
        await self.desks.save()


def cost(blueprint: CompiledBlueprint, accounts: int) -> Cost:
    """CPU of facts of ninety days in order. The clock goes with them: incidents open, close and are forgotten."""
    told = sorted((fact for story in stories(accounts, 1) for fact in facts(story, blueprint)), key=_at)
    records = [(FACTS.dump_json(told[at : at + RECORD]), _at(told[at])) for at in range(0, len(told), RECORD)]
    touchpoints = sum(isinstance(fact, TouchpointFact) for fact in told)
    service = _Service(blueprint)
    logging.getLogger("touchline.alerts").setLevel(logging.ERROR)

    async def all_of_it() -> float:
        began = time.process_time()
        for value, at in records:
            await service.take(value, at)
        return time.process_time() - began

    spent_s = asyncio.run(all_of_it())
    return Cost(len(told), touchpoints, spent_s / touchpoints * RATE_PER_S * 100)


async def crowd(count: int) -> Crowd:
    """As many accounts with one open incident each, all messages waiting for a receiver that is away."""
    service = _Service(load())
    service.now = EPOCH + timedelta(days=20_000)
    for number in range(count):
        desk = service.desks.get(f"crm:{number}")
        service.desks.put(desk.changed(name=f"Customer {number}", parts={"s": _pain(number, service.now)}))
    began = time.monotonic()
    for number in range(count):
        await service.watcher._judge(f"crm:{number}", service.now)
    look_ms = (time.monotonic() - began) / count * 1000
    await service.desks.save()
    dispatcher = Dispatcher(service.desks, {}, service.deliveries, AlertsConfig(), NoMetrics(), lambda: service.now)
    began = time.monotonic()
    assert dispatcher.due("team") is not None
    due_ms = (time.monotonic() - began) * 1000
    began = time.monotonic()
    _read_again(service.kept)
    load_s = time.monotonic() - began
    tracemalloc.start()
    held = _read_again(service.kept)
    memory_mb = tracemalloc.get_traced_memory()[0] / 1e6
    tracemalloc.stop()
    assert len(held.of) == count
    return Crowd(count, memory_mb, load_s, look_ms, due_ms)


def _read_again(kept: _Kept) -> Desks:
    """What a process that starts holds afterwards."""
    desks, found = Desks(KAFKA, kept, 1), dict[str, Desk]()
    desks.wards = {0: Ward(partition=0, blueprint_digest=1, since=EPOCH, until=EPOCH)}
    for key, value in kept.values.items():
        desks._learn(key, value, found)
    for desk in found.values():
        desks.put(desk)
    return desks


def _pain(number: int, now: datetime) -> Part:
    return Part(
        part_id="s",
        kind="signal",
        what="moment_of_truth_failed",
        severity=0.7,
        touchpoint_type="support_ticket",
        phase="enablement",
        opened_at=now,
        closed_at=now,
        event_id=f"00000000-0000-5000-8000-{number:012}",
        events=(f"00000000-0000-5000-8000-{number:012}",),
        words="the ticket was opened again after it was called solved",
    )


def _at(fact: Fact) -> datetime:
    if isinstance(fact, TouchpointFact):
        return fact.input.touchpoint.received_at
    if isinstance(fact, SignalFact):
        return fact.opened_at
    return fact.as_of if isinstance(fact, AccountFact) else EPOCH


def _to_one(message: Message) -> tuple[str, ...]:
    return ("team",)


def _nothing() -> Awaitable[None]:
    return _Done()


class _Done:
    def __await__(self) -> Generator[None, None, None]:
        return
        yield
