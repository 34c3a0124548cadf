"""An incident's own address, and the form on it: take, assign, note, silence, done. Works without JavaScript."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from schemas.errors import ConfigurationError
from schemas.incidents import IncidentAction
from services.dashboard import row_views
from services.dashboard.acting import SPAN_WORDS, Act, action_of, named, remembered_name, written
from services.dashboard.answers import GatewayAway
from services.dashboard.api import InScope, WithReader
from services.dashboard.desks import desk_of
from services.dashboard.incidents import One, incident
from services.dashboard.not_found import NotFound
from services.dashboard.pages import incidents as listing
from services.dashboard.pages.incidents.view import IncidentPage, drawn, events_of
from services.dashboard.params import BadParameter, Text, refuse
from services.dashboard.questions import form_of
from services.dashboard.reader import Reader
from services.dashboard.scope import Scope
from services.dashboard.shell import Pages, WithPages, html, opened

router = APIRouter(include_in_schema=False)
ONE = "incidents/_incident.html"


@router.get("/incidents/{name}")
async def shown(  # noqa: PLR0913 - one a parameter
    name: str, request: Request, scope: InScope, reader: WithReader, pages: WithPages, part: Text = ""
) -> Response:
    """One incident beside all of them, by its id or an event that is evidence of it; `part=1`: it alone."""
    context = _context(request, reader, await page_of(reader, await known(reader, name)))
    return html(pages.render(ONE, context) if part else await _beside(request, scope, pages, context))


@router.post("/incidents/{name}")
async def acted(  # noqa: PLR0913 - one a parameter
    name: str, request: Request, scope: InScope, reader: WithReader, pages: WithPages, part: Text = ""
) -> Response:
    """The form. `part=1` answers with the incident as it stands then."""
    fields = await form_of(request)
    one, by = await known(reader, name), fields.get("by", "")
    problem, status = "", 200
    try:
        await act(request, reader, one, {**fields, "verb": _verb(fields)})
    except (GatewayAway, ConfigurationError) as error:
        problem, status = str(error), 503
    except BadParameter as error:
        problem, status = str(error), 400
    if not part and not problem:
        return named(RedirectResponse(f"/incidents/{quote(name, safe='')}", 303), by, request.url.scheme)
    found = await page_of(reader, await known(reader, name))
    context = {**_context(request, reader, found), "problem": problem, "fields": fields if problem else {}}
    if part:
        return named(html(pages.render(ONE, context), status), by, request.url.scheme)
    return html(await _beside(request, scope, pages, context), status)


async def _beside(request: Request, scope: Scope, pages: Pages, context: Mapping[str, object]) -> str:
    """The list's window is the usual one where none was chosen, as on the page itself."""
    snapshots, chosen = desk_of(request).snapshots, "window" in request.query_params
    at = await opened(snapshots, listing.PAGE, scope, is_chosen=chosen)
    return pages.beside(listing.PAGE, at, ONE, context)


async def known(reader: Reader, name: str) -> One:
    """Raises NotFound."""
    one = await incident(reader, name)
    if one is None:
        raise NotFound(f"no incident `{name[:80]}`")
    return one


async def act(request: Request, reader: Reader, one: One, fields: Mapping[str, object]) -> IncidentAction:
    """Write an action to the log. Raises BadParameter, GatewayAway, ConfigurationError."""
    send: Act = request.app.state.act
    action = action_of(fields, one.listed.incident.events, reader.clock())
    await send(action)
    written(action, one.view.id, one.account_id)
    reader.board.act(action)
    desk_of(request).snapshots.expire()
    return action


async def page_of(reader: Reader, one: One) -> IncidentPage:
    """Everything about one incident. Raises StoreUnavailable."""
    rows, account = await asyncio.gather(
        reader.store.events(one.account_id, events_of(one)), reader.store.account(one.account_id)
    )
    seen = [row_views.touchpoint_view(reader.catalogue, row) for row in rows]
    thread, events = one.listed.thread, one.listed.incident.events
    return drawn(
        reader.catalogue,
        one,
        {each.event_id: each for each in seen},
        reader.board.notes(dict.fromkeys((*events, *(thread.events if thread else ())))),
        reader.board.deliveries(one.view.id),
        row_views.account_row(reader.catalogue, account) if account else None,
    )


def _context(request: Request, reader: Reader, found: IncidentPage) -> dict[str, object]:
    name = remembered_name(request.cookies)
    shows = {"title": f"{found.view.account}: {found.view.touchpoint}", "selected": found.view.event_id}
    usual = {"now": reader.clock(), "spans": SPAN_WORDS, "name": name, "problem": "", "fields": {}}
    return {"page_of": found, **shows, **usual}


def _verb(fields: Mapping[str, str]) -> str:
    """The button that was pressed; by the Enter key: what was written into the one field that was filled in."""
    if fields.get("verb"):
        return fields["verb"]
    written = [verb for field, verb in (("text", "note"), ("to", "assign")) if fields.get(field, "").strip()]
    return written[0] if len(written) == 1 else refuse("verb", "", "a press on one of the buttons")
