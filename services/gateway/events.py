"""Taking events: who sends, is it well-formed, is it safe. One function per purpose of a path."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from services.gateway import signatures
from services.gateway.access import (
    SDK_VENDORS,
    Source,
    key_of_bearer,
    key_of_body,
    key_of_header,
    key_of_query,
    without_key,
)
from services.gateway.answers import Answer, Refusal, accepted, pixel
from services.gateway.decoding import decode, json_of, text_of
from services.gateway.request import Request
from services.gateway.routes import Purpose, Route
from services.gateway.signatures import SCHEMES, Signed, hubspot_url

if TYPE_CHECKING:
    from services.gateway.app import Gateway


async def take_events(gateway: Gateway, request: Request, route: Route) -> Answer:
    """Segment's and RudderStack's calls: the write key says which of them is speaking."""
    key = key_of_header(request.headers)
    source = _known(gateway, request, key) if key else _by_query(gateway, request)
    body = decode(request.body, request.header(b"content-encoding"), gateway.config.max_body_bytes)
    text = text_of(body)
    value = _checked(json_of(body, text))
    if source is None:
        source = _known(gateway, request, key_of_body(value))
    if source.config.vendor == "rudderstack":
        _as_rudderstack(value, route)
    if route.batch and isinstance(value, dict) and value.get("batch") == []:
        return accepted(source.config.vendor)
    await gateway.intake.store(source, request.path, without_key(request.query), text)
    return accepted(source.config.vendor)


async def take_records(gateway: Gateway, request: Request, route: Route) -> Answer:
    """Our own dialect: one record, an array, or `records`. From servers only: the key stands in a header."""
    key = key_of_bearer(request.headers) or key_of_header(request.headers)
    source = _known(gateway, request, key, (route.vendor,))
    body = decode(request.body, request.header(b"content-encoding"), gateway.config.max_body_bytes)
    text = text_of(body)
    value = _checked(json_of(body, text))
    if value != [] and not (isinstance(value, dict) and value.get("records") == []):
        await gateway.intake.store(source, request.path, "", text)
    return accepted(source.config.vendor)


async def take_beacon(gateway: Gateway, request: Request, route: Route) -> Answer:
    """A batch sent as a page closes: nobody reads the answer, and the body may have been cut off.

    What came of a cut body is kept and dead-lettered: its sender is gone and will not send it again.
    """
    try:
        return await take_events(gateway, request, route)
    except Refusal as refusal:
        source = _by_query(gateway, request)
        if source is None or refusal.code != "invalid_encoding":
            raise
    encoding, cap = request.header(b"content-encoding"), gateway.config.max_body_bytes
    came = decode(request.body, encoding, cap, short_is_fine=True).decode(errors="ignore")
    await gateway.intake.store(source, request.path, without_key(request.query), came)
    return accepted(source.config.vendor)


async def take_pixel(gateway: Gateway, request: Request) -> Answer:
    """A message in a query string; always answered with the image."""
    source = _by_query(gateway, request) or _known(gateway, request, b"")
    if source.config.vendor != "rudderstack":
        raise Refusal(401, "invalid_key", "invalid write key")
    await gateway.intake.store(source, request.path, without_key(request.query), "")
    return pixel(200)


async def take_webhook(gateway: Gateway, request: Request, route: Route) -> Answer:
    """A signed call to `/{vendor}/{source}`: verified on the bytes as received, then parsed."""
    source = gateway.sources.webhook(route.vendor, route.argument)
    request.source = source.config.name
    urls = _called_urls(source, request) if route.vendor == "hubspot" else (b"",)
    signed = Signed(request.method.encode(), urls, request.headers, request.body)
    problem = signatures.verify(SCHEMES[route.vendor], source.secrets, signed, gateway.intake.now())
    if problem:
        raise Refusal(401, "invalid_signature", problem)
    body = decode(request.body, request.header(b"content-encoding"), gateway.config.max_body_bytes)
    text = text_of(body)
    value = _checked(json_of(body, text))
    if value != []:
        await gateway.intake.store(source, request.path, request.query, text)
    return accepted(source.config.vendor)


async def take_telemetry(gateway: Gateway, request: Request, route: Route) -> Answer:
    """The SDK's telemetry about itself: swallowed."""
    return accepted("segment")


TAKE: dict[Purpose, Callable[[Gateway, Request, Route], Awaitable[Answer]]] = {
    "events": take_events,
    "records": take_records,
    "beacon": take_beacon,
    "webhook": take_webhook,
    "telemetry": take_telemetry,
}


def _by_query(gateway: Gateway, request: Request) -> Source | None:
    key = key_of_query(request.query)
    if not key:
        return None
    source = _known(gateway, request, key)
    if not source.config.allow_query_key:
        raise Refusal(401, "invalid_key", "this source takes no write key in the query")
    return source


def _known(gateway: Gateway, request: Request, key: bytes, vendors: tuple[str, ...] = SDK_VENDORS) -> Source:
    """The source of a write key, of one of `vendors`; from here on answers take its vendor's shape."""
    if not key:
        raise Refusal(401, "missing_key", "failed to read writekey from header")
    source = gateway.sources.by_key(key)
    if source is None or source.config.vendor not in vendors:
        raise Refusal(401, "invalid_key", "invalid write key")
    request.source, request.vendor = source.config.name, source.config.vendor
    return source


def _checked(value: Any) -> Any:
    """An object, or an array of objects; anything else is not a payload of any vendor."""
    if isinstance(value, dict) or (isinstance(value, list) and all(isinstance(one, dict) for one in value)):
        return value
    raise Refusal(400, "invalid_payload", "the body must be a JSON object or an array of objects")


def _as_rudderstack(value: Any, route: Route) -> None:
    """The refusals RudderStack documents for a whole request."""
    if route.batch:
        batch = value.get("batch") if isinstance(value, dict) else value
        if not isinstance(batch, list) or not batch:
            raise Refusal(400, "empty_batch", "empty batch payload")
    elif isinstance(value, dict) and not value.get("anonymousId") and not value.get("userId"):
        raise Refusal(400, "no_identity", "request neither has anonymousId nor userId")


def _called_urls(source: Source, request: Request) -> tuple[bytes, ...]:
    """The address the sender called: the configured public one, else our own socket's. Never the Host header's."""
    host, port = request.server
    bases = [source.config.public_base_url]
    if not bases[0]:
        hosts = (host, "localhost") if host.startswith("127.") else (host,)
        bases = [f"{request.scheme}://{name}:{port}" if port else f"{request.scheme}://{name}" for name in hosts]
    return tuple(hubspot_url(base, request.raw_path, request.query.encode("latin-1")) for base in bases)
