"""Signing in with a token and out again; works without JavaScript."""

from __future__ import annotations

import logging

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from services.dashboard.guard import LOGIN, LOGOUT, Door, cookie_name, own_path
from services.dashboard.params import Text
from services.dashboard.questions import form_of
from services.dashboard.shell import Pages, detail

router = APIRouter(include_in_schema=False)
_audit = logging.getLogger("touchline.audit")


@router.get(LOGIN)
async def shown(request: Request, next: Text = "/") -> Response:
    """The form, and who is signed in. `next`: where to go on, within these pages."""
    return _page(request, next, "", 200)


@router.post(LOGIN)
async def signed_in(request: Request) -> Response:
    """`token` and `next`. A wrong token is said, nothing else."""
    fields = await form_of(request)
    door: Door = request.app.state.door
    there = fields.get("next") or "/"
    entry = door.sessions.access.owner(fields.get("token", "").strip(), door.clock())
    if entry is None:
        _audit.warning("a sign-in was refused", extra={"from": request.client.host if request.client else ""})
        return _page(request, there, "This token is not known here, or is over. An operator can give out another.", 401)
    return door.sign_in(RedirectResponse(own_path(there), 303), request.scope, entry)


@router.post(LOGOUT)
async def signed_out(request: Request) -> Response:
    """Forget the session in this browser."""
    answer = RedirectResponse(LOGIN, 303)
    answer.delete_cookie(cookie_name(request.scope), httponly=True, samesite="lax")
    return answer


def _page(request: Request, there: str, problem: str, status: int) -> Response:
    pages: Pages = request.app.state.viewers_pages
    door: Door = request.app.state.door
    context = {"next": own_path(there), "problem": problem, "person": door.person(request.scope)}
    answer = detail(pages, "_sign_in.html", "Sign in", "", context)
    answer.status_code = status
    return answer
