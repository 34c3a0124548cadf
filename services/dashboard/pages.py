"""The page: whole, in fragments for live updates, and single parts for the dialog."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import orjson
from fastapi import APIRouter, Depends, Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import Response

from services.dashboard import charts, words
from services.dashboard.api import InScope, NotFound, WithReader, dumps
from services.dashboard.catalogue import Catalogue
from services.dashboard.params import Paging, Text, time_cursor
from services.dashboard.scope import WINDOW_LABELS, WINDOWS, Scope
from services.dashboard.snapshots import Snapshots
from services.dashboard.views import Snapshot

router = APIRouter(include_in_schema=False)
HERE = Path(__file__).parent
FRAGMENTS = ("notice", "kpis", "map", "curve", "feed", "impact", "cases", "questions", "accounts", "freshness")


def environment() -> Environment:
    """Escapes everything, lets no text turn the direction of another; a name the template does not get is an error."""
    found = Environment(
        loader=FileSystemLoader(HERE / "templates"),
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
        "duration": words.duration,
        "figure": words.figure,
        "measure": words.measure,
        "target_words": words.target_words,
        "in_path": lambda text: quote(text, safe=""),
        "spark": charts.sparkline,
        "curve": charts.emotion_curve,
    }
    found.globals |= {"plural": words.plural, "clock_time": words.clock_time, "WINDOWS": WINDOWS}
    found.globals |= {"WINDOW_LABELS": WINDOW_LABELS, "FRAGMENTS": FRAGMENTS, "TERM_WORDS": words.TERM_WORDS}
    return found


@dataclass(frozen=True)
class Pages:
    """Templates over a catalogue; `gateway_url` is told to who has not sent anything yet."""

    catalogue: Catalogue
    templates: Environment
    gateway_url: str = ""

    def fragments(self, scope: Scope, snapshot: Snapshot) -> Mapping[str, bytes]:
        """For live updates: fragment id → its HTML as JSON."""
        return {name: orjson.dumps(self.render(f"_{name}.html", self._context(scope, snapshot))) for name in FRAGMENTS}

    def page(self, scope: Scope, snapshot: Snapshot) -> str:
        return self.render("page.html", self._context(scope, snapshot))

    def render(self, template: str, context: Mapping[str, object]) -> str:
        return self.templates.get_template(template).render(context)

    def _context(self, scope: Scope, snapshot: Snapshot) -> dict[str, object]:
        return {
            "scope": scope,
            "snap": snapshot,
            "questions": snapshot.questions,
            "problem": "",
            "gateway_url": self.gateway_url,
            "map": snapshot.map,
            "now": snapshot.as_of,
            "catalogue": self.catalogue,
        }


def json_parts(scope: Scope, snapshot: Snapshot) -> Mapping[str, bytes]:
    """For live updates of programs: the parts of a snapshot as JSON."""
    parts = ("map", "signals", "accounts", "visitors", "waiting", "questions", "cases")
    return {name: dumps(getattr(snapshot, name)) for name in parts}


def pages_of(request: Request) -> Pages:
    pages: Pages = request.app.state.pages
    return pages


WithPages = Annotated[Pages, Depends(pages_of)]


def html(text: str, status: int = 200) -> Response:
    return Response(text, status, {"cache-control": "no-store"}, "text/html; charset=utf-8")


@router.get("/")
async def page(request: Request, scope: InScope, pages: WithPages) -> Response:
    """The whole page with its first state; works without JavaScript."""
    snapshots: Snapshots = request.app.state.snapshots
    return html(pages.page(scope, await snapshots.latest(scope)))


@router.get("/accounts/{account_id:path}")
async def account(
    account_id: str, paging: Annotated[Paging, Depends()], reader: WithReader, pages: WithPages, part: Text = ""
) -> Response:
    """An account's timeline; `part=1` is the dialog's content."""
    time_cursor(paging.cursor)
    found = await reader.account(account_id, paging.limit, paging.cursor)
    if found is None:
        raise NotFound(f"no account `{account_id[:80]}`")
    context = {"view": found, "now": reader.clock(), "is_earlier": bool(paging.cursor)}
    return _detail(pages, "_account.html", found.account.name, part, context)


@router.get("/cells/{phase}/{kind}")
async def cell(
    phase: str, kind: str, scope: InScope, reader: WithReader, pages: WithPages, part: Text = ""
) -> Response:
    """A card in depth; `part=1` is the dialog's content."""
    found = await reader.cell(scope, phase, kind)
    if found is None:
        raise NotFound(f"no touchpoint type `{kind[:80]}` in phase `{phase[:80]}`")
    context = {"view": found, "now": reader.clock(), "scope": scope, "kind": pages.catalogue.types.get(kind)}
    return _detail(pages, "_cell.html", found.cell.name, part, context)


@router.get("/touchpoints/{event_id}")
async def touchpoint(event_id: str, reader: WithReader, pages: WithPages, part: Text = "") -> Response:
    """Why a touchpoint stands where it stands; `part=1` is the dialog's content."""
    found = await reader.touchpoint(event_id)
    if found is None:
        raise NotFound(f"no touchpoint `{event_id[:80]}`")
    context = {"view": found, "now": reader.clock()}
    return _detail(pages, "_touchpoint.html", found.touchpoint.type_name, part, context)


def _detail(pages: Pages, template: str, title: str, part: str, context: Mapping[str, object]) -> Response:
    if part:
        return html(pages.render(template, context))
    return html(pages.render("detail.html", {**context, "title": title, "content": template}))
