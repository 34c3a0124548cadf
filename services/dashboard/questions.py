"""Questions of who is who, over HTTP: the API for programs, and the form of the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from urllib.parse import parse_qsl

import orjson
from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from schemas.errors import ConfigurationError
from services.dashboard.answers import ANSWERS, Answer, Decide, GatewayAway, decision
from services.dashboard.api import WithReader, answer
from services.dashboard.desks import desk_of
from services.dashboard.not_found import NotFound
from services.dashboard.params import Paging, Text, one_of, refuse, time_cursor
from services.dashboard.reader import Reader
from services.dashboard.shell import WithPages, html
from services.dashboard.store import ProposalQuery
from services.dashboard.views.proposals import ProposalPage

router = APIRouter()
STATUSES = ("open", "accepted", "rejected", "settled", "")
MAX_BODY_BYTES = 4_096
MAX_BY_CHARS = 80


@dataclass(frozen=True, slots=True)
class Decided:
    """An answer that is safe. `event_id` is the decision's; it shows once it has come through the pipeline."""

    proposal_id: str
    answer: str
    verdict: str
    by: str
    event_id: str


@router.get("/api/proposals", response_model=ProposalPage)
async def proposals(paging: Paging, reader: WithReader, status: Text = "open") -> Response:
    """Questions of who is who, newest first; `status=` empty lists all."""
    query = ProposalQuery(one_of("status", status, STATUSES), paging.limit, time_cursor(paging.cursor))
    return answer(await reader.proposals(query))


@router.post("/api/proposals/{proposal_id}", response_model=Decided, status_code=202)
async def decide(proposal_id: str, request: Request, reader: WithReader) -> Response:
    """`{"answer": "accept" | "reject", "by": "who"}`. A later answer to the same question replaces an earlier one."""
    body = await body_of(request)
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError:
        refuse("body", body[:80].decode(errors="replace"), "a JSON object with `answer` and `by`")
    if not isinstance(fields, dict):
        refuse("body", str(fields)[:80], "a JSON object with `answer` and `by`")
    made = await _decide(request, reader, proposal_id, fields)
    return answer(asdict(made), 202)


@router.post("/proposals", include_in_schema=False)
async def decide_on_page(request: Request, reader: WithReader, pages: WithPages, part: Text = "") -> Response:
    """The form: `answer` is `accept ID` or `reject ID`. `part=1` answers with the list as it stands then."""
    fields = await form_of(request)
    verb, _, proposal_id = fields.get("answer", "").partition(" ")
    problem, status = "", 200
    try:
        await _decide(request, reader, proposal_id, {"answer": verb, "by": fields.get("by", "")})
    except (GatewayAway, ConfigurationError) as error:
        problem, status = str(error), 503
    if not part:
        if problem:
            raise GatewayAway(problem)
        return RedirectResponse("/sources#questions", 303)
    shown = await reader.open_questions()
    return html(
        pages.render("sources/_questions.html", {"questions": shown, "problem": problem, "now": reader.clock()}), status
    )


async def _decide(request: Request, reader: Reader, proposal_id: str, fields: Mapping[str, object]) -> Decided:
    said: Answer = one_of("answer", str(fields.get("answer", "")), ANSWERS)
    by = str(fields.get("by") or "").strip()
    if not 0 < len(by) <= MAX_BY_CHARS:
        refuse("by", by[:100], f"who decides, in 1 to {MAX_BY_CHARS} characters")
    proposal = await reader.store.proposal(proposal_id)
    if proposal is None:
        raise NotFound(f"no question `{proposal_id[:80]}`")
    send: Decide = request.app.state.decide
    record = decision(proposal, said, by, reader.clock())
    event_id = await send(record)
    reader.given.note(proposal_id, said)
    desk_of(request).snapshots.expire()
    return Decided(proposal_id, said, record["verdict"], by, event_id)


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form that was sent. Raises as `body_of`."""
    return dict(parse_qsl((await body_of(request)).decode(errors="replace"), keep_blank_values=True))


async def body_of(request: Request) -> bytes:
    """At most so much of it; raises BadParameter."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            refuse("body", f"{len(body)} bytes", f"at most {MAX_BODY_BYTES} bytes")
    return body
