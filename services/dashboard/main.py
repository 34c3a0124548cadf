"""The process: serves at once, whether or not the store is there yet."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

import httpx
import uvicorn

from schemas.alerting import AlertsConfig
from schemas.config import Config, SecretRef
from schemas.errors import ConfigurationError
from services.common.access import Access, read_access
from services.common.connection import Bounds, server_settings
from services.common.dead_letters import replay
from services.common.expiring import Expiring, soonest
from services.common.secrets import clickhouse_password, ensure_secret_file, read_secret
from services.common.server import Server
from services.common.sockets import listen
from services.dashboard import acting, answers
from services.dashboard.acting import Act, ToLog
from services.dashboard.answers import TIMEOUT_S, Decide, Gateway, ToGateway
from services.dashboard.aside import aside_of, refused_of
from services.dashboard.board import Board
from services.dashboard.bootstrap import Surroundings, build, utc_now
from services.dashboard.clickhouse import ClickHouseStore, connect
from services.dashboard.disks import Disks
from services.dashboard.errands import SourceTools, TestEvents
from services.dashboard.letters import Letters
from services.dashboard.live import Live
from services.dashboard.pipeline import Pipeline, all_of
from services.dashboard.privacy import Receipts
from services.dashboard.reader import Waiting
from services.dashboard.service_status import STATUS_FILE_ENV, from_status_file, nothing_waited_for
from streams.connectors.registry import directories_of, feeds_of
from streams.incidents.rhythm import Rhythms
from streams.journey.blueprints import load
from streams.runtime.at_rest import AtRest
from streams.runtime.clickhouse import Store
from streams.runtime.garbage import settle
from streams.runtime.pauses import Pauses
from streams.runtime.standings import Standings, StandingsReader

_log = logging.getLogger(__name__)
GOODBYE_S = 2
BOUNDS = Bounds(head_s=10.0, body_s=15.0)


async def serve(config: Config, *, listener: socket.socket | None = None) -> None:
    """Until SIGTERM or SIGINT. `listener`: an open socket to serve on instead of the configured address.

    Raises ConfigurationError for a missing secret, an unknown host or an open address without a token, OSError
    for a taken port.
    """
    password = clickhouse_password(config)
    store = ClickHouseStore(partial(connect, config.clickhouse, password))
    client = httpx.AsyncClient(timeout=TIMEOUT_S)
    pipeline = Pipeline(config.kafka, utc_now)
    standings = StandingsReader(config.kafka, Standings(), "touchline-dashboard-standings")
    board, letters, gateway = Board(), Letters(), gateway_of(config, client)
    around = Surroundings(
        sources=feeds_of(config.sources),
        token=read_secret(config.dashboard.token) if config.dashboard.token else None,
        access=Access(Path(config.dashboard.access_file)) if config.dashboard.access_file else None,
        session_key=session_key(config.dashboard.access_file),
        public_url=config.alerts.public_url,
        decide=decide_with(gateway),
        act=act_with(gateway),
        receipts=Receipts(folder_of(os.environ)),
        board=board,
        letters=letters,
        behind=pipeline.behind,
        aside=lambda: aside_of(standings.standings),
        refused=lambda: refused_of(standings.standings, utc_now()),
        gateway_url=_gateway_here(config),
        channels=channels_of(config.alerts),
        directories=directories_of(config),
        rhythms=Rhythms(config.lateness, config.sources),
        source_tools=source_tools_of(config, client),
    )
    asking = Store(config.clickhouse, password, timeout_s=5)
    disks = Disks(asking, os.environ, utc_now)
    waiting = all_of(waiting_of(os.environ), pipeline.waiting, disks.waiting)
    blueprint = load(config.journey.blueprint).source
    app = build(config.dashboard, store=store, blueprint=blueprint, waiting=waiting, around=around)
    listener = listener or listen(config.dashboard.host, config.dashboard.port, "dashboard.host")
    host, port = listener.getsockname()[:2]
    _log.info("dashboard is up", extra={"host": host, "port": port})
    bounds = replace(BOUNDS, connections=config.dashboard.max_connections)
    settings = server_settings(app, bounds, timeout_graceful_shutdown=GOODBYE_S)
    watching = [asyncio.create_task(each.run()) for each in (pipeline, disks, standings)]
    watching.append(asyncio.create_task(board.run(config.kafka)))
    watching.append(asyncio.create_task(letters.run(config.kafka)))
    watching += [asyncio.create_task(watch.run()) for watch in (Pauses(app.state.metrics), AtRest())]
    if config.dashboard.access_file:
        looks = {"access token": partial(_token_until, Path(config.dashboard.access_file))}
        watching.append(asyncio.create_task(Expiring(looks, app.state.metrics).run()))
    settle()
    try:
        await _Server(settings, app.state.lives).serve([listener])
    finally:
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
        await standings.stop()
        store.close()
        asking.close()
        await client.aclose()


async def _token_until(path: Path) -> datetime | None:
    return soonest(read_access(path).tokens, utc_now())


class _Server(Server):
    """Ends the live streams before it waits for connections to end; they would not end by themselves."""

    def __init__(self, config: uvicorn.Config, lives: Sequence[Live]) -> None:
        super().__init__(config)
        self._lives = lives

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for live in self._lives:
            live.close()
        await super().shutdown(sockets)


def session_key(access_file: str) -> bytes:
    """Signs sessions and pseudonyms: a secret beside the file of tokens, so that they outlive a start of ours.

    Empty where there is no such file, or none can be written beside it: then they end with this process.
    """
    if not access_file:
        return b""
    try:
        place = ensure_secret_file(Path(f"{access_file}.key"), length_bytes=32)
        return read_secret(SecretRef(file=str(place)))
    except OSError as error:
        _log.warning("sessions end when the dashboard does: their key cannot be kept", extra={"why": str(error)})
        return b""


def gateway_of(config: Config, client: httpx.AsyncClient) -> Gateway | None:
    """As the first source of vendor `touchline`; without one, or without its secret, nothing can be written."""
    source = next((one for one in config.sources if one.vendor == "touchline"), None)
    if source is None:
        return None
    try:
        key = read_secret(source.secrets[0])
    except ConfigurationError as error:
        _log.warning("questions cannot be answered and incidents not taken here", extra={"why": str(error)})
        return None
    return Gateway(client, config.dashboard.gateway_url or _gateway_here(config), source.name, key)


def source_tools_of(config: Config, client: httpx.AsyncClient) -> SourceTools:
    """Test events go as the first source that speaks Segment's protocol; secrets lie where the tokens lie."""
    tools = SourceTools(
        resend=partial(replay, config.kafka),
        secrets_dir=Path(config.dashboard.access_file).parent if config.dashboard.access_file else None,
        names=frozenset(one.name for one in config.sources),
    )
    source = next((one for one in config.sources if one.vendor == "segment"), None)
    if source is None:
        return tools
    try:
        key = read_secret(source.secrets[0])
    except ConfigurationError as error:
        _log.warning("no test events can be sent here", extra={"why": str(error)})
        return tools
    url = config.dashboard.gateway_url or _gateway_here(config)
    return replace(tools, send_trial=TestEvents(client, url, source.name, key))


def channels_of(alerts: AlertsConfig) -> dict[str, str]:
    """Names and kinds; nothing secret is read."""
    return {channel.name: type(channel).__name__.removesuffix("Channel").lower() for channel in alerts.channels}


def decide_with(gateway: Gateway | None) -> Decide:
    """Where answers go; without a gateway they are refused, and that is said."""
    return ToGateway(gateway) if gateway is not None else answers.not_configured


def act_with(gateway: Gateway | None) -> Act:
    """Where actions go; without a gateway they are refused, and that is said."""
    return ToLog(gateway) if gateway is not None else acting.not_configured


def _gateway_here(config: Config) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(config.gateway.host, config.gateway.host)
    return f"http://{host}:{config.gateway.port}"


def folder_of(env: Mapping[str, str]) -> Path | None:
    """The data folder, where the supervisor started us."""
    path = env.get(STATUS_FILE_ENV)
    return Path(path).parent if path else None


def waiting_of(env: Mapping[str, str]) -> Waiting:
    """From the supervisor's status file where there is one."""
    path = env.get(STATUS_FILE_ENV)
    return from_status_file(Path(path)) if path else nothing_waited_for
