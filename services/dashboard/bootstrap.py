"""Builds the dashboard from its parts. Nothing connects before the first question."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from fastapi import FastAPI, Request
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Send
from starlette.types import Scope as ASGIScope

from schemas.blueprint import Blueprint
from schemas.capabilities import Capability
from schemas.config import DashboardConfig
from schemas.errors import ConfigurationError
from services.common.access import Access
from services.common.config import is_loopback
from services.common.visitors import Visitors
from services.dashboard import acting, api, exports, failures, privacy, questions, search, shell, signing_in, versioned
from services.dashboard.acting import Act
from services.dashboard.answers import Decide, not_configured
from services.dashboard.aside import Aside, Refused, none_aside, none_refused
from services.dashboard.board import Board
from services.dashboard.catalogue import Catalogue
from services.dashboard.desks import Desk
from services.dashboard.errands import SourceTools
from services.dashboard.guard import PROBED_PATHS, Door, Guard
from services.dashboard.letters import Letters
from services.dashboard.live import Live
from services.dashboard.masking import MaskedBoard, MaskedLetters, Pseudonyms, masked_refused, masked_store
from services.dashboard.pages import PAGES
from services.dashboard.pages.alerts import routes as alert_routes
from services.dashboard.pages.incidents import api as incident_api
from services.dashboard.pages.incidents import routes as incident_routes
from services.dashboard.pages.sources import routes as source_routes
from services.dashboard.privacy import Receipts
from services.dashboard.reader import Behind, Clock, Reader, Waiting
from services.dashboard.service_status import nothing_waited_for
from services.dashboard.sessions import Sessions
from services.dashboard.snapshots import Snapshots
from services.dashboard.store import JourneyStore
from services.dashboard.warming import warmed
from streams.identity.directories import Directories
from streams.incidents.rhythm import Rhythms
from streams.runtime.metrics import Metrics
from streams.runtime.metrics_server import PROMETHEUS_TEXT


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Surroundings:
    """What the dashboard knows of the rest.

    `sources` are the configured ones with what each can tell. `token` is an operator's, `access` has those of others,
    `session_key` signs sessions (empty: they end with the process), `public_url` is what browsers call the page by.
    `decide` is where answers go and `act` where actions, `receipts` of erasures, `board` what people did and were
    told, `behind` are the stages of the pipeline that do not keep up, `gateway_url` is where senders send, `channels`
    are those of alerts with their kinds, `directories` are those that an id in a URL may be of, `rhythms` say when a
    source is late, `source_tools` do what operators ask for on the page of sources.
    """

    sources: Mapping[str, Collection[Capability]] = field(default_factory=dict)
    token: bytes | None = None
    access: Access | None = None
    session_key: bytes = b""
    public_url: str = ""
    decide: Decide = not_configured
    act: Act = acting.not_configured
    receipts: Receipts = field(default_factory=Receipts)
    board: Board = field(default_factory=Board)
    letters: Letters = field(default_factory=Letters)
    behind: Behind = tuple
    aside: Aside = none_aside
    refused: Refused = none_refused
    gateway_url: str = ""
    channels: Mapping[str, str] = field(default_factory=dict)
    directories: Directories = field(default_factory=Directories)
    rhythms: Rhythms = field(default_factory=Rhythms)
    metrics: Metrics = field(default_factory=Metrics)
    source_tools: SourceTools = field(default_factory=SourceTools)


def build(
    config: DashboardConfig,
    *,
    store: JourneyStore,
    blueprint: Blueprint,
    clock: Clock = utc_now,
    waiting: Waiting = nothing_waited_for,
    around: Surroundings | None = None,
) -> FastAPI:
    """The application. Raises ConfigurationError for an open address without a token."""
    around = around or Surroundings()
    if not is_loopback(config.host) and not around.token and around.access is None:
        raise ConfigurationError(
            f"dashboard.host {config.host} is not loopback: dashboard.token or dashboard.access_file is required"
        )
    catalogue, key = Catalogue(blueprint), around.session_key or around.token or secrets.token_bytes(32)
    lives: list[Live] = []
    names = Pseudonyms(key)
    masked = masked_store(store, blueprint, names, clock)
    shown = shell.Pages(catalogue, shell.environment(), around.gateway_url)
    read_only = replace(shown, may_change=False)
    own = _reader(store, catalogue, clock, around)
    others = _reader(masked, catalogue, clock, replace(around, refused=masked_refused(around.refused)))
    others.board, others.letters = MaskedBoard(around.board), MaskedLetters(around.letters)
    desk = _desk(own, waiting, shown, lives, around.metrics)
    viewers_desk = replace(_desk(others, waiting, read_only, lives, around.metrics), sees_people=False)
    door = _door(config, around, key, clock)
    app = FastAPI(
        title="Touchline",
        docs_url=None,  # its pages would load scripts from elsewhere; /openapi.json stays
        redoc_url=None,
        lifespan=_running(lives, partial(warmed, desk.snapshots, shown)),
        middleware=[
            Middleware(Guard, door=door),
            Middleware(Packed, minimum_size=2_000, compresslevel=5),
        ],
    )
    app.state.desk, app.state.viewers_desk, app.state.lives, app.state.door = desk, viewers_desk, lives, door
    app.state.pages, app.state.viewers_pages = shown, read_only
    app.state.waiting, app.state.metrics = waiting, around.metrics
    app.state.channels = around.channels
    app.state.source_tools = around.source_tools
    app.state.decide, app.state.act, app.state.receipts = around.decide, around.act, around.receipts
    _add_routes(app)
    return app


class Packed(GZipMiddleware):
    """Packs answers, except streams: those pack their frames once for all, and a packer each would cost 20 KB."""

    async def __call__(self, scope: ASGIScope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] in api.STREAMS:
            await self.app(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def _reader(store: JourneyStore, catalogue: Catalogue, clock: Clock, around: Surroundings) -> Reader:
    surroundings = (around.sources, around.behind, around.directories, around.aside, around.refused, around.rhythms)
    reader = Reader(store, catalogue, clock, *surroundings)
    reader.board, reader.letters = around.board, around.letters
    return reader


def _desk(reader: Reader, waiting: Waiting, pages: shell.Pages, lives: list[Live], metrics: Metrics) -> Desk:
    snapshots = Snapshots(reader, waiting, {"json": Reader.whole, **{page.id: page.ask for page in PAGES}})
    renders = {"json": shell.json_parts, **pages.renderers()}
    lives.append(Live(snapshots, renders, metrics, lambda: sum(live.viewers for live in lives)))
    return Desk(reader, snapshots, lives[-1], sees_people=True)


def _door(config: DashboardConfig, around: Surroundings, key: bytes, clock: Clock) -> Door:
    access = around.access or Access(None)
    if around.token:
        access = access.with_fixed(around.token)
    return Door(
        Sessions(access, key),
        _visitors(config, around.public_url),
        clock,
        is_open=is_loopback(config.host),
        is_secure=around.public_url.startswith("https:"),
    )


def _visitors(config: DashboardConfig, public_url: str) -> Visitors:
    own = public_url.split("/")[:3]
    origins = (*config.allowed_origins, *(["/".join(own)] if public_url else []))
    found = Visitors.of("dashboard", config.host, config.allowed_hosts, origins)
    return replace(found, open_paths=PROBED_PATHS, linked=True)


def _running(
    lives: Sequence[Live], warm: Callable[[], Coroutine[Any, Any, None]]
) -> Callable[[FastAPI], contextlib.AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        running = [asyncio.create_task(warm()), *(asyncio.create_task(live.run()) for live in lives)]
        try:
            yield
        finally:
            for live in lives:
                live.close()
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    return lifespan


def _add_routes(app: FastAPI) -> None:
    app.include_router(signing_in.router)
    app.include_router(questions.router)
    app.include_router(privacy.router)
    app.include_router(api.router)
    app.include_router(search.router)
    app.include_router(exports.router)
    app.include_router(incident_api.router)
    app.include_router(versioned.versioned(api.router, questions.router, privacy.router))
    app.include_router(incident_routes.router)
    app.include_router(alert_routes.router)
    app.include_router(source_routes.router)
    app.include_router(shell.router)
    shell.add_pages(app)
    app.add_api_route("/healthz", _healthz, include_in_schema=False)
    app.add_api_route("/metrics", _metrics, include_in_schema=False)
    app.add_api_route("/favicon.ico", _icon, include_in_schema=False)
    app.mount("/static", StaticFiles(directory=shell.HERE / "static"))
    failures.install(app)


async def _icon() -> Response:
    """A browser that shows an answer which is no page (an error, the JSON) asks here by itself."""
    return FileResponse(shell.HERE / "static" / "icon.svg", headers={"Cache-Control": "max-age=86400"})


async def _healthz(request: Request) -> Response:
    """200 while the store answers, else 503: a restart of ours mends no stage that is behind. Says nothing but that."""
    ok, _ = await api.store_check(request)
    return api.answer({"ok": ok, "up_to_date": ok and not request.app.state.desk.reader.behind()}, 200 if ok else 503)


async def _metrics(request: Request) -> Response:
    metrics: Metrics = request.app.state.metrics
    return Response(metrics.render(), media_type=PROMETHEUS_TEXT)
