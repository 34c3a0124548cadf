"""A vendor that nothing in Touchline has heard of: one value is all it takes, from HTTP to a touchpoint."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson
import pytest

from schemas.config import Config, SourceConfig
from schemas.errors import UnmappableEvent
from schemas.facts import FACTS, IgnoredFact
from schemas.touchpoints import CLEAN, DEAD, RAW, CleanTouchpoint, RawRequest
from services.gateway.app import Gateway
from services.gateway.bootstrap import build
from services.gateway.samples import Outgoing, Sender, sample_of
from services.gateway.signatures import Signed, prove
from streams.connectors import reading
from streams.connectors.results import Ignored, Message
from streams.connectors.schemes import Basic, Hmac, Scheme, Token
from streams.connectors.spec import Connector, Docs, Sample, Scope
from streams.connectors.ways import JSON, Answers, Call, Handshake, Keyed, Reply, Webhook, Where
from streams.processors.attribute import Attribute
from streams.processors.mapper import Mapper
from streams.processors.shell import Record, Stage
from streams.runtime.metrics import Metrics
from streams.runtime.outbox import Output
from tests.attributing import AsRead
from tests.gateway_kit import NOW, REF, FakeWriter, client

SECRET = b"s3cret"


def touchpoint(message: Message, envelope: Message, request: RawRequest) -> CleanTouchpoint | Ignored:
    """An order of a shop; the topic stands in a header, as several vendors do it."""
    if request.headers.get("x-shop-topic", "") == "ping" or message.get("kind") == "ping":
        return Ignored("ping")
    occurred_at = reading.stamp(message.get("at"), "at")
    number = reading.ident(message, "number")
    if not number:
        raise UnmappableEvent("`number` is missing", "missing_field")
    return CleanTouchpoint(
        event_id=reading.event_id(request.source, number),
        source=request.source,
        vendor=request.vendor,
        vendor_type=request.headers.get("x-shop-topic", "order"),
        vendor_event_id=number,
        action="custom",
        occurred_at=occurred_at,
        received_at=request.received_at,
        aliases=(f"email:{message['email']}",),
    )


ORDER = {"number": "A-1", "at": "2026-11-22T11:00:00Z", "email": "ann@acme.example"}


SUBSCRIBES: tuple[tuple[Where, str], ...] = ((("query", "mode"), "subscribe"),)


def shop(scheme: Scheme | None = None, **changes: Any) -> Connector:
    webhook = Webhook(
        scheme or Hmac(b"x-shop-hmac", encoding="hex", prefix=b"sha256="),
        handshakes=(
            Handshake(methods=("HEAD",), signed=False),
            Handshake(
                ("GET",), SUBSCRIBES, ("query", "challenge"), signed=False, token=("query", "token")
            ),
            Handshake(when=((("body", "type"), "verify"),), echo=("body", "data.challenge"), reply_field="challenge"),
        ),
    )  # fmt: skip
    made = Connector(
        name="invented_shop",
        versions=("v1",),
        ways_in=(webhook,),
        keep_headers=("x-shop-topic", "x-shop-delivery"),
        map=touchpoint,
        feeds=("event",),
        ids=Scope(),
        answers=Answers(ok=Reply(b'{"received":true}', JSON)),
        docs=Docs("An invented shop", ("Nothing.",)),
        sample=lambda now: Sample(orjson.dumps(ORDER).decode(), headers=(("x-shop-topic", "orders/create"),)),
    )
    return replace(made, **changes) if changes else made


def gateway_of(connector: Connector) -> tuple[Gateway, FakeWriter]:
    source = SourceConfig(name="till", vendor=connector.name, secrets=REF)
    writer = FakeWriter()
    connectors = {connector.name: connector}
    app = build(
        Config(sources=(source,)), secrets={"till": (SECRET,)}, writer=writer, clock=lambda: NOW, connectors=connectors
    )
    return app, writer


async def sent(app: Gateway, request: Outgoing) -> httpx.Response:
    async with client(app) as http:
        return await http.request(request.method, request.path, content=request.body, headers=request.headers)


def signed(connector: Connector, body: bytes, **headers: str) -> Outgoing:
    assert connector.webhook is not None
    proof = prove(connector.webhook.scheme, SECRET, Signed(b"POST", (b"",), {}, body), NOW)
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return Outgoing("POST", "/invented_shop/till", "", told | {n.decode(): v.decode() for n, v in proof.items()}, body)


@dataclass
class Outbox:
    outputs: list[Output] = field(default_factory=list)

    def put(self, outputs: Sequence[Output]) -> list[None]:
        self.outputs += outputs
        return [None for _ in outputs]

    async def acked(self, outputs: Sequence[Output], put: list[None]) -> None:
        return None

    async def deliver(self, outputs: Sequence[Output]) -> None:
        self.put(outputs)


def read_of(outputs: list[Output]) -> list[CleanTouchpoint]:
    """The touchpoints among outputs."""
    values = [value for topic, _, value in outputs if topic == "touchpoints.attributed.v1"]
    return [CleanTouchpoint.decoded(value) for value in values]


async def normalised(connector: Connector, requests: list[RawRequest]) -> tuple[list[Output], Metrics]:
    """What the processor makes of requests as they stand in Kafka."""
    outbox: Any = Outbox()
    metrics = Metrics()
    stage = Stage("attribute", outbox, metrics, pytest.fail)
    handler = Attribute(stage, AsRead(), Mapper(connectors={connector.name: connector}))
    record = Record(RAW.dump_json(requests), ("touchpoints.raw.v1", 0, 7))
    await asyncio.wait_for(await handler.handle([record]), 5)
    return outbox.outputs, metrics


SCHEMES: list[Scheme] = [Hmac(b"x-shop-hmac"), Token(b"x-shop-token"), Token(b"authorization", b"Bearer "), Basic()]


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: type(scheme).__name__)
async def test_from_http_to_a_touchpoint(scheme: Scheme) -> None:
    connector = shop(scheme)
    app, writer = gateway_of(connector)
    good = sample_of(connector, Sender("till", SECRET, ""), NOW)
    answer = await sent(app, good)
    assert (answer.status_code, answer.content) == (200, b'{"received":true}')
    assert (await sent(app, replace(good, headers={}))).status_code == 401
    (raw,) = writer.items
    assert (raw.method, raw.content_type, raw.headers) == (
        "POST", "application/json", {"x-shop-topic": "orders/create"},
    )  # fmt: skip
    outputs, _ = await normalised(connector, writer.items)
    ((topic, _, value),) = outputs
    (clean,) = CLEAN.validate_json(b"[" + value + b"]")
    assert topic == "touchpoints.attributed.v1"
    assert (clean.vendor, clean.vendor_type, clean.source) == ("invented_shop", "orders/create", "till")


async def test_what_concerns_no_customer_is_counted_and_nothing_else() -> None:
    connector = shop()
    app, writer = gateway_of(connector)
    for body, topic in ((ORDER, "ping"), (ORDER, "orders/create"), ({"at": "2026-11-22"}, "orders/create")):
        assert (await sent(app, signed(connector, orjson.dumps(body), x_shop_topic=topic))).status_code == 200
    outputs, metrics = await normalised(connector, writer.items)
    assert [topic for topic, _, _ in outputs if topic != "journey.facts.v1"] == [
        "touchpoints.attributed.v1", "touchpoints.dead.v1",
    ]  # fmt: skip
    assert 'touchline_ignored_total{reason="ping",source="till"} 1.0' in metrics.render().decode()
    (ignored,) = [value for topic, _, value in outputs if topic == "journey.facts.v1"]
    (fact,) = FACTS.validate_json(b"[" + ignored + b"]")
    assert isinstance(fact, IgnoredFact)
    assert (fact.request_id, fact.source, fact.messages) == (writer.items[0].request_id, "till", 1)
    again, _ = await normalised(connector, writer.items)
    assert ignored in [value for _, _, value in again], "a replay says the same, and the store keeps it once"
    (dead,) = [value for topic, _, value in outputs if topic == "touchpoints.dead.v1"]
    assert DEAD.validate_json(b"[" + dead + b"]")[0].reason == "missing_field"


async def test_a_message_may_tell_of_two_things() -> None:
    """Each an event of its own; none at all would be lost in silence and is a mistake of the mapping's."""

    def both(message: Message, envelope: Message, request: RawRequest) -> tuple[CleanTouchpoint, ...]:
        first = touchpoint(message, envelope, request)
        assert isinstance(first, CleanTouchpoint)
        second = f"{first.vendor_event_id}#paid"
        again = first.changed(event_id=reading.event_id(request.source, second), vendor_event_id=second)
        return () if message["number"] == "none" else (first, again)

    connector = shop(map=both)
    app, writer = gateway_of(connector)
    body = [ORDER, {**ORDER, "number": "none"}, {**ORDER, "number": "A-2"}]
    assert (await sent(app, signed(connector, orjson.dumps(body)))).status_code == 200
    outputs, _ = await normalised(connector, writer.items)
    told = read_of(outputs)
    assert [one.vendor_event_id for one in told] == ["A-1", "A-1#paid", "A-2", "A-2#paid"]
    assert len({one.event_id for one in told}) == 4
    (dead,) = [DEAD.validate_json(b"[" + value + b"]")[0] for topic, _, value in outputs if topic.endswith("dead.v1")]
    assert (dead.reason, orjson.loads(dead.original)["number"]) == ("mapping_failed", "none")


