"""What browsers and their SDKs ask before they send: CORS, and the configuration of the SDK."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

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


def segment_settings(sources: Sources, key: str) -> Answer:
    """What analytics-next loads before it starts; sends its events back here when `public_base_url` is set."""
    source = sources.by_key(key.encode())
    if source is None or source.config.vendor != "segment":
        raise Refusal(404, "unknown_key", "no such write key")
    destination: dict[str, Any] = {"apiKey": key, "unbundledIntegrations": [], "addBundledMetadata": True}
    base = urlsplit(source.config.public_base_url)
    if base.netloc:
        destination |= {"apiHost": f"{base.netloc}/v1", "protocol": base.scheme}
    return json_answer(
        {
            "integrations": {"Segment.io": destination},
            "plan": {"track": {"__default": {"enabled": True, "integrations": {}}}},
            "edgeFunction": {},
            "analyticsNextEnabled": True,
            "middlewareSettings": {},
            "enabledMiddleware": {},
            "metrics": {"sampleRate": 0},
            "legacyVideoPluginsEnabled": False,
            "remotePlugins": [],
        }
    )


def rudder_config(sources: Sources, request: Request) -> Answer:
    """What the RudderStack browser SDK loads; without it the SDK never sends anything."""
    key = key_of_header(request.headers) or key_of_query(request.query)
    source = sources.by_key(key)
    if source is None or source.config.vendor != "rudderstack":
        raise Refusal(401, "invalid_key", "invalid write key")
    name = source.config.name
    off = {"errors": {"enabled": False}, "metrics": {"enabled": False}}
    return json_answer(
        {
            "source": {
                "id": name,
                "name": name,
                "writeKey": key.decode(),
                "enabled": True,
                "workspaceId": "touchline",
                "config": {"statsCollection": off},
                "connections": [],
                "destinations": [],
                "dataplanes": {},
            }
        }
    )
