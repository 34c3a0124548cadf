"""What browsers and their SDKs ask before they send: CORS, and the configuration of the SDK."""

from __future__ import annotations

from services.gateway.access import Sources, key_of_body, key_of_header, key_of_query
from services.gateway.answers import Answer, Header, Refusal, json_answer, replied
from services.gateway.decoding import decode, json_of, text_of, unwrapped
from services.gateway.request import Request
from services.gateway.routes import Route
from streams.connectors.ways import Reply

MAX_AGE_S = b"3600"


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
    """What an SDK loads before it sends, for the source whose key it is."""
    key = route.argument.encode() or key_of_header(request.headers) or key_of_query(request.query, route.key_names)
    key = key or _key_sent(request, route, cap)
    source = sources.by_key(key)
    found = route.settings.get(source.connector.name) if source is not None else None
    if source is None or found is None:
        status = max(one.unknown for one in route.settings.values())
        code, message = ("unknown_key", "no such write key") if status == 404 else ("invalid_key", "invalid write key")
        raise Refusal(status, code, message)
    told = found.answer(key.decode(), source.config.name, source.config.public_base_url)
    return replied(told) if isinstance(told, Reply) else json_answer(told)


def _key_sent(request: Request, route: Route, cap: int) -> bytes:
    """The key in a body; empty where there is none."""
    body = decode(request.body, request.header(b"content-encoding"), cap)
    body = unwrapped(body, request.query, route.wrapped_in, cap)
    return key_of_body(json_of(body, text_of(body)), route.key_names) if body else b""
