"""Failures as answers: JSON for the API, a readable page for people, the same words in both."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from schemas.errors import ConfigurationError, StoreUnavailable, shown
from services.dashboard.answers import GatewayAway
from services.dashboard.cursors import BadCursor
from services.dashboard.live import TooManyScopes
from services.dashboard.not_found import NotFound
from services.dashboard.params import BadParameter
from services.dashboard.scope import Scope
from services.dashboard.shell import USUAL_WINDOW, Pages

_RETRY = {"retry-after": "2"}
_BARE = {"page": None, "scope": Scope(USUAL_WINDOW), "around": None}


def install(app: FastAPI) -> None:
    """Every failure leaves as an answer with a message; none shows a trace."""
    app.add_exception_handler(BadParameter, _bad_parameter)
    app.add_exception_handler(BadCursor, _bad_parameter)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(NotFound, _not_found)
    app.add_exception_handler(StoreUnavailable, _store_away)
    app.add_exception_handler(GatewayAway, _gateway_away)
    app.add_exception_handler(ConfigurationError, _not_configured)
    app.add_exception_handler(TooManyScopes, _too_many)
    app.add_exception_handler(HTTPException, _http)


def _fail(request: Request, status: int, error: dict[str, str], headers: dict[str, str] | None = None) -> Response:
    if request.url.path.startswith("/api/v1/"):  # RFC 9457
        extra = {key: value for key, value in error.items() if key not in ("kind", "message")}
        problem = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "kind": error["kind"]}
        problem |= {"detail": error["message"], **extra}
        return JSONResponse(
            problem, status, {"cache-control": "no-store", **(headers or {})}, "application/problem+json"
        )
    if request.url.path.startswith("/api/") or "text/html" not in request.headers.get("accept", ""):
        return JSONResponse({"error": error}, status, {"cache-control": "no-store", **(headers or {})})
    pages: Pages = request.app.state.pages
    text = pages.render("failure.html", {"message": error["message"], "status": status, **_BARE})
    return Response(text, status, {"cache-control": "no-store", **(headers or {})}, "text/html; charset=utf-8")


def _bad_parameter(request: Request, error: Exception) -> Response:
    fields = {"kind": "bad_parameter", "message": str(error)}
    if isinstance(error, BadParameter):
        fields |= {"field": error.field, "value": error.value[:200], "allowed": error.allowed}
    return _fail(request, 400, fields)


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    field, value = str(first["loc"][-1]), str(first.get("input", ""))
    message = f"`{field}` is {shown(value)}: {first['msg']}"
    fields = {
        "kind": "bad_parameter",
        "message": message,
        "field": field,
        "value": value[:200],
        "allowed": first["msg"],
    }
    return _fail(request, 422, fields)


def _not_found(request: Request, error: Exception) -> Response:
    return _fail(request, 404, {"kind": "not_found", "message": str(error)})


def _store_away(request: Request, error: Exception) -> Response:
    return _fail(request, 503, {"kind": "store_unavailable", "message": str(error)}, _RETRY)


def _gateway_away(request: Request, error: Exception) -> Response:
    return _fail(request, 503, {"kind": "gateway_unavailable", "message": str(error)}, _RETRY)


def _not_configured(request: Request, error: Exception) -> Response:
    return _fail(request, 501, {"kind": "not_configured", "message": str(error)})


def _too_many(request: Request, error: Exception) -> Response:
    return _fail(request, 503, {"kind": "too_many_views", "message": "too many different views are live"}, _RETRY)


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _fail(request, error.status_code, {"kind": "http", "message": str(error.detail)})
