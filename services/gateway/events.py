"""Taking events: who sends, is it well-formed, is it safe. What differs between senders is in their connectors."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Protocol

from pydantic import ValidationError

from schemas.config import GatewayConfig
from schemas.errors import PermanentError
from schemas.incidents import IncidentAction
from services.gateway import handshakes, signatures
from services.gateway.access import HEAD_KEYS, Source, Sources, key_of_body, without
from services.gateway.answers import Answer, Refusal, replied
from services.gateway.decoding import decode, json_of, text_of, unwrapped
from services.gateway.intake import Intake
from services.gateway.request import Request
from services.gateway.routes import Route
from services.gateway.signatures import MISMATCH, Problem
from streams.connectors.content import Content, at, is_empty, is_markup, opened
from streams.connectors.schemes import Hmac, covers_url
from streams.connectors.ways import SUCCESS, Call, KeyPlace, Tenant, Webhook


class Gateway(Protocol):
    """What is needed of a gateway to take an event: its limits, who may send, and the way into Kafka."""

    config: GatewayConfig
    sources: Sources
    intake: Intake


async def take_call(gateway: Gateway, request: Request, route: Route) -> Answer:
    """A call of a protocol whose senders are known by a key; the key says which of the path's connectors speaks."""
    source = _by_head(gateway, request, route)
    try:
        body = decode(request.body, request.header(b"content-encoding"), gateway.config.max_body_bytes)
    except Refusal as refusal:
        if source is None or not route.calls[source.connector.name].keeps_cut or refusal.code != "invalid_encoding":
            raise
        return await _keep_cut(gateway, request, source, route.calls[source.connector.name])
    body = unwrapped(body, request.query, route.wrapped_in, gateway.config.max_body_bytes)
    if source is not None:
        return await _take_body(gateway, request, source, route.calls[source.connector.name], body)
    value = _checked(json_of(text_of(body, request.header(b"content-type"))))
    source = _known(gateway, request, route, key_of_body(value, route.key_names), "body")
    return await _take_body(gateway, request, source, route.calls[source.connector.name], body, value)


async def take_action(gateway: Gateway, request: Request, route: Route) -> Answer:
    """What somebody did about an incident; it is in its log once this returns."""
    _by_head(gateway, request, route)
    body = decode(request.body, request.header(b"content-encoding"), gateway.config.max_body_bytes)
    try:
        action = IncidentAction.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "body"
        raise Refusal(400, "invalid_payload", f"`{field}`: {first['msg']}") from None
    await gateway.intake.confirmed("incidents.actions.v1", action.action_id, action.encoded())
    return replied(SUCCESS)


async def take_webhook(gateway: Gateway, request: Request, route: Route) -> Answer:
    """A proved call to `/{connector}/{source}`: verified on the bytes as received, then read."""
    source = gateway.sources.webhook(route.connector, route.argument)
    request.source, request.connector = source.config.name, source.connector
    webhook = source.connector.webhook
    assert webhook is not None
    shaken = handshakes.unsigned(webhook, request, source.secrets)
    if shaken is not None:
        return shaken
    _prove(gateway, request, source, webhook)
    body = decode(request.body, request.header(b"content-encoding"), gateway.config.max_body_bytes)
    text = text_of(body, request.header(b"content-type"))
    value = _read(webhook.content, text, request.query)
    if webhook.tenant is not None:
        _check_tenant(webhook.tenant, source.config.tenant, value)
    shaken = handshakes.signed(webhook, request, value)
    if shaken is not None:
        return shaken
    if request.method not in webhook.methods:
        raise Refusal(400, "no_handshake", f"a {request.method} here must be a handshake")
    if not is_empty(value, source.connector.batch_key):
        query = without(request.query, signatures.query_secrets(webhook.scheme))
        await gateway.intake.store(source, request, query, text)
    return replied(source.connector.answers.ok)


def claimed(gateway: Gateway, request: Request, route: Route) -> str:
    """Whose a request says it is, where it was refused before that was asked: by its path, or by a key in its head.

    Empty where nobody says. The name of a configured source, so that these are few.
    """
    if route.purpose == "webhook":
        found = gateway.sources.named(route.argument)
        return found.config.name if found is not None else ""
    for key_of in HEAD_KEYS.values():
        with suppress(Refusal):  # a key that cannot be read is nobody's
            found = gateway.sources.by_key(key_of(request, route.key_names))
            if found is not None:
                return found.config.name
    return ""


def _by_head(gateway: Gateway, request: Request, route: Route) -> Source | None:
    """The source whose key stands in the head; None when it may still stand in the body. Refusal 401."""
    accepted = {place for call in route.calls.values() for place in call.keys}
    for place, key_of in HEAD_KEYS.items():
        key = key_of(request, route.key_names) if place in accepted else b""
        if key:
            return _known(gateway, request, route, key, place)
    return None if "body" in accepted else _known(gateway, request, route, b"", "body")


