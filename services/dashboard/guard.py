"""Before the application: who asks, what they may, the audit, and the headers every answer carries. Plain ASGI."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl, quote, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from schemas.access import TokenEntry
from services.common.config import is_loopback
from services.common.visitors import Header, Visitors, name_of
from services.dashboard.sessions import COOKIE, LIFETIME, LOCAL, Person, Sessions

# asked by probes and Prometheus, by whatever name they know us; of the two only the first needs no token
PROBED_PATHS = frozenset(["/healthz", "/metrics"])
STRAIGHT = "touchline.send"
"""Past all that wraps an answer: for what a stream sends once its headers are out, a thousand times a second."""
LOGIN, LOGOUT = "/login", "/logout"
_OPEN_PATHS = frozenset(["/healthz", "/favicon.ico", LOGIN])
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_MAX_QUERY_CHARS = 300
_audit = logging.getLogger("touchline.audit")
_CSP = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_SECURITY = {
    "content-security-policy": _CSP,
    "x-content-type-options": "nosniff",
    # not `no-referrer`: a form's POST would then carry `Origin: null`, and could not be told from a stranger's
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


@dataclass(frozen=True)
class Door:
    """How people come in. `is_open`: an address of this machine alone, where no token may be asked for."""

    sessions: Sessions
    visitors: Visitors
    clock: Callable[[], datetime]
    is_open: bool = True
    is_secure: bool = False

    def person(self, scope: Scope) -> Person | None:
        """Who asks; None: nobody we know."""
        if self.is_open and not self.sessions.access.is_required:
            return LOCAL
        headers, now = Headers(scope=scope), self.clock()
        if (given := headers.get("authorization")) is not None:
            return self.sessions.bearer(given, now)
        return self.sessions.person(headers.get("cookie", ""), cookie_name(scope), now)

    def sign_in(self, answer: Response, scope: Scope, entry: TokenEntry) -> Response:
        """The answer with a session's cookie."""
        _audit.info("signed in", extra={"by": entry.name, "role": entry.role})
        answer.set_cookie(
            cookie_name(scope),
            self.sessions.opened(entry, self.clock()),
            max_age=int(LIFETIME.total_seconds()),
            httponly=True,
            samesite="lax",
            secure=self.is_secure or scope["scheme"] == "https",
        )
        return answer


class Guard:
    """Lets through whom `door` knows, and what they may."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        raw: dict[bytes, bytes] = dict(scope["headers"])
        sending = _with_headers(send, self._door.visitors.cors(raw))
        scope[STRAIGHT] = send
        answer = self._preflight(scope, raw) or self._stranger(scope, raw)
        if answer is None:
            person = self._door.person(scope)
            answer = self._refusal(scope, person, raw)
            scope["touchline.person"] = person
            sending = _audited(sending, scope, person) if person else sending
        await (answer or self._app)(scope, receive, sending)

    def _preflight(self, scope: Scope, raw: dict[bytes, bytes]) -> Response | None:
        granted = self._door.visitors.preflight(scope["method"], raw)
        if granted is None:
            return None
        return Response(status_code=204, headers={name.decode(): value.decode("latin-1") for name, value in granted})

    def _stranger(self, scope: Scope, raw: dict[bytes, bytes]) -> Response | None:
        refusal = self._door.visitors.refusal(scope["method"], scope["path"], raw)
        return _error(refusal.status, refusal.kind, refusal.message) if refusal is not None else None

    def _refusal(self, scope: Scope, person: Person | None, raw: dict[bytes, bytes]) -> Response | None:
        path, is_change = scope["path"], scope["method"] not in _SAFE_METHODS
        if path in _OPEN_PATHS or path.startswith("/static/"):
            return None
        if person is None:
            return self._login(scope) or _not_known(scope)
        if is_change and person.by_cookie and not self._door.visitors.shows_own_page(raw):
            return _error(403, "foreign_origin", "a change must come from a page of ours: it lacks its `Origin`")
        if is_change and not person.may_change and path != LOGOUT:
            return _error(403, "viewer", f"the token `{person.name}` may look, not change; ask for one of an operator")
        return None

    def _login(self, scope: Scope) -> Response | None:
        """`?token=` becomes a cookie, and leaves the address bar."""
        query = parse_qsl(scope["query_string"].decode("latin-1"))
        given = next((value for key, value in query if key == "token"), "")
        owner = self._door.sessions.access.owner(given, self._door.clock()) if given else None
        if scope["method"] != "GET" or owner is None:
            return None
        rest = urlencode([(key, value) for key, value in query if key != "token"])
        answer = RedirectResponse(own_path(str(scope["path"])) + (f"?{rest}" if rest else ""), 303)
        return self._door.sign_in(answer, scope, owner)


def own_path(text: str) -> str:
    """Never another host."""
    return "/" + text.lstrip("/\\")


def cookie_name(scope: Scope) -> str:
    """One a port on this machine: a browser sends a host's cookies to all of its ports."""
    host = name_of(dict(scope["headers"]).get(b"host", b""))
    return f"{COOKIE}_{scope['server'][1]}" if is_loopback(host) and scope.get("server") else COOKIE


def _not_known(scope: Scope) -> Response:
    if scope["method"] == "GET" and "text/html" in Headers(scope=scope).get("accept", ""):
        query = scope["query_string"].decode("latin-1")
        asked = own_path(str(scope["path"])) + (f"?{query}" if query and "token=" not in query else "")
        return RedirectResponse(f"{LOGIN}?next={quote(asked, safe='')}", 303, {"cache-control": "no-store"})
    return _error(401, "token_required", "send the header `Authorization: Bearer TOKEN`, or sign in at /login")


def _error(status: int, kind: str, message: str) -> Response:
    return JSONResponse({"error": {"kind": kind, "message": message}}, status, {"cache-control": "no-store"})


def _audited(send: Send, scope: Scope, person: Person) -> Send:
    """A line for every change that was made and every table that left, whatever route it went by."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] < 400:
            what = _what(scope, Headers(raw=message["headers"]))
            if what:
                query = scope["query_string"].decode("latin-1")[:_MAX_QUERY_CHARS]
                details = {"by": person.name, "role": person.role, "path": scope["path"], "query": query}
                _audit.info(what, extra=details)
        await send(message)

    return sending


def _what(scope: Scope, headers: Headers) -> str:
    if scope["method"] not in _SAFE_METHODS:
        return "" if scope["path"] in (LOGIN, LOGOUT) else "change"
    return "export" if headers.get("content-disposition", "").startswith("attachment") else ""


def _with_headers(send: Send, cors: list[Header]) -> Send:
    shared = {"cross-origin-resource-policy": "cross-origin"} if cors else {}

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in (_SECURITY | shared).items():
                headers[name] = value
            for allowed, origin in cors:
                headers[allowed.decode()] = origin.decode("latin-1")
        await send(message)

    return sending
