"""The alerts service as a process: facts from Kafka, messages to people."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import blake2b
from typing import Any, Final

from aiokafka.errors import KafkaError

from schemas.alerting import AlertsConfig
from schemas.blueprint import Blueprint
from schemas.config import Config
from schemas.errors import TransientError
from schemas.processes import READERS
from services.alerting.channels.registry import Leave, nowhere, senders
from services.alerting.deliveries import Deliveries
from services.alerting.desks import Desks
from services.alerting.dispatch import Dispatcher
from services.alerting.hearing import Hearing, StagesBehind
from services.alerting.incidents_table import IncidentsTable
from services.alerting.measuring import Measuring
from services.alerting.outgoing import Away, Outgoing, Refused, Unanswered
from services.alerting.routing import Manners, router
from services.alerting.trials import Trials
from services.alerting.watcher import STAGE, Watcher
from services.alerting.weeklies import Weeklies
from services.common.expiring import Expiring, Look
from services.common.link_keys import link_keys
from services.common.secrets import clickhouse_password
from streams.incidents.intake import Lens
from streams.incidents.links import LEAVE, LEAVE_PATH, ActionLink, signed
from streams.incidents.messages import Links, Places
from streams.incidents.rhythm import Rhythms
from streams.journey.blueprints import load
from streams.runtime.clickhouse import Store
from streams.runtime.follower import Follower, Learn
from streams.runtime.garbage import settle
from streams.runtime.kafka import group_consumer, producer
from streams.runtime.lifetime import close_all, started, stop_on_signals
from streams.runtime.log_guard import Broken, guard
from streams.runtime.metrics import Metrics
from streams.runtime.metrics_server import Checks, OpsServer
from streams.runtime.standings import Standings, StandingsReader

GROUP: Final = "touchline-alerts"
LEAVE_FOR: Final = timedelta(days=60)
"""How long a mail's link to leave works; a mail of last month may still be at hand."""
_log = logging.getLogger("touchline.alerts")


class Health:
    """What the service knows about itself."""

    def __init__(self) -> None:
        self.waiting = "waiting for Kafka: not connected yet"
        self.watcher: Watcher | None = None
        self.dispatcher: Dispatcher | None = None
        self.channels = 0

    def waits(self, error: KafkaError) -> None:
        """Kafka did not answer."""
        self.waiting = f"waiting for Kafka: {error!r}"[:300]

    def report(self) -> tuple[bool, Checks]:
        """Able to notify people now? A receiver that is away is said, and no reason to be called unhealthy."""
        checks: dict[str, object] = {"channels": self.channels or "none: only the log is written, nobody is told"}
        if self.waiting:
            checks["waiting"] = self.waiting
        if self.dispatcher is not None and self.dispatcher.failing:
            checks["failing"] = dict(self.dispatcher.failing)
        if self.watcher is not None:
            checks["held"] = self.watcher.held
        is_watching = self.watcher is not None and self.watcher.is_watching
        return is_watching and not self.waiting, checks


async def serve(config: Config, *, stopping: asyncio.Event | None = None, health: Health | None = None) -> None:
    """Runs until SIGTERM, SIGINT or, where it is given, `stopping`; waits for Kafka as long as it is away.

    Raises ConfigurationError at start for channels or a blueprint that cannot be used, TransientError when a fresh
    process is to go on.
    """
    alerts = config.alerts
    calls = Outgoing(alerts.allow_private, timeout_s=alerts.timeout_s)
    channels = senders(alerts, calls, leave_of(alerts))
    blueprint = load(config.journey.blueprint).source
    metrics, health = Metrics(), health or Health()
    health.channels = len(channels)
    if stopping is None:
        stopping = asyncio.Event()
        stop_on_signals(stopping)
    broken: list[Broken] = []

    def broke(places: list[Broken]) -> None:
        broken.extend(places)
        stopping.set()

    def made() -> Any:
        consumer = group_consumer(config.kafka, GROUP, role=STAGE)
        guard(consumer, broke)
        return consumer

    try:
        async with (
            OpsServer(metrics, health.report, host=config.metrics_host),
            started(lambda: producer(config.kafka, GROUP), stopping, health.waits) as writer,
            started(made, stopping, health.waits) as consumer,
        ):
            if consumer is not None:
                await _watch(consumer, config, blueprint, channels, writer, metrics, health, stopping, calls)
    finally:
        await calls.close()
    if broken:
        raise TransientError("what Kafka holds has changed under the alerts; they start afresh")


def digest_of(blueprint: Blueprint) -> int:
    """Of a blueprint with its policies: with another one, what happened before is history."""
    text = blueprint.model_dump_json(exclude={"rules": {"__all__": {"tests"}}, "policies": {"__all__": {"tests"}}})
    return int.from_bytes(blake2b(text.encode(), digest_size=7).digest())


def places_of(alerts: AlertsConfig) -> Places:
    """Where messages point. Raises ConfigurationError for a secret of links that cannot be used."""
    keys = link_keys(alerts)
    if alerts.links is None:
        return Places(alerts.public_url)
    return Places(alerts.public_url, Links(alerts.links.url, keys[0], timedelta(hours=alerts.links.valid_h)))


