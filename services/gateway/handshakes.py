"""Calls that carry no event: a sender that asks whether somebody is there, or wants a challenge back."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import orjson

from services.gateway.answers import Answer, Refusal
from services.gateway.request import Request
from streams.connectors.ways import JSON, TEXT, Handshake, Webhook, Where

MAX_CHALLENGE_CHARS = 1_000
#: What is sent back is the caller's own text: no browser may take it for a page.
_AS_TEXT = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))


def unsigned(webhook: Webhook, request: Request, secrets: tuple[bytes, ...]) -> Answer | None:
    """The answer to a handshake that is told by its method and query; None when it is none. Refusal 401."""
    return _answered([one for one in webhook.handshakes if not one.signed], request, None, secrets)


def signed(webhook: Webhook, request: Request, body: Any) -> Answer | None:
    """The answer to a handshake whose sender has proved itself; None when it is none."""
    return _answered([one for one in webhook.handshakes if one.signed], request, body, ())


def _answered(shakes: list[Handshake], request: Request, body: Any, secrets: tuple[bytes, ...]) -> Answer | None:
    if not shakes:
        return None
    query = dict(parse_qsl(request.query, keep_blank_values=True, errors="replace"))
    for shake in shakes:
        if request.method in shake.methods and all(_holds(place, value, query, body) for place, value in shake.when):
            if shake.token is not None:
                _check(_at(shake.token, query, body), secrets)
            return _reply(shake, _at(shake.echo, query, body) if shake.echo else "")
    return None


def _holds(place: Where, wanted: str, query: Mapping[str, str], body: Any) -> bool:
    found = _at(place, query, body)
    return bool(found) and wanted in ("", found)


def _at(place: Where, query: Mapping[str, str], body: Any) -> str:
    """What stands at a place, as text; empty when nothing does."""
    where, name = place
    if where == "query":
        return query.get(name, "")
    for part in name.split("."):
        body = body.get(part) if isinstance(body, dict) else None
    return body if isinstance(body, str) else ""


def _check(given: str, secrets: tuple[bytes, ...]) -> None:
    good = [hmac.compare_digest(given.encode(errors="replace"), secret) for secret in secrets]
    if not any(good):
        raise Refusal(401, "invalid_token", "the handshake's token is not this source's secret")


def _reply(shake: Handshake, echo: str) -> Answer:
    echo = echo[:MAX_CHALLENGE_CHARS]
    if shake.reply_field:
        return Answer(200, orjson.dumps({shake.reply_field: echo}), JSON, _AS_TEXT)
    return Answer(200, echo.encode(errors="replace"), TEXT, _AS_TEXT)
