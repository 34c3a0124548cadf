"""The generic JSON webhook: a system that Touchline does not know, understood by a mapping that an operator writes.

The connector of the registry reads a small sample mapping; each configured source has one of its own (`declared`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal

import orjson

from schemas.capabilities import CAPABILITIES, Capability
from schemas.mapping import (
    BasicScheme,
    EventRule,
    HandshakeRule,
    HmacScheme,
    Mapping,
    NamedScheme,
    ReceiveRule,
    TokenScheme,
)
from streams.connectors.generic import checks, examples
from streams.connectors.generic.compiled import reading_of, whole
from streams.connectors.schemes import SCHEMES, Basic, Hmac, Scheme, Token
from streams.connectors.spec import Connector, Declared, Docs, Sample, Scope, Told
from streams.connectors.ways import JSON, TEXT, Answers, Handshake, Reply, Webhook, Where

NAME = "webhook"
_EVERYBODYS = ("email", "phone", "user", "anonymous")
_RECORDS = ("crm_deal", "crm_ticket", "ticket")
_TELLS: dict[str, Capability] = {
    "page_view": "page_view",
    "click": "click",
    "form_touched": "form",
    "form_submitted": "form",
    "form_failed": "form",
    "client_error": "client_error",
    "custom": "event",
    "ticket_created": "ticket",
    "ticket_status": "ticket_status",
    "ticket_replied_by_agent": "ticket_reply",
    "ticket_replied_by_customer": "ticket_reply",
    "deal_created": "deal",
    "deal_stage_changed": "deal",
    "lifecycle_changed": "lifecycle",
}
#: Channels in which a product or a site is used: named events there are its own.
_PRODUCT = ("web", "app", "product", "mobile")


def declared(source: str, mapping: Mapping) -> Connector:
    """The connector of one source, as its mapping says. Raises ValueError for one that cannot be."""
    events = [whole(mapping, rule) for rule in mapping.events]
    people = {kind for event in events for kind in event.person.ids} - set(_EVERYBODYS)
    return Connector(
        name=NAME,
        source=source,
        versions=(f"mapping {mapping.version}",),
        ways_in=(_way(mapping.receive),),
        keep_headers=checks.headers_of(mapping),
        map=reading_of(mapping),
        batch_key=mapping.receive.each,
        feeds=tuple(word for word in CAPABILITIES if word in {given for event in events for given in _feeds(event)}),
        ids=Scope(
            accounts=tuple(dict.fromkeys(kind for event in events for kind in event.account.refs)),
            people=tuple(sorted(people - set(_RECORDS))),
            records=tuple(sorted(people & set(_RECORDS))),
        ),
        answers=Answers(ok=_reply(mapping.receive.answer)),
        docs=_DOCS,
        sample=lambda now: _first_example(mapping),
        mapping=mapping.version,
    )


def problems(mapping: Mapping) -> Told:
    """All that is wrong with a mapping whose fields are sound, each with its place in it."""
    found = checks.problems(mapping)
    if not found:
        try:
            declared("", mapping)
        except ValueError as error:
            found.append((("receive",), str(error)))
    return found


def failures(mapping: Mapping) -> Told:
    """Which examples of a mapping without problems come out otherwise than they say."""
    return examples.failures(mapping, declared("example", mapping))


def _feeds(event: EventRule) -> Iterator[Capability]:
    if event.action in _TELLS:
        yield _TELLS[event.action]
    if event.action == "ticket_replied_by_agent":
        yield "ticket_answer"
    if event.action == "custom" and (event.channel or "web") in _PRODUCT:
        yield "product_event"
    if event.score is not None:
        yield "survey"
    if event.text is not None:
        yield "words"
    if event.person.traits:
        yield "person"
    if event.account.refs and event.account.traits:
        yield "organisation"


def _way(receive: ReceiveRule) -> Webhook:
    shakes = tuple(_handshake(rule) for rule in receive.handshakes)
    return Webhook(_scheme(receive), content=receive.content, methods=receive.methods, handshakes=shakes)


def _scheme(receive: ReceiveRule) -> Scheme:
    stated = receive.scheme
    if isinstance(stated, HmacScheme):
        parts = stated.model_dump(exclude={"kind", "secret", "header", "prefix", "timestamp_header", "id_header"})
        named = {name: getattr(stated, name).encode() for name in ("header", "prefix", "timestamp_header", "id_header")}
        scheme: Scheme = Hmac(key=stated.secret, **named, **parts)
    elif isinstance(stated, TokenScheme):
        scheme = Token(stated.header.encode(), stated.prefix.encode())
    elif isinstance(stated, BasicScheme):
        scheme = Basic()
    elif isinstance(stated, NamedScheme) and stated.name in SCHEMES:
        scheme = SCHEMES[stated.name]
    else:
        raise ValueError("unknown scheme")
    if isinstance(scheme, Hmac) and receive.content == "query" and "url" not in scheme.message:
        raise ValueError("what stands in the query must be signed: `message` needs `url`, or use a token")
    return scheme


def _handshake(rule: HandshakeRule) -> Handshake:
    return Handshake(
        methods=rule.methods,
        when=tuple((_where(place), value) for place, value in rule.when.items()),
        echo=_where(rule.echo) if rule.echo else None,
        reply_field=rule.reply_field,
        signed=rule.signed,
        token=_where(rule.proof) if rule.proof else None,
    )


def _where(place: str) -> Where:
    query = place.startswith("$query.")
    where: Literal["query", "body"] = "query" if query else "body"
    return where, place.removeprefix("$query.")


def _reply(answer: str) -> Reply:
    try:
        orjson.loads(answer)
    except orjson.JSONDecodeError:
        return Reply(answer.encode(), TEXT)
    return Reply(answer.encode(), JSON)


def _first_example(mapping: Mapping) -> Sample:
    """The first example that comes to a touchpoint, as it stands; without one a body that is refused."""
    good = (one for one in mapping.examples if one.expect and not one.expect[0].keys() & {"ignored", "refused"})
    request = next(good, None)
    if request is None:
        return Sample("{}")
    asked = request.request
    body = asked.body if isinstance(asked.body, str) else orjson.dumps(asked.body).decode()
    return Sample(body, query=asked.query, method=mapping.receive.methods[0], headers=tuple(asked.headers.items()))


_DOCS = Docs(
    title="Any other system: the generic webhook",
    setup=(
        "Write a mapping, a YAML file beside `touchline.yaml`; two to start from are in `examples/mappings/`. "
        "[How a mapping is written](../../how-to/webhook-mappings.md).",
        "Name it in the source: `mapping: mappings/helpdesk.yaml`.",
        "`touchline validate` checks it and runs its examples.",
        "Let the system send to `GATEWAY/webhook/SOURCE`, with the secret or signature that the mapping names.",
    ),
    settings="`mapping`: the file, or the mapping itself. How requests come in, what is answered and what is told is "
    "what the mapping says; below stands what the sample says.",
    limits="A mapping of 256 KiB, 200 events. Paths of 16 steps.",
)

_SAMPLE = {
    "version": 1,
    "receive": {"scheme": "hub_sha256", "each": "items"},
    "ignore": [{"reason": "ping", "when": [{"path": "type", "equals": "ping"}]}],
    "shared": {
        "id": "id",
        "time": "at",
        "person": {
            "ids": {"email": "contact.email", "support_user": "contact.id"},
            "traits": {"name": "contact.name", "title": "contact.job_title"},
        },
        "account": {"refs": {"crm": "company.crm_id", "org": "company.id"}, "traits": {"name": "company.name"}},
        "subject": "ticket:{ticket.id}",
    },
    "events": [
        {
            "name": "ticket.opened",
            "action": "ticket_created",
            "when": [{"path": "type", "equals": "ticket.opened"}],
            "title": "ticket.subject",
            "text": "ticket.text",
        },
        {
            "name": "ticket.status",
            "action": "ticket_status",
            "when": [{"path": "type", "equals": "ticket.status"}],
            "properties": {"current": {"path": "ticket.status", "values": {"resolved": "solved"}}},
        },
        {
            "name": "ticket.rated",
            "action": "survey_answered",
            "when": [{"path": "type", "equals": "ticket.rated"}],
            "score": {"path": "rating", "values": {"good": 5, "bad": 1}},
            "score_kind": "csat",
        },
    ],
}


def sample(now: datetime) -> Sample:
    """A ticket as it is opened."""
    message = {
        "id": f"sample-{now:%Y%m%d%H%M%S}",
        "at": (now - timedelta(seconds=2)).isoformat(),
        "type": "ticket.opened",
        "contact": {"id": "7", "email": "sample@example.com"},
        "ticket": {"id": "12", "subject": "Sample", "text": "A sample ticket"},
    }
    return Sample(orjson.dumps({"items": [message]}).decode())


CONNECTOR = replace(
    declared("", Mapping.model_validate(_SAMPLE)), sample=sample, declared=Declared(declared, problems, failures)
)
