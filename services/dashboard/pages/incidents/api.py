"""The JSON API of incidents, version 1: fields may be added, and none is renamed or removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import orjson
from fastapi import APIRouter, Request
from starlette.responses import Response

from schemas.policies import LEVELS
from services.dashboard import cursors
from services.dashboard.api import InScope, WithReader, answer
from services.dashboard.incidents import Found, IncidentView, incidents, with_personas
from services.dashboard.pages.incidents.query import STATES
from services.dashboard.pages.incidents.routes import act, known, page_of
from services.dashboard.pages.incidents.view import IncidentPage
from services.dashboard.params import Paging, Text, one_of, refuse, time_cursor
from services.dashboard.questions import body_of
from services.dashboard.reader import Reader
from services.dashboard.versioned import Tagged

router = APIRouter(prefix="/api/v1/incidents", tags=["incidents"], route_class=Tagged)
EXAMPLE: dict[str, Any] = {
    "id": "6f0c0f0a-4b1d-5c35-9a39-0f6a4a6f7f10",
    "event_id": "0b9d1c2e-7a53-5f0e-8f64-2d1f6f3b9a01",
    "account_id": "crm:hubspot:51",
    "account": "Ardent Robotics",
    "tier": "A",
    "severity": "severe",
    "state": "taken",
    "is_back": False,
    "what": "no reply within 4 h",
    "touchpoint_type": "support_ticket",
    "touchpoint": "Support ticket",
    "phase": "enablement",
    "owner": "Support",
    "personas": ["End user"],
    "signs": 3,
    "tags": ["Moment of truth failed"],
    "opened_at": "2026-11-26T16:41:00Z",
    "pained_at": "2026-11-28T07:05:43Z",
    "over_at": "2026-11-29T07:05:43Z",
    "taken_by": "A. Yilmaz",
    "taken_at": "2026-11-28T09:40:00Z",
    "assigned_by": "",
    "silenced_until": None,
    "silenced_by": "",
    "done_by": "",
    "done_at": None,
    "told_at": "2026-11-26T16:41:02Z",
    "held_for": "",
    "channels": ["support"],
}
ACTION: dict[str, Any] = {"verb": "assign", "by": "L. Peeters", "to": "A. Yilmaz", "text": "knows the customer"}


@dataclass(frozen=True, slots=True)
class IncidentList:
    """`next_cursor` is null on the last page. `is_cut`: older incidents were left out; ask for a shorter window."""

    incidents: Sequence[IncidentView]
    next_cursor: str | None
    is_cut: bool


@dataclass(frozen=True, slots=True)
class Acted:
    """An action that is safe in the log."""

    incident: str
    action_id: str
    verb: str
    by: str
    at: datetime


def _shown(example: object, status: int = 200) -> dict[int | str, dict[str, Any]]:
    problem = {"type": "about:blank", "title": "Not found", "status": 404, "detail": "no incident `x`"}
    return {
        status: {"content": {"application/json": {"example": example}}},
        404: {"content": {"application/problem+json": {"example": problem}}},
    }


@router.get(
    "",
    response_model=IncidentList,
    responses=_shown({"incidents": [EXAMPLE], "next_cursor": None, "is_cut": False}),
)
async def listing(  # noqa: PLR0913 - one a filter
    request: Request,
    scope: InScope,
    paging: Paging,
    reader: WithReader,
    state: Text = "",
    severity: Text = "",
) -> Response:
    """Incidents with a pain in the window, those that began last first; the same as the page and `touchline incidents`.

    `state`: open, taken, silenced, done, over. `severity`: severe, high, watch.
    """
    one_of("state", state, ("", *STATES))
    one_of("severity", severity, ("", *LEVELS))
    after = time_cursor(paging.cursor)
    found = await incidents(reader, scope, await reader.span(scope, reader.clock()))
    wanted = [each for each in found.incidents if state in ("", each.state) and severity in ("", each.severity)]
    wanted = sorted(wanted, key=_place, reverse=True)
    left = [each for each in wanted if after is None or _place(each) < after]
    page = await _named(reader, found, left[: paging.limit])
    more = cursors.encode_time(*_place(page[-1])) if len(left) > len(page) else None
    return answer(IncidentList(page, more, found.is_cut))


@router.get("/{name}", response_model=IncidentPage)
async def one(name: str, request: Request, reader: WithReader) -> Response:
    """One incident, by its id or an event that is evidence of it: its signs, its log, who was told."""
    return answer(await page_of(reader, await known(reader, name)))


@router.post(
    "/{name}/actions",
    response_model=Acted,
    status_code=202,
    openapi_extra={"requestBody": {"content": {"application/json": {"example": ACTION}}}},
)
async def action(name: str, request: Request, reader: WithReader) -> Response:
    """Take, assign (`to`), note (`text`), silence (`until`: 4h, 1d, 3d, 7d, 30d or a time) or done; `by` says who."""
    try:
        fields = orjson.loads(await body_of(request))
    except orjson.JSONDecodeError:
        fields = None
    if not isinstance(fields, dict):
        refuse("body", str(fields)[:80], "a JSON object with `verb` and `by`")
    found = await known(reader, name)
    made = await act(request, reader, found, fields)
    return answer(asdict(Acted(found.view.id, made.action_id, made.verb, made.by, made.at)), 202)


async def _named(reader: Reader, found: Found, page: Sequence[IncidentView]) -> list[IncidentView]:
    """With whom they hurt."""
    named = {each.id: each for each in (await with_personas(reader, found, page)).incidents}
    return [named[each.id] for each in page]


def _place(each: IncidentView) -> tuple[datetime, str]:
    return each.opened_at, each.event_id
