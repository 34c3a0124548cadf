"""Who is told: the delivery log, a form that tries a channel, a form that plays the policies on history."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from schemas.errors import ConfigurationError
from services.dashboard.acting import Act, named, remembered_name, trial_of, written
from services.dashboard.answers import GatewayAway
from services.dashboard.api import WithReader
from services.dashboard.pages.alerts.query import DAYS, Preview, play
from services.dashboard.params import BadParameter, Text
from services.dashboard.questions import form_of
from services.dashboard.reader import Reader
from services.dashboard.shell import Pages, WithPages, detail
from streams.incidents.preview import NUMBERS

router = APIRouter(include_in_schema=False)
LINES = 100


@router.get("/alerts")
async def shown(  # noqa: PLR0913 - one a field of the form
    request: Request,
    reader: WithReader,
    pages: WithPages,
    days: Text = "",
    policy: Text = "",
    number: Text = "threshold",
    value: Text = "",
    tried: Text = "",
) -> Response:
    """With `days`, also what the policies would have told; with `policy`, `number` and `value`, beside a change."""
    played, problem = None, ""
    try:
        played = await play(reader, days, policy, number, value) if days else None
    except BadParameter as error:
        problem = str(error)
    asked = {"days": days or "30", "policy": policy, "number": number, "value": value, "tried": tried}
    return _page(request, reader, pages, asked, played, problem, 400 if problem else 200)


@router.post("/alerts")
async def tried(request: Request, reader: WithReader, pages: WithPages) -> Response:
    """Ask the alerts process to try a channel."""
    fields = await form_of(request)
    send: Act = request.app.state.act
    try:
        action = trial_of(fields, request.app.state.channels, reader.clock())
        await send(action)
    except BadParameter as error:
        return _page(request, reader, pages, {}, None, str(error), 400)
    except (GatewayAway, ConfigurationError) as error:
        return _page(request, reader, pages, {}, None, str(error), 503)
    written(action, "test", "")
    return named(RedirectResponse(f"/alerts?tried={action.to}", 303), action.by, request.url.scheme)


def _page(  # noqa: PLR0913 - what it is drawn from
    request: Request,
    reader: Reader,
    pages: Pages,
    asked: dict[str, str],
    played: Preview | None,
    problem: str,
    status: int,
) -> Response:
    context = {
        "asked": {"days": "30", "policy": "", "number": "threshold", "value": "", "tried": "", **asked},
        "preview": played,
        "problem": problem,
        "channels": request.app.state.channels,
        "lines": reader.board.deliveries()[:LINES],
        "types": reader.catalogue.lens.types,
        "policies": reader.catalogue.lens.blueprint.policies,
        "numbers": NUMBERS,
        "days": DAYS,
        "name": remembered_name(request.cookies),
        "now": reader.clock(),
    }
    answer = detail(pages, "alerts/_alerting.html", "Who is told", "", context)
    answer.status_code = status
    return answer
