"""What browsers and their SDKs ask before they send: CORS, and the configuration of the SDK."""

from __future__ import annotations

from dataclasses import replace

from services.gateway.access import Sources, key_of_body, key_of_header, key_of_query
from services.gateway.address import base_url
from services.gateway.answers import Answer, Header, Refusal, json_answer, replied
from services.gateway.decoding import decode, json_of, text_of, unwrapped
from services.gateway.request import Request
from services.gateway.routes import Route
from streams.connectors.ways import Reply

MAX_AGE_S = b"3600"
#: What names the gateway depends on who asks: no cache between may give it to others.
_NOT_KEPT: Header = (b"cache-control", b"no-store")


def cors(request: Request) -> tuple[Header, ...]:
    """The caller's own origin, with credentials: `*` is not allowed together with them."""
    origin = request.headers.get(b"origin")
    if not origin:
        return ()
    return (
        (b"access-control-allow-origin", origin),
        (b"access-control-allow-credentials", b"true"),
        (b"vary", b"Origin"),
    )


def preflight(request: Request, route: Route) -> Answer:
    """The answer to OPTIONS. It comes before authentication, since a preflight carries none."""
    asked = request.headers.get(b"access-control-request-headers", b"")
    headers = [
        (b"access-control-allow-methods", ", ".join((*route.methods, "OPTIONS")).encode()),
        (b"access-control-max-age", MAX_AGE_S),
    ]
    if asked:
        headers.append((b"access-control-allow-headers", asked))
    return Answer(204, headers=tuple(headers))


def setting(sources: Sources, request: Request, route: Route, cap: int) -> Answer:
    """What an SDK loads before it sends, for the source whose key it is. Refusal 400, 401, 404."""
    key = route.argument.encode() or key_of_header(request.headers) or key_of_query(request.query, route.key_names)
    key = key or _key_sent(request, route, cap)
    source = sources.by_key(key)
    found = route.settings.get(source.connector.name) if source is not None else None
    if source is None or found is None:
        status = max(one.unknown for one in route.settings.values())
        code, message = ("unknown_key", "no such write key") if status == 404 else ("invalid_key", "invalid write key")
        raise Refusal(status, code, message)
    request.source, request.connector = source.config.name, source.connector
    base = base_url(source.config, request) if found.names_us else source.config.public_base_url
    known = found.answer(key.decode(), source.config.name, base)
    answer = replied(known) if isinstance(known, Reply) else json_answer(known)
    return replace(answer, headers=(*answer.headers, _NOT_KEPT)) if found.names_us else answer


def _key_sent(request: Request, route: Route, cap: int) -> bytes:
    """The key in a body; empty where there is none."""
    body = decode(request.body, request.header(b"content-encoding"), cap)
    body = unwrapped(body, request.query, route.wrapped_in, cap)
    return key_of_body(json_of(text_of(body, request.header(b"content-type"))), route.key_names) if body else b""
