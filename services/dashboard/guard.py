"""Who may look: the token, the host name, and the headers every answer carries. Plain ASGI, no buffering."""

from __future__ import annotations

import hashlib
import hmac
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "touchline"
LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
_OPEN_PATHS = ("/healthz",)
_CSP = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_SECURITY = {
    "content-security-policy": _CSP,
    "x-content-type-options": "nosniff",
    # not `no-referrer`: a form's POST would then carry `Origin: null`, and could not be told from a stranger's
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class Guard:
    """`token` None: on loopback, where only this machine's names are answered (a rebound DNS name is not)."""

    def __init__(self, app: ASGIApp, token: bytes | None, *, local_only: bool) -> None:
        self._app = app
        self._token = token
        self._local_only = local_only
        # The cookie proves that the token was known; it is not the token.
        self._cookie = hmac.new(token, b"dashboard cookie", hashlib.sha256).hexdigest() if token else ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, _with_headers(send))

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if self._local_only and not _is_local(headers.get("host", "")):
            return _error(421, "unknown_host", "this dashboard answers to localhost and 127.0.0.1 only")
        if scope["method"] not in _SAFE_METHODS and not _is_own(headers):
            return _error(403, "foreign_origin", "a page of another site may not decide anything here")
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


def _is_local(host: str) -> bool:
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    return name.lower() in LOOPBACK_NAMES


def _is_own(headers: Headers) -> bool:
    """Whether a changing request comes from our own page, or from a program. Browsers always say where from."""
    origin = headers.get("origin")
    if origin is not None:
        return origin.partition("://")[2].lower() == headers.get("host", "").lower() != ""
    return headers.get("sec-fetch-site", "none") in ("same-origin", "none")


def _error(status: int, kind: str, message: str) -> Response:
    return JSONResponse({"error": {"kind": kind, "message": message}}, status, {"cache-control": "no-store"})


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _SECURITY.items():
                headers[name] = value
        await send(message)

    return sending
