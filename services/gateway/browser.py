"""What browsers and their SDKs ask before they send: CORS, and the configuration of the SDK."""

from __future__ import annotations

from services.gateway.access import Sources, key_of_header, key_of_query
from services.gateway.answers import Answer, Header, Refusal, json_answer
from services.gateway.request import Request
from services.gateway.routes import Route

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


def setting(sources: Sources, request: Request, route: Route) -> Answer:
    """What an SDK loads before it sends, for the source whose key it is."""
    key = route.argument.encode() or key_of_header(request.headers) or key_of_query(request.query)
    source = sources.by_key(key)
    found = route.settings.get(source.connector.name) if source is not None else None
    if source is None or found is None:
        status = max(one.unknown for one in route.settings.values())
        code, message = ("unknown_key", "no such write key") if status == 404 else ("invalid_key", "invalid write key")
        raise Refusal(status, code, message)
    return json_answer(found.answer(key.decode(), source.config.name, source.config.public_base_url))
