"""The forms of the page of sources. Each works without JavaScript; only operators get past the guard."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from schemas.errors import ConfigurationError, TransientError
from services.dashboard.answers import GatewayAway
from services.dashboard.desks import desk_of
from services.dashboard.errands import Resent, SourceTools
from services.dashboard.pages.sources import PAGE
from services.dashboard.pages.sources.making import Made, prepared
from services.dashboard.pages.sources.vendors import BY_NAME
from services.dashboard.params import BadParameter, Text, one_of, refuse
from services.dashboard.questions import form_of
from services.dashboard.scope import Scope
from services.dashboard.sessions import Person
from services.dashboard.shell import USUAL_WINDOW, WithPages, detail, html

router = APIRouter(include_in_schema=False)
_audit = logging.getLogger("touchline.audit")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
MAX_SECRET_CHARS = 400


@router.post("/sources/test")
async def tried(request: Request, pages: WithPages, part: Text = "") -> Response:
    """Send a test event; the page follows it to its cell."""
    desk, problem = desk_of(request), ""
    try:
        desk.reader.errands.trial = trial = await _tools(request).send_trial(desk.reader.clock())
        _audit.info("test event", extra={"by": _who(request), "event": trial.event_id, "source": trial.source})
    except (GatewayAway, ConfigurationError) as error:
        problem = str(error)
    return await _drawn(request, pages, "test", part, problem)


@router.post("/sources/letters")
async def sent_again(request: Request, pages: WithPages, part: Text = "") -> Response:
    """Send the newest dead letters of one source, stage and reason to where they came from."""
    fields = await form_of(request)
    which = (fields.get("source", ""), fields.get("stage", ""), fields.get("reason", ""))
    desk, problem = desk_of(request), ""
    letters = desk.reader.letters.of(*which)
    if not letters:
        refuse("reason", which[2][:80], "the source, stage and reason of dead letters that are listed")
    try:
        done = await _tools(request).resend(letters)
        left, by = (*done.lost, *done.waiting), _who(request)
        desk.reader.errands.resent["/".join(which)] = Resent(desk.reader.clock(), by, done.records, left)
        what = {"by": by, "source": which[0], "stage": which[1], "reason": which[2], "records": done.records}
        _audit.info("dead letters sent again", extra=what)
    except (TransientError, ConfigurationError) as error:
        problem = str(error)
    return await _drawn(request, pages, "letters", part, problem)


@router.post("/sources/add")
async def added(request: Request, pages: WithPages) -> Response:
    """Make and store a source's secret, shown this once; and say what to write and to set."""
    try:
        made = _prepared(request, await form_of(request))
    except BadParameter as error:
        return await _drawn(request, pages, "add", "", str(error), 400)
    _audit.info("source prepared", extra={"by": _who(request), "source": made.name, "vendor": made.vendor.name})
    context = {"made": made, "gateway_url": pages.gateway_url}
    return detail(pages, "sources/_added.html", f"Add {made.name}", "", context)


def _prepared(request: Request, fields: Mapping[str, str]) -> Made:
    vendor = BY_NAME[one_of("vendor", fields.get("vendor", ""), tuple(BY_NAME))]
    name = _new_name(fields, _tools(request))
    given = fields.get("secret", "").strip()
    if vendor.is_theirs and not 0 < len(given) <= MAX_SECRET_CHARS:
        refuse("secret", "", f"the secret that {vendor.title} made: its webhooks are signed with it")
    made = prepared(_tools(request), name, vendor, given if vendor.is_theirs else "")
    if made is None:
        refuse("name", name, "a name that no source and no file of secrets has yet")
    return made


def _new_name(fields: Mapping[str, str], tools: SourceTools) -> str:
    name = fields.get("name", "").strip()
    if not _NAME.fullmatch(name):
        refuse("name", name[:80], "a small letter, then at most 39 small letters, digits and `_`")
    if name in tools.names:
        refuse("name", name, "a name that no source has yet")
    return name


async def _drawn(  # noqa: PLR0913 - what is drawn, and what went wrong
    request: Request, pages: WithPages, part: str, is_part: str, problem: str, status: int = 503
) -> Response:
    """The part as it stands now, or the way back to it."""
    desk, scope = desk_of(request), Scope(USUAL_WINDOW)
    desk.snapshots.expire()
    if not is_part and not problem:
        return RedirectResponse(f"/sources#{part}", 303)
    snapshot = await desk.snapshots.latest(scope, PAGE.id)
    trouble = {part: problem} if problem else {}
    if is_part:
        return html(pages.part(PAGE, part, (scope, snapshot), trouble), status if problem else 200)
    return html(pages.page(PAGE, scope, snapshot, trouble), status)


def _tools(request: Request) -> SourceTools:
    tools: SourceTools = request.app.state.source_tools
    return tools


def _who(request: Request) -> str:
    person: Person | None = request.scope.get("touchline.person")
    return person.name if person else ""
