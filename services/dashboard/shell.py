"""What all pages share: templates, routes, live parts, and the details that open in the dialog."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import orjson
from fastapi import APIRouter, Depends, FastAPI, Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import Response

from schemas.errors import StoreUnavailable
from services.dashboard import charts, why, words
from services.dashboard.api import InScope, WithReader, dumps
from services.dashboard.catalogue import Catalogue
from services.dashboard.desks import desk_of
from services.dashboard.not_found import NotFound
from services.dashboard.pages import PAGES
from services.dashboard.pages.kind import Page
from services.dashboard.params import Text, one_of
from services.dashboard.scope import COMPARE_LABELS, DAY, WINDOW_LABELS, WINDOWS, Scope, WindowId
from services.dashboard.snapshots import Snapshots
from services.dashboard.views.snapshot import Snapshot

router = APIRouter(include_in_schema=False)
HERE = Path(__file__).parent
USUAL_WINDOW: WindowId = "7d"


@cache
def environment() -> Environment:
    """One for all apps. Escapes everything, lets no text turn the direction of another; an unknown name is an error."""
    found = Environment(
        loader=FileSystemLoader([HERE / "templates", HERE / "pages"]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=words.without_overrides,
    )
    found.filters |= {
        "count": words.count,
        "percent": words.percent,
        "signed": words.signed,
        "emotion_word": words.emotion_word,
        "rule_words": words.rule_words,
        "rule_label": words.rule_label,
        "owner_words": words.owner_words,
        "as_sentence": words.as_sentence,
        "dated": words.dated,
        "method_words": why.method_words,
        "duration": words.duration,
        "figure": words.figure,
        "measure": words.measure,
        "target_words": words.target_words,
        "in_path": lambda text: quote(text, safe=""),
        "pair": lambda text: (text, words.rule_words(text)),
        "bars": charts.bars,
        "share_bar": charts.share_bar,
        "amount": words.amount,
        "traffic_words": words.traffic_words,
        "code_marks": words.code_marks,
    }
    found.globals |= {
        "plural": words.plural,
        "became_words": words.became_words,
        "clock_time": words.clock_time,
        "stamp": words.stamp,
        "change_words": words.change_words,
        "day_words": words.day_words,
        "day_title": words.day_title,
        "change_kind": words.change_kind,
        "since_words": words.since_words,
        "delivery_words": words.delivery_words,
        "delivery_subject": words.delivery_subject,
        "dumbbell": charts.dumbbell,
        "lane": charts.lane,
        "ticks": charts.ticks,
        "promise": charts.promise,
        "DAY": DAY,
        "SEVERITIES": words.SEVERITIES,
        "standing_severity": words.standing_severity,
        "severity_words": words.severity_words,
        "TERM_WORDS": words.TERM_WORDS,
        "WINDOWS": WINDOWS,
        "WINDOW_LABELS": WINDOW_LABELS,
        "COMPARE_LABELS": COMPARE_LABELS,
        "PAGES": PAGES,
    }
    return found


@dataclass(frozen=True)
class Pages:
    """Templates over a catalogue; `gateway_url` is told to who has not sent anything yet. `may_change`: with forms."""

    catalogue: Catalogue
    templates: Environment
    gateway_url: str = ""
    may_change: bool = True

    def renderers(self) -> Mapping[str, Callable[[Scope, Snapshot], Mapping[str, bytes]]]:
        """For live updates: page → what makes of a snapshot the id of each part and its HTML as JSON."""
        return {page.id: partial(self._parts, page) for page in PAGES}

    def _parts(self, page: Page, scope: Scope, snapshot: Snapshot) -> Mapping[str, bytes]:
        context = self._context(page, scope, snapshot)
        parts = {name: f"_{name}.html" for name in ("nav", "notice")} | {
            part: f"{page.id}/_{part}.html" for part in page.parts
        }
        return {part: orjson.dumps(self.render(template, context)) for part, template in parts.items()}

    def page(self, page: Page, scope: Scope, snapshot: Snapshot, trouble: Mapping[str, str] | None = None) -> str:
        """`trouble`: part → what went wrong with what was asked there."""
        return self.render("page.html", {**self._context(page, scope, snapshot), "trouble": trouble or {}})

    def beside(self, page: Page, at: tuple[Scope, Snapshot], template: str, context: Mapping[str, object]) -> str:
        """The page with a detail of its list beside it."""
        return self.render("page.html", {**self._context(page, *at), **context, "beside": template})

    def part(self, page: Page, part: str, at: tuple[Scope, Snapshot], trouble: Mapping[str, str]) -> str:
        """One of its parts alone."""
        return self.render(f"{page.id}/_{part}.html", {**self._context(page, *at), "trouble": trouble})

    def over(self, page: Page, scope: Scope, snapshot: Snapshot) -> str:
        """Its parts as the content of a dialog."""
        return self.render("part.html", {**self._context(page, scope, snapshot), "at": "in-"})

    def render(self, template: str, context: Mapping[str, object]) -> str:
        usual = {"may_change": self.may_change, "beside": "", "selected": ""}
        return self.templates.get_template(template).render({**usual, **context})

    def _context(self, page: Page, scope: Scope, snapshot: Snapshot) -> dict[str, object]:
        found = snapshot.found
        return {
            "page": page,
            "at": "",
            "scope": scope,
            "snap": snapshot,
            "found": found,
            "around": snapshot.around,
            "questions": getattr(found, "questions", None),
            "problem": "",
            "trouble": {},
            "gateway_url": self.gateway_url,
            "now": snapshot.as_of,
            "catalogue": self.catalogue,
        }


def json_parts(scope: Scope, snapshot: Snapshot) -> Mapping[str, bytes]:
    """For live updates of programs: the parts of a snapshot as JSON."""
    parts = ("map", "signals", "accounts", "visitors", "questions", "cases")
    found = {name: dumps(getattr(snapshot.found, name, None)) for name in parts}
    return found | {"waiting": dumps(snapshot.waiting)}


async def pages_of(request: Request) -> Pages:
    desk = desk_of(request)
    pages: Pages = request.app.state.pages if desk.sees_people else request.app.state.viewers_pages
    return pages


WithPages = Annotated[Pages, Depends(pages_of)]


def html(text: str, status: int = 200) -> Response:
    return Response(text, status, {"cache-control": "no-store"}, "text/html; charset=utf-8")


def add_pages(app: FastAPI) -> None:
    """A route for every page of the registry."""
    for page in PAGES:
        app.add_api_route(page.path, _endpoint(page), include_in_schema=False)


def _endpoint(page: Page) -> Callable[..., Awaitable[Response]]:
    async def endpoint(request: Request, scope: InScope, pages: WithPages, part: Text = "") -> Response:
        """The whole page with its first state; works without JavaScript. `part=1`: as it opens over another one."""
        snapshots = desk_of(request).snapshots
        scope, snapshot = await opened(snapshots, page, scope, is_chosen="window" in request.query_params)
        if page.is_about_one and snapshot.found is None:
            raise StoreUnavailable("ClickHouse does not answer")  # it may not be there at all
        if part and page.is_about_one:
            return html(pages.over(page, scope, snapshot))
        return html(pages.page(page, scope, snapshot))

    return endpoint


async def opened(snapshots: Snapshots, page: Page, scope: Scope, *, is_chosen: bool) -> tuple[Scope, Snapshot]:
    """Without a chosen window it opens on the usual one, or on the nearest that is not empty."""
    scope = scope if is_chosen else replace(scope, window=USUAL_WINDOW)
    snapshot = await snapshots.latest(scope, page.id)
    if is_chosen or not snapshot.nearest or snapshot.nearest == scope.window:
        return scope, snapshot
    wider = replace(scope, window=one_of("window", snapshot.nearest, WINDOWS))
    return wider, await snapshots.latest(wider, page.id)


@router.get("/touchpoints/{event_id}")
async def touchpoint(event_id: str, reader: WithReader, pages: WithPages, part: Text = "") -> Response:
    """Why a touchpoint stands where it stands; `part=1` is the dialog's content."""
    found = await reader.touchpoint(event_id)
    if found is None:
        raise NotFound(f"no touchpoint `{event_id[:80]}`")
    context = {"view": found, "now": reader.clock()}
    return detail(pages, "_touchpoint.html", found.touchpoint.type_name, part, context)


def detail(pages: Pages, template: str, title: str, part: str, context: Mapping[str, object]) -> Response:
    """A detail at its own address, or as the dialog's content (`part`)."""
    if part:
        return html(pages.render(template, context))
    scope = context.get("scope") or Scope(USUAL_WINDOW)
    shown = {**context, "title": title, "content": template, "scope": scope, "page": None, "around": None}
    return html(pages.render("detail.html", shown))
