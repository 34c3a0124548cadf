"""Who may look: the token, whom `Visitors` lets in, and the headers every answer carries. Plain ASGI, no buffering."""

from __future__ import annotations

import hashlib
import hmac
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.common.visitors import Header, Visitors

COOKIE = "touchline"
# asked by probes and Prometheus, by whatever name they know us; of the two only the first needs no token
PROBED_PATHS = frozenset(["/healthz", "/metrics"])
_OPEN_PATHS = ("/healthz",)
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


class Guard:
    """Before the application. `token` None: whoever `visitors` lets in may look."""

    def __init__(self, app: ASGIApp, token: bytes | None, *, visitors: Visitors) -> None:
        self._app = app
        self._token = token
        self._visitors = visitors
        # The cookie proves that the token was known; it is not the token.
        self._cookie = hmac.new(token, b"dashboard cookie", hashlib.sha256).hexdigest() if token else ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        raw: dict[bytes, bytes] = dict(scope["headers"])
        answer = self._preflight(scope, raw) or self._refusal(scope, raw)
        await (answer or self._app)(scope, receive, _with_headers(send, self._visitors.cors(raw)))

    def _preflight(self, scope: Scope, raw: dict[bytes, bytes]) -> Response | None:
        granted = self._visitors.preflight(scope["method"], raw)
        if granted is None:
            return None
        return Response(status_code=204, headers={name.decode(): value.decode("latin-1") for name, value in granted})

    def _refusal(self, scope: Scope, raw: dict[bytes, bytes]) -> Response | None:
        refusal = self._visitors.refusal(scope["method"], scope["path"], raw)
        if refusal is not None:
            return _error(refusal.status, refusal.kind, refusal.message)
        headers = Headers(scope=scope)
        if not self._token or scope["path"] in _OPEN_PATHS or self._is_known(headers):
            return None
        return self._login(scope) or _error(
            401, "token_required", "send the header `Authorization: Bearer TOKEN`, or open /?token=TOKEN once"
        )

    def _is_known(self, headers: Headers) -> bool:
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and self._is_token(given.strip()):
            return True
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return False
        return cookie is not None and hmac.compare_digest(cookie.value.encode(), self._cookie.encode())

    def _is_token(self, given: str) -> bool:
        return bool(self._token) and hmac.compare_digest(given.encode("utf-8", "replace"), self._token or b"")

    def _login(self, scope: Scope) -> Response | None:
        """`?token=` becomes a cookie, and leaves the address bar."""
        query = parse_qsl(scope["query_string"].decode("latin-1"))
        if scope["method"] != "GET" or not any(key == "token" and self._is_token(value) for key, value in query):
            return None
        rest = urlencode([(key, value) for key, value in query if key != "token"])
        path = "/" + str(scope["path"]).lstrip("/\\")  # never another host
        answer = RedirectResponse(path + (f"?{rest}" if rest else ""), 303)
        answer.set_cookie(
            COOKIE, self._cookie, max_age=30 * 86_400, httponly=True, samesite="lax", secure=scope["scheme"] == "https"
        )
        return answer


def _error(status: int, kind: str, message: str) -> Response:
    return JSONResponse({"error": {"kind": kind, "message": message}}, status, {"cache-control": "no-store"})


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