@pytest.mark.parametrize("reason", ["", "Ping", "ping pong", "order 17", "p" * 41, "ping\n"])
def test_a_reason_is_a_word(reason: str) -> None:
    """It is a label of a metric: what a sender wrote must not become one."""
    with pytest.raises(ValueError, match="a reason is a word"):
        Ignored(reason)


# --- handshakes -----------------------------------------------------------------------------------------


async def test_a_head_is_answered_and_nothing_is_stored() -> None:
    app, writer = gateway_of(shop())
    async with client(app) as http:
        known = await http.head("/invented_shop/till")
        unknown = await http.head("/invented_shop/elsewhere")
    assert (known.status_code, unknown.status_code, writer.items) == (200, 404, [])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("mode=subscribe&challenge=x%3Cb%3E&token=s3cret", (200, "x<b>")),
        ("mode=subscribe&challenge=x&token=wrong", (401, None)),
        ("mode=subscribe&challenge=x", (401, None)),
        ("mode=other&challenge=x&token=s3cret", (401, None)),
        ("", (401, None)),
    ],
)
async def test_a_challenge_in_the_query_is_sent_back_to_who_knows_the_secret(
    query: str, expected: tuple[int, str | None]
) -> None:
    app, writer = gateway_of(shop())
    async with client(app) as http:
        answer = await http.get(f"/invented_shop/till?{query}")
    assert answer.status_code == expected[0] and writer.items == []
    if expected[1] is not None:
        assert answer.text == expected[1]
        assert answer.headers["content-type"].startswith("text/plain")
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_challenge_in_the_body_is_answered_after_the_signature_alone() -> None:
    connector = shop()
    app, writer = gateway_of(connector)
    body = b'{"type":"verify","data":{"challenge":"abc"}}'
    good = signed(connector, body)
    answer = await sent(app, good)
    assert (answer.status_code, answer.json()) == (200, {"challenge": "abc"})
    assert (await sent(app, replace(good, headers={}))).status_code == 401
    assert writer.items == []
    assert (await sent(app, signed(connector, orjson.dumps({**ORDER, "type": "order"})))).status_code == 200
    assert len(writer.items) == 1


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ({"when": ((("body", "type"), "verify"),), "signed": False}, "must be signed"),
        ({"methods": ("GET",), "echo": ("body", "challenge"), "signed": False}, "must be signed"),
        ({}, "needs `when`"),
    ],
)
def test_a_handshake_that_would_open_a_hole_is_refused(parts: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Handshake(**parts)


# --- bodies that are not JSON -----------------------------------------------------------------------------

XML = b"""<?xml version="1.0" encoding="UTF-8"?>
<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns="http://shop.example/2026"><s:Body><orders>
<order><number>A-1</number><at>2026-11-22T11:00:00Z</at><email>ann@acme.example</email></order>
<order><number>A-2</number><at>2026-11-22T11:00:00Z</at><email>bob@acme.example</email></order>
<order><kind>ping</kind></order></orders></s:Body></s:Envelope>"""
FORM = b"number=A-1&at=2026-11-22T11%3A00%3A00Z&email=ann%40acme.example"


@pytest.mark.parametrize(
    ("content", "batch_key", "body", "numbers"),
    [
        ("xml", "Envelope.Body.orders.order", XML, ["A-1", "A-2"]),
        ("form", "", FORM, ["A-1"]),
        ("json", "orders", orjson.dumps({"orders": [ORDER, {**ORDER, "number": "A-2"}]}), ["A-1", "A-2"]),
    ],
)
async def test_other_bodies_reach_the_same_mapping(
    content: Any, batch_key: str, body: bytes, numbers: list[str]
) -> None:
    scheme = Hmac(b"x-shop-hmac")
    connector = shop(ways_in=(Webhook(scheme, content=content),), batch_key=batch_key)
    app, writer = gateway_of(connector)
    assert (await sent(app, signed(connector, body))).status_code == 200
    assert writer.items[0].body == body.decode(), "what came in is kept as it came"
    outputs, _ = await normalised(connector, writer.items)
    found = read_of(outputs)
    assert [one.vendor_event_id for one in found] == numbers


BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>'
FILE = b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>'


@pytest.mark.parametrize(
    "body", [BOMB, FILE, b"<a>" * 70 + b"</a>" * 70, b"<a>", b"", b"{}", b"<a/><b/>", b"<a>\x00</a>"]
)
async def test_xml_that_is_none_or_a_trick_is_refused(body: bytes) -> None:
    connector = shop(ways_in=(Webhook(Hmac(b"x-shop-hmac"), content="xml"),))
    app, writer = gateway_of(connector)
    assert (await sent(app, signed(connector, body))).status_code == 400
    assert writer.items == []


async def test_a_pixel_of_a_keyed_protocol() -> None:
    keyed = Keyed((Call("/shop.gif", ("GET",), content="query", keys=("query",)),))
    connector = shop(ways_in=(keyed,))
    app, writer = gateway_of(connector)
    async with client(app) as http:
        good = await http.get("/shop.gif?writeKey=s3cret&number=A-1&at=2026-11-22T11:00:00Z&email=ann@acme.example")
        bad = await http.get("/shop.gif?writeKey=nope&number=A-1")
    assert (good.status_code, bad.status_code) == (200, 401)
    outputs, _ = await normalised(connector, writer.items)
    assert [topic for topic, _, _ in outputs] == ["touchpoints.attributed.v1"]
    assert "s3cret" not in writer.items[0].encoded().decode()


# --- what was written before is still read --------------------------------------------------------------------


async def test_a_record_without_the_newer_fields_is_read_as_before() -> None:
    old = (
        b'[{"request_id":"r","source":"till","vendor":"invented_shop","received_at":"2026-11-22T12:00:00Z",'
        b'"path":"/invented_shop/till","query":"","body":"{\\"number\\":\\"A-1\\",\\"at\\":\\"2026-11-22\\",'
        b'\\"email\\":\\"ann@acme.example\\"}"}]'
    )
    (request,) = RAW.validate_json(old)
    assert (request.method, request.content_type, request.headers) == ("", "", {})
    outputs, _ = await normalised(shop(), [request])
    assert [topic for topic, _, _ in outputs] == ["touchpoints.attributed.v1"]


async def test_headers_that_are_kept_are_bounded() -> None:
    connector = shop()
    app, writer = gateway_of(connector)
    request = signed(connector, orjson.dumps(ORDER), x_shop_topic="t" * 5_000, content_type="c" * 5_000, x_other="x")
    assert (await sent(app, request)).status_code == 200
    assert len(writer.items[0].headers["x-shop-topic"]) == len(writer.items[0].content_type) == 1_024
    assert "x-other" not in writer.items[0].headers and "x-shop-hmac" not in writer.items[0].headers
    assert writer.items[0].received_at == NOW == datetime(2026, 11, 22, 12, tzinfo=UTC)