def leave_of(alerts: AlertsConfig) -> Leave:
    """How digests offer to leave them. Raises ConfigurationError as `places_of` does."""
    keys, links = link_keys(alerts), alerts.links
    if links is None:
        return nowhere

    def leave(mark: str) -> str:
        link = ActionLink("", "digest", (mark,), _now() + LEAVE_FOR)
        return f"{links.url}{LEAVE_PATH}{signed(link, keys[0], LEAVE)}"

    return leave


def certificates(alerts: AlertsConfig, calls: Outgoing) -> dict[str, Look]:
    """How to learn until when the certificates of our own addresses are good: those that people open."""
    named = {
        "certificate of the page": alerts.public_url or "",
        "certificate of the gateway": alerts.links.url if alerts.links is not None else "",
    }
    return {what: partial(_good_until, calls, url) for what, url in named.items() if url.startswith("https:")}


async def _good_until(calls: Outgoing, url: str) -> datetime:
    try:
        return await calls.certificate_until(url)
    except (Refused, Away, Unanswered) as error:
        raise TransientError(str(error)) from None


async def _watch(  # noqa: PLR0913 - the parts of the service
    consumer: Any,
    config: Config,
    blueprint: Blueprint,
    channels: dict[str, Any],
    writer: Any,
    metrics: Metrics,
    health: Health,
    stopping: asyncio.Event,
    calls: Outgoing,
) -> None:
    kafka, alerts = config.kafka, config.alerts
    desks = Desks(kafka, writer, digest_of(blueprint))
    deliveries = Deliveries(kafka, writer, metrics)
    rhythms = Rhythms(config.lateness, config.sources)
    standings = StandingsReader(kafka, Standings(), "touchline-alerts-standings")
    lens = Lens(blueprint)
    watcher = Watcher(
        consumer,
        desks,
        lens,
        deliveries,
        route=router(alerts),
        manner=Manners(alerts),
        places=places_of(alerts),
        rhythms=rhythms,
        meter=metrics,
        clock=_now,
        aside=lambda: frozenset(one.source for one in standings.standings.aside),
        withdraw_after=timedelta(seconds=alerts.withdraw_after_s),
    )
    watcher.stopping = stopping
    weeklies = Weeklies(desks, watcher.log, alerts, _now)
    dispatcher = Dispatcher(desks, channels, deliveries, alerts, metrics, _now, watcher.log.left, weeklies)
    password = clickhouse_password(config)
    asking, figures, keeping = (Store(config.clickhouse, password, timeout_s=limit_s) for limit_s in (20, 60, 60))
    names = frozenset(one.name for one in config.sources)
    hearing = Hearing(
        asking,
        StagesBehind(kafka),
        rhythms,
        metrics,
        _now,
        watcher.listened,
        names,
        watcher.owned,
        config.clickhouse.bi_database,
    )
    measuring = Measuring(
        figures,
        blueprint,
        _now,
        watcher.measured,
        lambda: not hearing.waits,
        rhythms.holidays,
    )
    table = IncidentsTable(keeping, desks, watcher.log, lens, _now)
    health.watcher, health.dispatcher, health.waiting = watcher, dispatcher, ""
    expiring = Expiring(certificates(alerts, calls), metrics)
    trials = Trials(channels, deliveries, alerts.public_url, _now, lambda: 0 in desks.wards)
    beside = [
        asyncio.create_task(dispatcher.run()),
        asyncio.create_task(
            Follower(kafka, "incidents.actions.v1", _heard(watcher, trials, table), "touchline-alerts-actions").run()
        ),
        asyncio.create_task(trials.run()),
        asyncio.create_task(standings.run()),
        asyncio.create_task(hearing.run()),
        asyncio.create_task(measuring.run()),
        asyncio.create_task(table.run()),
        asyncio.create_task(expiring.run()),
    ]
    for task in beside:
        task.add_done_callback(lambda _: stopping.set())
    try:
        consumer.subscribe([kafka.topic_prefix + topic for topic in READERS[STAGE].reads], listener=watcher)
        settle()
        _log.info("alerts started", extra={"channels": ", ".join(channels) or "none: only this log"})
        await watcher.run()
        for task in beside:
            if task.done() and not task.cancelled() and task.exception() is not None:
                raise TransientError(f"sending stopped: {task.exception()!r}") from task.exception()
    except KafkaError as error:
        raise TransientError(f"Kafka: {error!r}") from error
    finally:
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        await close_all(standings.stop)
        for store in (asking, figures, keeping):
            store.close()


def _heard(watcher: Watcher, trials: Trials, table: IncidentsTable) -> Learn:
    """All hear what people do."""

    def learn(key: str, value: bytes | None) -> None:
        watcher.acted(key, value)
        trials.learn(value)
        table.acted(value)

    return learn


def _now() -> datetime:
    return datetime.now(UTC)
