"""One processor as a process: `run("attribute", config)`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from aiokafka.errors import KafkaError

from schemas.config import Config
from schemas.errors import ConfigurationError
from schemas.processes import FORMER_GROUPS, STAGES
from schemas.topics import TopicName
from streams.connectors.registry import CONNECTORS, connectors_of, directories_of, mappings_of
from streams.identity.erasures import Ledger
from streams.identity.networks import Networks
from streams.journey.blueprints import load
from streams.journey.compiled import CompiledBlueprint
from streams.minimising.asked import asked_by
from streams.minimising.kept import Kept, keeping_of
from streams.processors import attribute, recalled
from streams.processors import journey as journey_stage
from streams.processors.app import attach, make_app, names
from streams.processors.attributor import Attributor
from streams.processors.clock import Watermark
from streams.processors.directory_upgrade import Carrying
from streams.processors.draining import Draining
from streams.processors.history import Histories
from streams.processors.links import LinksReader, RecallLeader
from streams.processors.mapper import Mapper
from streams.processors.memory import Memory
from streams.processors.parking_leader import ParkingLeader
from streams.processors.parking_worker import ParkingWorker
from streams.processors.progress import SinkProgress, StoredSince
from streams.processors.refold import Refolds
from streams.processors.shell import Handler, Stage
from streams.processors.timers import Timers
from streams.processors.watchdog import Watchdog, lag_of
from streams.runtime.clickhouse import Store
from streams.runtime.fuse import SourceFuses
from streams.runtime.garbage import settle
from streams.runtime.kafka import broadcast_consumer, end_offsets, partitions, producer
from streams.runtime.log_guard import Broken, OnBroken
from streams.runtime.metrics import Metrics
from streams.runtime.metrics_server import OpsServer
from streams.runtime.outbox import Outbox
from streams.runtime.pauses import Pauses
from streams.runtime.refusal_counts import Tally
from streams.runtime.standings import Standings, StandingsReader
from streams.runtime.taking_over import take_over
from streams.runtime.topics_admin import ensure_topics
from streams.runtime.writer import RecordWriter

EXIT_FAILED = 1
#: Longer than any work of ours takes, and far less than Kafka waits for a silent member of a group.
STOOD_S = 2.0
#: `attribute` collects for all that follow: what it sends together they read, handle and send together.
LINGER_S: Final[Mapping[str, float]] = {"attribute": 0.12, "journey": 0.01}
_TAKEN_OVER: Final = {topic: group for topic, group in FORMER_GROUPS.items() if topic in STAGES["attribute"].reads}
_log = logging.getLogger("touchline.processor")

Task = Callable[[], Coroutine[Any, Any, None]]
Checks = Callable[[], tuple[bool, dict[str, object]]]


@dataclass(slots=True)
class Plan:
    """What a stage runs: its agents, its background tasks, what to do on an assignment, and how to close."""

    agents: dict[TopicName, Handler]
    tasks: list[Task] = field(default_factory=list)
    on_revoked: Callable[[], None] = lambda: None
    on_assigned: Callable[[set[int]], Coroutine[Any, Any, None]] | None = None
    closing: list[Task] = field(default_factory=list)
    checks: Checks = lambda: (True, {})


@dataclass(slots=True)
class Probe:
    """What `/healthz` answers now: from the first moment of a process, which may wait and read for a while."""

    answer: Checks = lambda: (False, {"waiting_for": "Kafka"})


@dataclass(slots=True)
class Base:
    """What every stage has. `blueprint`: of those that judge."""

    config: Config
    clickhouse_password: str
    erasure_key: bytes
    blueprint: CompiledBlueprint | None
    stage: Stage
    outbox: Outbox
    metrics: Metrics
    die: Callable[[str], None]
    on_broken: OnBroken
    probe: Probe


def run(stage: str, config: Config, clickhouse_password: str = "", erasure_key: bytes = b"") -> int:
    """Run one processor until SIGTERM; returns the exit code. `erasure_key`: of the ledger; for `attribute`."""
    if stage not in _PLANS:
        raise ConfigurationError(f"unknown stage `{stage}`; stages are {', '.join(_PLANS)}")
    # before Kafka is there, which takes longer than anything else: a refused one is said at once
    blueprint = load(config.journey.blueprint, CONNECTORS) if stage == "journey" else None
    return asyncio.run(_run(stage, config, clickhouse_password, erasure_key, blueprint))


async def _run(
    stage_name: str,
    config: Config,
    clickhouse_password: str,
    erasure_key: bytes = b"",
    blueprint: CompiledBlueprint | None = None,
) -> int:
    ended = asyncio.get_running_loop().create_future()

    def end(code: int) -> None:
        if not ended.done():
            ended.set_result(code)

    def die(why: str) -> None:
        _log.error(why)
        end(EXIT_FAILED)

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, end, 0)
    settle()
    metrics, probe = Metrics(), Probe()
    async with OpsServer(metrics, lambda: probe.answer(), host=config.metrics_host) as ops:
        await ensure_topics(config.kafka, deadline_s=600.0)
        sender = producer(config.kafka, f"touchline-{stage_name}")
        await _start_patiently(sender.start)
        writer = RecordWriter(
            sender,
            lambda topic: partitions(config.kafka, topic),
            topic_prefix=config.kafka.topic_prefix,
            linger_s=LINGER_S[stage_name],
        )
        outbox = Outbox(writer, die)
        stage = Stage(stage_name, outbox, metrics, die)
        on_broken = _ending(die)
        base = Base(config, clickhouse_password, erasure_key, blueprint, stage, outbox, metrics, die, on_broken, probe)
        plan = await _PLANS[stage_name](base)
        settle(tidies=stage_name != "attribute")
        async with _background(base, plan):
            await _serve(base, plan, ended, ops.pauses)
    with contextlib.suppress(Exception):
        async with asyncio.timeout(5):
            await sender.stop()
    return int(ended.result())


async def _serve(base: Base, plan: Plan, ended: asyncio.Future[int], pauses: Pauses) -> None:
    app = make_app(base.stage.name, base.config.kafka, base.on_broken)
    for topic, handler in plan.agents.items():
        attach(app, base.config.kafka.topic_prefix + topic, _consumer(base.stage, handler))

    @app.on_partitions_revoked.connect  # type: ignore[untyped-decorator]
    async def _revoked(_app: Any, _partitions: set[Any], **_: Any) -> None:
        base.stage.acks.forget()
        plan.on_revoked()

    if plan.on_assigned is not None:
        on_assigned = plan.on_assigned

        @app.on_partitions_assigned.connect  # type: ignore[untyped-decorator]
        async def _assigned(_app: Any, assigned: set[Any], **_: Any) -> None:
            await on_assigned({tp.partition for tp in assigned})

    app.finalize()
    loaded_s = time.monotonic()
    base.probe.answer = lambda: _health(app, base.stage, pauses.longest_s(time.monotonic(), loaded_s), plan.checks)
    watchdog = Watchdog(
        base.stage, lambda: lag_of(app, names(base.config.kafka, list(plan.agents))), base.metrics, base.die
    )
    watching = [asyncio.create_task(task) for task in (watchdog.run(), _crash(app, base.die))]
    try:
        await app.start()
        await ended
    finally:
        for task in watching:
            task.cancel()
        await base.stage.drain()
        with contextlib.suppress(Exception):
            async with asyncio.timeout(5):
                await app.stop()


def _health(app: Any, stage: Stage, stood_s: float, of_stage: Checks) -> tuple[bool, dict[str, object]]:
    """Whether it has partitions, waits for nothing, keeps up and never stood of late."""
    assigned = len(app.consumer.assignment()) if app.consumer is not None else 0
    is_well, own = of_stage()
    checks: dict[str, object] = {
        "partitions": assigned,
        "waiting_for": stage.waits.what or "nothing",
        "last_ack_s_ago": round(time.monotonic() - stage.moved_at, 1),
        "stood_for_s": round(stood_s, 1),
        **own,
    }
    if went_back := app.transport.returns:
        checks["went_back"] = went_back
    return bool(assigned) and not stage.waits and stood_s < STOOD_S and is_well, checks


def _ending(die: Callable[[str], None]) -> OnBroken:
    """What hears of broken logs, in any thread: the group has gone back, and a fresh process reads from there."""
    loop = asyncio.get_running_loop()

    def ended(broken: list[Broken]) -> None:
        for place in broken:
            _log.error("a log is no more what was read: %s", place)
        loop.call_soon_threadsafe(die, "what Kafka holds has changed under this process; it starts afresh")

    return ended


async def _crash(app: Any, die: Callable[[str], None]) -> None:
    while not app.crashed:
        await asyncio.sleep(0.5)
    die(f"faust crashed: {app.crash_reason!r}")


def _consumer(stage: Stage, handler: Handler) -> Callable[[Any], Coroutine[Any, Any, None]]:
    return lambda events: stage.process(events, handler)


def _kept(config: Config) -> Kept:
    """What sources keep of their events' words. The blueprint is read only where one keeps less than all."""
    keeping = keeping_of((source.name, source.keep) for source in config.sources)
    return Kept(keeping, asked_by(load(config.journey.blueprint, CONNECTORS).source)) if keeping else Kept()


