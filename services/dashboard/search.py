"""One box that finds accounts, touchpoint types, people and what happened."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from fastapi import APIRouter
from starlette.responses import Response

from services.dashboard.api import InScope, WithReader
from services.dashboard.incidents import Found, IncidentView, incidents
from services.dashboard.params import Text
from services.dashboard.scope import Scope, WindowId
from services.dashboard.shell import USUAL_WINDOW, WithPages, html
from services.dashboard.store import AccountQuery

router = APIRouter(include_in_schema=False)
LENGTH = 10
SHORTEST_ID = 6
INCIDENTS_WITHIN: WindowId = "30d"
PEOPLE_WITHIN = timedelta(days=90)


@router.get("/search")
async def search(scope: InScope, reader: WithReader, pages: WithPages, q: Text = "") -> Response:
    """`q`: a part of a name or an id, or the whole id of an event, ours or its sender's. Raises StoreUnavailable."""
    text = q.strip()
    window = Scope(INCIDENTS_WITHIN)
    accounts, found, people, events = await asyncio.gather(
        reader.accounts(AccountQuery(text=text, limit=LENGTH)),
        incidents(reader, window, await reader.span(window, reader.clock())) if text else _none(),
        reader.store.people(text, reader.clock() - PEOPLE_WITHIN, LENGTH),
        reader.events(text),
    )
    kinds = [kind for kind in reader.catalogue.types.values() if kind.on_map and text.lower() in kind.name.lower()]
    context = {
        "text": text,
        "incidents": tuple(each for each in found.incidents if _is_named(each, text.lower()))[:LENGTH],
        "accounts": accounts.accounts if text else (),
        "people": people if text else (),
        "kinds": kinds[:LENGTH] if text else (),
        "events": events,
        "letters": reader.letters.mentioning(text, LENGTH) if _looks_like_an_id(text) else (),
        "is_id": _looks_like_an_id(text),
        "scope": scope,
        "page": None,
        "around": None,
        "now": reader.clock(),
        "usual": USUAL_WINDOW,
        "catalogue": reader.catalogue,
    }
    return html(pages.render("search.html", context))


def _looks_like_an_id(text: str) -> bool:
    """So that who looks for an event that is nowhere is told where else to look."""
    return len(text) >= SHORTEST_ID and " " not in text and any(each.isdigit() for each in text)


def _is_named(each: IncidentView, text: str) -> bool:
    """By its account, its touchpoint, what happened, its tags, who has it, or its id."""
    shown = (each.account, each.account_id, each.touchpoint, each.what, *each.tags, each.taken_by)
    return each.id == text or any(text in words.lower() for words in shown)


async def _none() -> Found:
    return Found(())
