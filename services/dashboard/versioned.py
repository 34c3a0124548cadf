"""The versioned API: every question of the API under /api/v1, with ETags, and every page as JSON."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Set
from hashlib import blake2b
from typing import Any

import orjson
from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.responses import Response

from schemas.errors import StoreUnavailable
from services.dashboard.api import InScope
from services.dashboard.desks import desk_of
from services.dashboard.not_found import NotFound
from services.dashboard.pages import BY_ID
from services.dashboard.pages.kind import Page
from services.dashboard.scope import Scope

VERSION = "/api/v1"


class Tagged(APIRoute):
    """A route whose JSON answers have an ETag; 304 where the asker has it already."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def tagged(request: Request) -> Response:
            response = await handler(request)
            is_json = response.headers.get("content-type") == "application/json"
            return _tagged(request, response) if request.method == "GET" and is_json else response

        return tagged


def _tagged(request: Request, response: Response) -> Response:
    if response.status_code != 200:
        return response
    tag = f'"{blake2b(bytes(response.body), digest_size=12).hexdigest()}"'
    caching = {"etag": tag, "cache-control": "no-cache"}
    known = [each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")]
    if tag in known:
        return Response(status_code=304, headers=caching)
    response.headers.update(caching)
    return response


async def shown(page: str, request: Request, scope: InScope) -> Response:
    """What a page shows, as JSON: today, map, incidents, accounts, sources, future, life. Its window is `window`.

    `nearest` is the nearest window with data where this one has none. Pages about one thing take it as another part
    of the path.
    """
    return await _page(request, _known(page, is_about_one=False), scope)


async def shown_about(page: str, about: str, request: Request, scope: InScope) -> Response:
    """What a page about one thing shows: account, person (by their id), touchpoint (`PHASE/TYPE`, or `all/TYPE`),
    blueprint (a phase)."""
    return await _page(request, _known(page, is_about_one=True), scope)


def _known(name: str, *, is_about_one: bool) -> Page:
    page = BY_ID.get(name)
    if page is None or page.is_about_one != is_about_one:
        there = ", ".join(each.id for each in BY_ID.values() if each.is_about_one == is_about_one)
        raise NotFound(f"no page `{name[:80]}` here; there are {there}")
    return page


async def _page(request: Request, page: Page, scope: Scope) -> Response:
    snapshot = await desk_of(request).snapshots.latest(scope, page.id)
    if snapshot.found is None:
        raise StoreUnavailable("ClickHouse does not answer")
    shown = {"page": page.id, "nearest": snapshot.nearest, "shows": snapshot.found}
    body = orjson.dumps(shown, option=orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS, default=_plain)
    return Response(body, media_type="application/json")


def _plain(value: object) -> object:
    """What JSON has no word for. Raises TypeError for what is no data."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Set):
        return sorted(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no data")


def versioned(*routers: APIRouter) -> APIRouter:
    """The pages, and the questions of others: `/api/map` is `/api/v1/map`, too."""
    made = APIRouter(prefix=VERSION, route_class=Tagged)
    made.add_api_route("/pages/{page}", shown)
    made.add_api_route("/pages/{page}/{about:path}", shown_about)
    for route in (each for one in routers for each in one.routes):
        if isinstance(route, APIRoute) and route.path.startswith("/api/"):
            made.add_api_route(
                route.path.removeprefix("/api"),
                route.endpoint,
                methods=sorted(route.methods or ()),
                response_model=route.response_model,
                status_code=route.status_code,
                description=route.description,
                openapi_extra=route.openapi_extra,
            )
    return made