async def _plan_attribute(base: Base) -> Plan:
    config, kafka = base.config, base.config.kafka
    links = LinksReader(kafka, base.metrics, base.on_broken, directories_of(config), Ledger(base.erasure_key))
    leader = RecallLeader(kafka, links, base.outbox, base.on_broken)
    base.probe.answer = lambda: (False, {"waiting_for": links.reading})
    await _start_patiently(lambda: take_over(kafka, "touchline-attribute", _TAKEN_OVER))
    await _start_patiently(links.start)
    await _start_patiently(leader.start)
    by = Attributor(base.stage, links)
    intake = await _plan_intake(base, by)
    draining = Draining(kafka, base.stage, by, base.on_broken)
    store = Store(config.clickhouse, base.clickhouse_password)
    stored = StoredSince(kafka, lambda: _facts_end(base))
    carrying = Carrying(links, leader, base.outbox, store, stored)

    async def close() -> None:
        store.close()
        await stored.close()

    def checks() -> tuple[bool, dict[str, object]]:
        is_well, known = links.checks()
        left = {"left_by_an_earlier_version": draining.left} if draining.left else {}
        return is_well, known | intake.checks()[1] | left

    return Plan(
        agents=intake.agents | {recalled.INPUT: recalled.Reattribute(base.stage, by)},
        tasks=[links.run, leader.run, carrying.run, draining.run, *intake.tasks],
        closing=[leader.stop, links.stop, close, *intake.closing],
        checks=checks,
    )


