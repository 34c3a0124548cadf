"""The JSON API. Times are UTC, rates are 0…1, percentages 0…100, and null means `no evidence`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from schemas.errors import StoreUnavailable
from services.dashboard import cursors
from services.dashboard.desks import desk_of
from services.dashboard.live import Live
from services.dashboard.mapping import judged
from services.dashboard.not_found import NotFound
from services.dashboard.pages import BY_ID
from services.dashboard.params import (
    Paging,
    Text,
    accounts_of,
    flag,
    one_of,
    scope_of,
    signals_of,
    time_cursor,
)
from services.dashboard.ranking_inputs import weigh
from services.dashboard.reader import Reader
from services.dashboard.scope import Scope
from services.dashboard.store import AccountQuery, SignalQuery
from services.dashboard.stream import EventStream
from services.dashboard.views.accounts import AccountPage, AccountView, TouchpointExplained
from services.dashboard.views.journey_map import CellDetails, MapView
from services.dashboard.views.signals import SignalView
from services.dashboard.views.sources import Freshness

router = APIRouter(prefix="/api")
STREAM = "/api/stream"
STREAMS = (STREAM, "/api/v1/stream")
VIEWS = ("json", *BY_ID)


# `async`, and so is everything that is asked for before an answer: what is not would go through a thread each
async def reader_of(request: Request) -> Reader:
    """Of whoever asks: a viewer's masks people."""
    return desk_of(request).reader


async def live_of(request: Request) -> Live:
    return desk_of(request).live


InScope = Annotated[Scope, Depends(scope_of)]
WithReader = Annotated[Reader, Depends(reader_of)]


def dumps(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_UTC_Z)


def answer(value: object, status: int = 200) -> Response:
    return Response(dumps(value), status, {"cache-control": "no-store"}, "application/json")


@dataclass(frozen=True, slots=True)
class SignalPage:
    """`next_cursor` is null on the last page."""

    signals: Sequence[SignalView]
    next_cursor: str | None


@router.get("/map", response_model=MapView)
async def journey_map(scope: InScope, reader: WithReader, explain: Text = "") -> Response:
    """The current-state journey map; `explain=1` adds formula and inputs of every number."""
    is_explained = bool(flag("explain", explain))
    found, weighed = await asyncio.gather(reader.map(scope, explain=is_explained), weigh(reader, scope))
    return answer(judged(found, weighed.severity))


@router.get("/map/{phase}/{kind}", response_model=CellDetails)
async def cell(phase: str, kind: str, scope: InScope, reader: WithReader) -> Response:
    """One touchpoint type in one phase, in depth: formulas and inputs, performance measured, slices, last signals."""
    found, weighed = await asyncio.gather(reader.cell(scope, phase, kind), weigh(reader, scope))
    if found is None:
        raise NotFound(f"no touchpoint type `{kind[:80]}` in phase `{phase[:80]}`")
    return answer(replace(found, cell=replace(found.cell, severity=weighed.severity((phase, kind)))))


@router.get("/accounts", response_model=AccountPage)
async def accounts(query: Annotated[AccountQuery, Depends(accounts_of)], reader: WithReader) -> Response:
    """Where accounts stand, page by page."""
    return answer(await reader.accounts(query))


@router.get("/accounts/{account_id:path}", response_model=AccountView)
async def account(account_id: str, paging: Paging, reader: WithReader) -> Response:
    """A day in the life of one account: its touchpoints newest first, and its changes of phase."""
    time_cursor(paging.cursor)
    found = await reader.account(account_id, paging.limit, paging.cursor)
    if found is None:
        raise NotFound(f"no account `{account_id[:80]}`")
    return answer(found)


@router.get("/signals", response_model=SignalPage)
async def signals(query: Annotated[SignalQuery, Depends(signals_of)], reader: WithReader) -> Response:
    """Moments of friction (or `polarity=delight`), newest first."""
    found = await reader.signals(query)
    last = found[-1] if len(found) == query.limit else None
    return answer(SignalPage(found, cursors.encode_time(last.opened_at, last.signal_id) if last else None))


@router.get("/freshness", response_model=Freshness)
async def freshness(reader: WithReader) -> Response:
    """How recent each source's data is."""
    return answer(await reader.freshness())


@router.get("/touchpoints/{event_id}", response_model=TouchpointExplained)
async def touchpoint(event_id: str, reader: WithReader) -> Response:
    """One touchpoint: why this account, person, persona, phase; what it is evidence of."""
    found = await reader.touchpoint(event_id)
    if found is None:
        raise NotFound(f"no touchpoint `{event_id[:80]}`")
    return answer(found)


@router.get("/health")
async def health(request: Request) -> Response:
    """Whether the store answers, what is waited for, which stages are behind. Always 200 while this process serves."""
    ok, checks = await store_check(request)
    return answer({"ok": ok, "checks": checks})


async def store_check(request: Request) -> tuple[bool, dict[str, Any]]:
    """Asked now, not remembered."""
    waits = [{"service": wait.service, "state": wait.state} for wait in request.app.state.waiting()]
    desk = desk_of(request)
    behind = desk.reader.behind()
    try:
        await desk.reader.store.fingerprint()
    except StoreUnavailable as error:
        return False, {"clickhouse": str(error), "waiting": waits, "behind": behind}
    return True, {"clickhouse": "ok", "waiting": waits, "behind": behind, "viewers": desk.live.audience()}


@router.get("/stream")
async def stream(
    request: Request, scope: InScope, live: Annotated[Live, Depends(live_of)], view: Text = "json"
) -> Response:
    """Server-sent events: `snapshot` with everything, then `patch` with the parts that changed.

    `view=json`: `map`, `signals`, `accounts`, `visitors`, `waiting`, `questions`, `cases`; a page's id: its parts as
    HTML.
    """
    one_of("view", view, VIEWS)
    viewer = await live.enter(scope, view, request.headers.get("last-event-id", ""))
    gzip = "gzip" in request.headers.get("accept-encoding", "")
    return EventStream(viewer, lambda: live.leave(scope, view, viewer), gzip=gzip)