def _known(gateway: Gateway, request: Request, route: Route, key: bytes, place: KeyPlace) -> Source:
    """The source of a key that may call this path; from here on answers take its sender's shape."""
    if not key:
        raise Refusal(401, "missing_key", "failed to read writekey from header")
    source = gateway.sources.by_key(key)
    call = route.calls.get(source.connector.name) if source is not None else None
    if source is not None and call is None:
        request.source = source.config.name
        theirs = ", ".join(f"`{name}`" for name in sorted(route.calls))
        said = f"this write key is of the source `{source.config.name}`, which speaks `{source.config.vendor}`"
        raise Refusal(401, "invalid_key", f"{said}; {request.path} is for {theirs}")
    if source is None or call is None or place not in call.keys:
        raise Refusal(401, "invalid_key", "invalid write key")
    request.source, request.connector = source.config.name, source.connector
    if place == "query" and not source.config.allow_query_key:
        raise Refusal(401, "invalid_key", "this source takes no write key in the query")
    return source


async def _take_body(
    gateway: Gateway, request: Request, source: Source, call: Call, body: bytes, value: Any = None
) -> Answer:
    text = text_of(body, request.header(b"content-type"))
    if value is None:
        value = _read(call.content, text, request.query)
    keyed = source.connector.keyed
    problem = keyed.screen(value, call.batch) if keyed is not None and call.content == "json" else None
    if problem is not None:
        raise Refusal(400, *problem)
    if not is_empty(value, source.connector.batch_key):
        await gateway.intake.store(source, request, without(request.query, (*call.key_names, call.wrapped_in)), text)
    return replied(call.always or call.ok or source.connector.answers.ok)


async def _keep_cut(gateway: Gateway, request: Request, source: Source, call: Call) -> Answer:
    """What came of a cut body is kept and dead-lettered: its sender is gone and will not send it again."""
    encoding, cap = request.header(b"content-encoding"), gateway.config.max_body_bytes
    came = decode(request.body, encoding, cap, short_is_fine=True).decode(errors="ignore")
    await gateway.intake.store(source, request, without(request.query, call.key_names), came)
    return replied(call.ok or source.connector.answers.ok)


def _prove(gateway: Gateway, request: Request, source: Source, webhook: Webhook) -> None:
    """Refusal 401 for a call that is not its sender's."""
    urls = signatures.called_urls(webhook.scheme, request, source.config.public_base_url)
    signed = signatures.Signed(request.method.encode(), urls, request.headers, request.body, request.query)
    problem = signatures.verify(webhook.scheme, source.secrets, signed, gateway.intake.now())
    if problem is not None:
        known = _checked_for(webhook, source, urls, problem)
        raise Refusal(401, problem.code, problem.words, known=known)


def _checked_for(webhook: Webhook, source: Source, urls: tuple[bytes, ...], problem: Problem) -> str:
    """Why, with the address that a signature that does not match should have covered, without its query."""
    if problem.code != MISMATCH or not isinstance(webhook.scheme, Hmac) or not covers_url(webhook.scheme):
        return problem.words
    checked = " and ".join(url.partition(b"?")[0].decode(errors="replace") for url in urls)
    hint = "" if source.config.public_base_url else "; set `public_base_url` to what the sender calls"
    return f"{problem.words}; it was checked for {checked}{hint}"


def _check_tenant(tenant: Tenant, configured: str, value: Any) -> None:
    """Refusal 401 for a message of another customer of the vendor."""
    outermost = tenant.place.partition(".")[0]
    for body in value if isinstance(value, list) else [value]:
        if isinstance(body, dict) and outermost in body:
            stated = at(body, tenant.place)
            if not isinstance(stated, str) or tenant.same(stated) != tenant.same(configured):
                raise Refusal(401, "other_tenant", f"`{tenant.place}` is not this source's `tenant`")


def _read(content: Content, text: str, query: str) -> Any:
    """The decoded JSON, or the messages of anything else; Refusal 400 when it is not what it should be."""
    if content == "json":
        return _checked(json_of(text))
    if content == "xml_or_json" and not is_markup(text):
        return _checked(json_of(text))
    try:
        return opened(content, query if content == "query" else text)[1]
    except PermanentError as error:
        raise Refusal(400, "invalid_payload", str(error)) from None


def _checked(value: Any) -> Any:
    """An object, or an array with objects: what else is in it costs itself alone. Nothing else is any vendor's."""
    if isinstance(value, dict) or value == [] or (isinstance(value, list) and any(isinstance(v, dict) for v in value)):
        return value
    raise Refusal(400, "invalid_payload", "the body must be a JSON object or an array of objects")