async def _plan_intake(base: Base, by: Attributor) -> Plan:
    """The part that reads requests, and those of sources that were set aside."""
    config, fuses = base.config, SourceFuses()
    mapper = Mapper(Networks(config.attribution), connectors_of(config.sources), by.links.directories, _kept(config))
    standings = Standings(on_flowing=fuses.forget)
    reader = StandingsReader(config.kafka, standings)
    parking = ParkingLeader(
        config.kafka, lambda: ParkingWorker(config.kafka, standings, mapper, by, base.stage, base.metrics)
    )
    base.probe.answer = lambda: (False, {"waiting_for": "where the sources stand"})
    await _start_patiently(reader.start)
    await _start_patiently(parking.start)

    def checks() -> tuple[bool, dict[str, object]]:
        aside = {standing.source: standing.state for standing in standings.aside}
        return True, {"set_aside": aside} if aside else {}

    tally = Tally("attribute")
    return Plan(
        agents={attribute.INPUT: attribute.Attribute(base.stage, by, mapper, standings, fuses, tally)},
        tasks=[reader.run, parking.run],
        closing=[parking.stop, reader.stop],
        checks=checks,
    )


async def _plan_journey(base: Base) -> Plan:
    config = base.config
    assert base.blueprint is not None
    store = Store(config.clickhouse, base.clickhouse_password)
    progress = SinkProgress(config.kafka, base.stage, lambda: _facts_end(base))
    parts = journey_stage.Parts(
        stage=base.stage,
        blueprint=base.blueprint,
        memory=Memory(config.journey.max_accounts_in_memory, config.journey.max_touchpoints_in_memory, progress.has),
        histories=Histories(store, directories_of(config), base.stage.waits),
        progress=progress,
        watermark=Watermark(),
        partitions=partitions(config.kafka, journey_stage.INPUT),
        meter=base.metrics,
        mappings=mappings_of(config.sources),
    )
    handler = journey_stage.Journey(parts)
    refolds = Refolds(parts, debounce_s=config.journey.refold_debounce_s, meter=base.metrics)

    async def assigned(partitions: set[int]) -> None:
        ends = await _facts_end(base)
        handler.assigned({partition: ends[partition] for partition in partitions})

    async def close() -> None:
        store.close()

    return Plan(
        agents={journey_stage.INPUT: handler},
        tasks=[handler.run, progress.run, refolds.run, Timers(parts, handler).run],
        on_revoked=handler.revoked,
        on_assigned=assigned,
        closing=[progress.close, close],
    )


_PLANS: dict[str, Callable[[Base], Coroutine[Any, Any, Plan]]] = {
    "attribute": _plan_attribute,
    "journey": _plan_journey,
}


async def _facts_end(base: Base) -> dict[int, int]:
    consumer = broadcast_consumer(base.config.kafka, "touchline-facts-end")
    await consumer.start()
    try:
        return await end_offsets(consumer, base.config.kafka, journey_stage.OUTPUT)
    finally:
        await consumer.stop()


@contextlib.asynccontextmanager
async def _background(base: Base, plan: Plan) -> Any:
    """Runs the plan's tasks; one that ends or fails ends the process."""

    async def guarded(task: Task) -> None:
        try:
            await task()
        except asyncio.CancelledError:
            raise
        except Exception:
            _log.exception("a background task failed")
        base.die(f"{base.stage.name}: a background task ended")

    tasks = [asyncio.create_task(guarded(task)) for task in plan.tasks]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for close in plan.closing:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(5):
                    await close()


async def _start_patiently(start: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Wait for Kafka, for ever: it being away at start is no failure of ours."""
    while True:
        try:
            await start()
            return
        except (KafkaError, OSError) as error:
            _log.warning("kafka is away: %s", error)
            await asyncio.sleep(0.5)
