"""The gateway's answers: exactly what senders expect, and nothing said to be safe that is not."""

from __future__ import annotations

import asyncio
import base64
import gzip
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import httpx
import orjson
import pytest

from schemas.config import Config, SourceConfig
from schemas.errors import ConfigurationError
from services.gateway.bootstrap import build
from services.gateway.routes import Routes
from services.gateway.signatures import Signed
from streams.connectors.crm import hubspot
from streams.connectors.registry import CONNECTORS
from streams.connectors.results import Mapped, Refused
from tests.gateway_kit import (
    MESSAGE,
    NOW,
    REF,
    SECRETS,
    FakeWriter,
    client,
    config,
    gateway,
    hubspot_headers,
    proof,
    zendesk_headers,
)

BODY = orjson.dumps(MESSAGE)
BATCH = orjson.dumps({"batch": [MESSAGE]})
HOOK = b'[{"objectId":5}]'
SEGMENT = ("WK", "")
RUDDER = ("RK", "")


# --- the good ways in --------------------------------------------------------------------------------


CALLS = ("track", "identify", "page", "screen", "group", "alias", "t", "i", "p", "s", "g", "a")


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("call", CALLS)
async def test_segment_calls(call: str, slash: str) -> None:
    app, writer = gateway()
    async with client(app) as http:
        answer = await http.post(f"/v1/{call}{slash}", content=BODY, auth=SEGMENT)
    assert (answer.status_code, answer.content) == (200, b'{"success":true}')
    taken = writer.items[0]
    assert (taken.source, taken.vendor, taken.body, taken.received_at) == ("web", "segment", BODY.decode(), NOW)
    find = Routes(CONNECTORS.values()).find
    assert find(taken.path) is find(f"/v1/{call}")


@pytest.mark.parametrize("call", ["batch", "import", "b"])
@pytest.mark.parametrize(("auth", "expected"), [(SEGMENT, b'{"success":true}'), (RUDDER, b"OK"), (("RK2", ""), b"OK")])
async def test_the_write_key_says_whose_protocol_is_spoken(auth: tuple[str, str], expected: bytes, call: str) -> None:
    app, writer = gateway()
    async with client(app) as http:
        answer = await http.post(f"/v1/{call}", content=BATCH, auth=auth)
    assert (answer.status_code, answer.content) == (200, expected)
    assert len(writer.items) == 1


def basic(text: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}


KEYED: dict[str, tuple[str, bytes, dict[str, str]]] = {
    "basic": ("", BODY, basic("WK:")),
    "basic without colon": ("", BODY, basic("WK")),
    "in the body": ("", orjson.dumps({**MESSAGE, "writeKey": "WK"}), {}),
    "in the body, with a bearer token": (
        "",
        orjson.dumps({**MESSAGE, "writeKey": "WK"}),
        {"Authorization": "Bearer x"},
    ),
    "in the query": ("?writeKey=WK&x=1", BODY, {}),
    "gzip without a header, as text": ("", gzip.compress(BODY), {**basic("WK:"), "Content-Type": "text/plain"}),
    "gzip JSON called a form": (
        "",
        gzip.compress(BODY),
        {**basic("WK:"), "Content-Encoding": "gzip", "Content-Type": "application/x-www-form-urlencoded"},
    ),
}


@pytest.mark.parametrize("name", KEYED)
async def test_every_way_to_carry_key_and_body(name: str) -> None:
    query, body, headers = KEYED[name]
    app, writer = gateway()
    async with client(app) as http:
        answer = await http.post(f"/v1/track{query}", content=body, headers=headers)
    assert answer.status_code == 200
    assert orjson.loads(writer.items[0].body)["messageId"] == "m"
    assert "WK" not in writer.items[0].query


RECORD = b'{"records":[{"kind":"account","id":"51","at":"2026-11-21T10:00:00Z"}]}'


@pytest.mark.parametrize("headers", [{"Authorization": "Bearer OK"}, {"authorization": "bearer  OK"}, basic("OK:")])
@pytest.mark.parametrize("path", ["/v1/touchline", "/v1/touchline/"])
async def test_our_own_dialect_is_taken_from_servers(path: str, headers: dict[str, str]) -> None:
    app, writer = gateway()
    async with client(app) as http:
        answer = await http.post(path, content=RECORD, headers={**headers, "Origin": "https://elsewhere.example"})
        preflight = await http.options(path, headers={"Origin": "https://elsewhere.example"})
    assert (answer.status_code, answer.content) == (200, b'{"success":true}')
    assert (writer.items[0].source, writer.items[0].vendor) == ("operators", "touchline")
    assert (preflight.status_code, preflight.headers["allow"]) == (405, "POST")
    found = [name for name in (*answer.headers, *preflight.headers) if name.startswith("access-control")]
    assert found == [], "no page of another origin may call it"


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/v1/touchline", {}),
        ("/v1/touchline", {"Authorization": "Bearer WK"}),
        ("/v1/touchline", basic("WK:")),
        ("/v1/touchline?writeKey=OK", {}),
        ("/v1/track", basic("OK:")),
        ("/v1/batch?writeKey=OK", {}),
    ],
)
async def test_a_key_opens_its_own_door_only(path: str, headers: dict[str, str]) -> None:
    """A browser's write key is public: it must not be able to import, or to decide who is who."""
    app, writer = gateway()
    async with client(app) as http:
        answer = await http.post(path, content=RECORD, headers=headers)
    assert (answer.status_code, writer.items) == (401, [])


async def test_no_records_are_nothing_to_keep() -> None:
    app, writer = gateway()
    async with client(app) as http:
        for body in (b"[]", b'{"records":[]}'):
            assert (await http.post("/v1/touchline", content=body, headers=basic("OK:"))).status_code == 200
        assert (await http.post("/v1/touchline", content=b"3", headers=basic("OK:"))).status_code == 400
    assert writer.items == []


async def test_beacon_and_pixel() -> None:
    app, writer = gateway()
    async with client(app) as http:
        beacon = await http.post("/beacon/v1/batch?writeKey=RK", content=BATCH, headers={"Content-Type": "text/plain"})
        pixel = await http.get("/pixel/v1/track?writeKey=RK&userId=u&event=Opened%20It")
        unknown = await http.get("/pixel/v1/track?writeKey=nope&userId=u&event=Opened")
    assert (beacon.status_code, beacon.content) == (200, b"OK")
    assert (pixel.status_code, pixel.headers["content-type"]) == (200, "image/gif")
    assert (unknown.status_code, unknown.content) == (401, pixel.content)
    assert writer.items[1].query == "userId=u&event=Opened%20It"
    results = [result for item in writer.items for result in CONNECTORS[item.vendor].read(item)]
    assert [one.touchpoint.vendor_type for one in results if isinstance(one, Mapped)] == ["track:A", "track:Opened It"]


async def test_a_beacon_cut_off_in_the_middle_is_kept_for_the_dead_letters() -> None:
    app, writer = gateway()
    cut = gzip.compress(orjson.dumps({"batch": [MESSAGE] * 50}))[:-20]
    async with client(app) as http:
        beacon = await http.post("/beacon/v1/batch?writeKey=RK", content=cut)
        call = await http.post("/v1/batch", content=cut, auth=RUDDER)
    assert (beacon.status_code, call.status_code, len(writer.items)) == (200, 400, 1)
    assert isinstance(CONNECTORS["rudderstack"].read(writer.items[0])[0], Refused)


async def test_webhooks() -> None:
    app, writer = gateway()
    async with client(app) as http:
        for secret in (b"old", b"new"):
            answer = await http.post("/hubspot/crm", content=HOOK, headers=hubspot_headers(HOOK, secret=secret))
            assert answer.status_code == 200
        answer = await http.post("/zendesk/support/", content=BODY, headers=zendesk_headers(BODY))
    assert (answer.status_code, len(writer.items)) == (200, 3)
    assert [item.source for item in writer.items] == ["crm", "crm", "support"]


async def test_hubspot_without_a_public_url_is_checked_against_our_own_socket() -> None:
    source = SourceConfig(name="crm", vendor="hubspot", secrets=REF)
    app = build(Config(sources=(source,)), secrets={"crm": (b"new",)}, writer=FakeWriter(), clock=lambda: NOW)
    statuses = []
    for base in (b"http://127.0.0.1:8080", b"http://localhost:8080", b"https://elsewhere.example"):
        signed = Signed(b"POST", (base + b"/hubspot/crm?a=1",), {}, HOOK)
        headers = proof(hubspot.SCHEME, b"new", signed, NOW)
        async with client(app) as http:
            answer = await http.post("/hubspot/crm?a=1", content=HOOK, headers={**headers, "Host": "elsewhere.example"})
        statuses.append(answer.status_code)
    assert statuses == [200, 200, 401]


# --- hostile input: the documented status, nothing produced, and the next request is served ---------------


@dataclass(frozen=True)
class Hostile:
    status: int
    content: bytes = BODY
    path: str = "/v1/track"
    method: str = "POST"
    auth: tuple[str, str] | None = SEGMENT
    headers: dict[str, str] = field(default_factory=dict)


DEEP = b"[" * 10_000 + b"]" * 10_000
HOSTILE: dict[str, Hostile] = {
    "unknown key": Hostile(401, auth=("nope", "")),
    "no key": Hostile(401, auth=None),
    "key of a webhook": Hostile(401, auth=("new", "")),
    "key with bytes outside ASCII": Hostile(401, auth=("é", "")),
    "broken Basic": Hostile(401, auth=None, headers={"Authorization": "Basic ***"}),
    "key that is no text": Hostile(401, b'{"writeKey":{"a":1}}', auth=None),
    "malformed JSON": Hostile(400, b'{"userId":'),
    "malformed JSON, RudderStack": Hostile(400, b'{"userId":', auth=RUDDER),
    "empty body": Hostile(400, b""),
    "NUL after the JSON": Hostile(400, BODY + b"\0"),
    "NUL before the JSON": Hostile(400, b"\0" + BODY),
    "NUL behind it": Hostile(400, b'{"userId":"a"}\0'),
    "no text at all": Hostile(400, bytes(range(128, 256))),
    "UTF-16 cut short": Hostile(400, BODY.decode().encode("utf-16")[:-8]),
    "10k nesting": Hostile(400, DEEP),
    "10k nesting inside, cut": Hostile(400, b'{"userId":"u","properties":' + b'{"a":' * 10_000 + b"1" + b"}" * 9_999),
    "a constant that is none": Hostile(400, b'{"userId":Nan}'),
    "a number": Hostile(400, b"1"),
    "a list of numbers": Hostile(400, b"[1,2]"),
    "a form": Hostile(400, b"data=abc"),
    "5 MB": Hostile(413, b'{"a":"' + b"x" * 5_000_000 + b'"}'),
    "100 MB announced": Hostile(413, b"{}", headers={"Content-Length": "100000000"}),
    "zip bomb": Hostile(413, gzip.compress(b'{"a":"' + b"x" * 20_000_000 + b'"}')),
    "zip bomb of bombs": Hostile(400, gzip.compress(gzip.compress(b"x" * 20_000_000))),
    "cut gzip": Hostile(400, gzip.compress(BODY)[:-9]),
    "unknown encoding": Hostile(400, b"xyz", headers={"Content-Encoding": "compress"}),
    "GET": Hostile(405, b"", method="GET"),
    "GET of a webhook": Hostile(405, b"", path="/hubspot/crm", method="GET", auth=None),
    "PUT": Hostile(405, method="PUT"),
    "unknown path": Hostile(404, path="/v2/track"),
    "path with dots": Hostile(404, path="/v1/../../etc/passwd"),
    "double slash": Hostile(404, path="/v1//track"),
    "unknown webhook source": Hostile(404, path="/hubspot/nobody", headers=hubspot_headers(BODY)),
    "webhook of another vendor": Hostile(404, path="/zendesk/crm", headers=zendesk_headers(BODY)),
    "webhook without signature": Hostile(401, path="/hubspot/crm", auth=None),
    "wrong signature": Hostile(401, HOOK + b" ", "/hubspot/crm", headers=hubspot_headers(HOOK)),
    "re-serialised body": Hostile(401, b'[{"objectId": 5}]', "/hubspot/crm", headers=hubspot_headers(HOOK)),
    "another source's secret": Hostile(401, HOOK, "/hubspot/crm", headers=hubspot_headers(HOOK, secret=b"Z")),
    "stale stamp": Hostile(401, HOOK, "/hubspot/crm", headers=hubspot_headers(HOOK, at=NOW - timedelta(seconds=301))),
    "future stamp": Hostile(401, HOOK, "/hubspot/crm", headers=hubspot_headers(HOOK, at=NOW + timedelta(seconds=301))),
    "stale Zendesk stamp": Hostile(
        401, BODY, "/zendesk/support", headers=zendesk_headers(BODY, at=NOW - timedelta(seconds=301))
    ),
    "signed, but no JSON": Hostile(400, b"{", "/zendesk/support", headers=zendesk_headers(b"{")),
    "empty batch, RudderStack": Hostile(400, b'{"batch":[]}', "/v1/batch", auth=RUDDER),
    "no batch, RudderStack": Hostile(400, b"{}", "/v1/batch", auth=RUDDER),
    "nobody, RudderStack": Hostile(400, b'{"event":"A"}', auth=RUDDER),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile(name: str) -> None:
    case = HOSTILE[name]
    app, writer = gateway()
    async with client(app) as http:
        request = http.build_request(case.method, case.path, content=case.content, headers=case.headers)
        answer = await http.send(request, auth=case.auth or httpx.USE_CLIENT_DEFAULT)
        assert (answer.status_code, writer.items) == (case.status, [])
        assert app.intake.in_flight_bytes == 0
        assert (await http.post("/v1/track", content=BODY, auth=SEGMENT)).status_code == 200
    if case.method == "GET":
        assert "POST" in answer.headers["allow"]


async def test_nothing_ever_redirects() -> None:
    app, _ = gateway()
    async with client(app) as http:
        for path in (
            "/v1/track/",
            "/v1/track",
            "/",
            "/v1",
            "/hubspot/crm/",
            "/v1/batch//",
            "/health/",
            "/sourceConfig",
        ):
            for method in ("GET", "POST", "HEAD"):
                assert not 300 <= (await http.request(method, path)).status_code < 400


@pytest.mark.parametrize(
    "body",
    [b'{"userId":"u","event":"A","n":1e400}', b'{"userId":{"a":1},"event":"A"}', b'{"event":"A"}', b'{"batch":[1]}'],
)
async def test_what_parses_is_taken_and_refused_once_by_the_mapping(body: bytes) -> None:
    """Segment's documentation: invalid but parseable events are answered 200. They end as dead letters."""
    app, writer = gateway()
    async with client(app) as http:
        assert (await http.post("/v1/track", content=body, auth=SEGMENT)).status_code == 200
    results = [result for item in writer.items for result in CONNECTORS[item.vendor].read(item)]
    assert [type(result) for result in results] == [Refused]


async def test_error_bodies_do_not_make_sdks_send_again() -> None:
    """JSON with `code` and `message` (rudder-sdk-python fails without them), or plain text."""
    app, _ = gateway()
    async with client(app) as http:
        segment = await http.post("/v1/track", content=b"{", auth=SEGMENT)
        rudder = await http.post("/v1/track", content=b"{", auth=RUDDER)
        nobody = await http.post("/v1/track", content=b"{}", auth=("x", ""))
    assert {"code", "message", "detail"} <= segment.json().keys() and {"code", "message"} <= nobody.json().keys()
    assert rudder.text.startswith("invalid json") and rudder.headers["content-type"].startswith("text/plain")


async def test_an_empty_batch_is_fine_for_segment() -> None:
    app, writer = gateway()
    async with client(app) as http:
        answer = await http.post("/v1/batch", content=b'{"batch":[]}', auth=SEGMENT)
    assert (answer.status_code, writer.items) == (200, [])


# --- Kafka ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("behaviour", ["away", "fail", "hang"])
async def test_without_an_ack_there_is_no_200(behaviour: str) -> None:
    app, writer = gateway(FakeWriter(behaviour), ack_timeout_s=0.05, retry_after_s=7)
    async with client(app) as http:
        answer = await http.post("/v1/track", content=BODY, auth=SEGMENT)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
        assert (await http.get("/healthz")).status_code == 503
        writer.behaviour = "ack"
        assert (await http.post("/v1/track", content=BODY, auth=SEGMENT)).status_code == 200


async def test_the_ack_check_can_fail() -> None:
    """Known bad: a gateway that does not wait for the ack would have answered 200 before it."""
    app, writer = gateway(FakeWriter("hang"), ack_timeout_s=5)
    async with client(app) as http:
        sending = asyncio.create_task(http.post("/v1/track", content=BODY, auth=SEGMENT))
        await asyncio.sleep(0.05)
        assert writer.items and not sending.done()
        writer.waiting[0].set_result((0, 0))
        assert (await sending).status_code == 200


async def test_bytes_count_until_kafka_answers_not_until_the_client_is_answered() -> None:
    app, writer = gateway(FakeWriter("hang"), ack_timeout_s=0.05, max_in_flight_bytes=1 << 20)
    big = orjson.dumps({**MESSAGE, "properties": {"x": "y" * 300_000}})
    async with client(app) as http:
        statuses = [(await http.post("/v1/track", content=big, auth=SEGMENT)).status_code for _ in range(5)]
        assert statuses == [503] * 5
        assert len(writer.items) == 2  # while it is read, a body counts beside its record
        assert 0 < app.intake.in_flight_bytes <= 1 << 20
        for future in writer.waiting:
            future.set_result((0, 0))
        await asyncio.sleep(0)
        writer.behaviour = "ack"
        assert (await http.post("/v1/track", content=big, auth=SEGMENT)).status_code == 200
    await asyncio.sleep(0)
    assert app.intake.in_flight_bytes == 0


async def test_a_fault_of_our_own_is_503(monkeypatch: pytest.MonkeyPatch) -> None:
    app, _ = gateway()

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(app.intake, "store", broken)
    async with client(app) as http:
        assert (await http.post("/v1/track", content=BODY, auth=SEGMENT)).status_code == 503


async def test_received_at_never_goes_back() -> None:
    times = iter([NOW, NOW - timedelta(hours=1), NOW + timedelta(seconds=1)])
    writer = FakeWriter()
    app = build(config(), secrets=SECRETS, writer=writer, clock=lambda: next(times))
    async with client(app) as http:
        for _ in range(3):
            await http.post("/v1/track", content=BODY, auth=SEGMENT)
    assert [item.received_at for item in writer.items] == [NOW, NOW, NOW + timedelta(seconds=1)]


# --- browsers -----------------------------------------------------------------------------------------


async def test_a_preflight_is_answered_before_anyone_asks_for_a_key() -> None:
    app, _ = gateway()
    asked = "anonymousid,authorization,content-type,sentat"
    headers = {"Origin": "https://shop.example", "Access-Control-Request-Headers": asked}
    async with client(app) as http:
        answer = await http.options("/v1/track", headers=headers)
        refused = await http.post("/v1/track", content=b"{", headers=headers)
    assert answer.status_code == 204
    assert "content-length" not in answer.headers and "content-type" not in answer.headers
    assert answer.headers["access-control-allow-headers"] == asked
    for one in (answer, refused):
        assert one.headers["access-control-allow-origin"] == "https://shop.example"
        assert one.headers["access-control-allow-credentials"] == "true"


async def test_settings_of_the_browser_sdks() -> None:
    app, _ = gateway()
    async with client(app) as http:
        segment = await http.get("/v1/projects/WK/settings")
        rudder = await http.get("/sourceConfig/?p=npm&v=3&writeKey=RK")
        by_header = await http.get("/sourceConfig/", auth=RUDDER)
        wrong = [await http.get("/v1/projects/RK/settings"), await http.get("/sourceConfig/?writeKey=WK")]
        telemetry = await http.post("/v1/m", content=b"{}")
    assert segment.json()["integrations"]["Segment.io"]["apiKey"] == "WK"
    assert rudder.json() == by_header.json() and rudder.json()["source"]["enabled"] is True
    assert [answer.status_code for answer in wrong] == [404, 401]
    assert telemetry.status_code == 200


# --- configuration --------------------------------------------------------------------------------------


def test_two_sources_with_one_key_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="`product` and `web`|`web` and `product`"):
        build(config(), secrets={**SECRETS, "product": (b"WK",)}, writer=FakeWriter())


async def test_a_source_may_refuse_keys_in_the_query() -> None:
    source = SourceConfig(name="web", vendor="segment", secrets=REF, allow_query_key=False)
    app = build(Config(sources=(source,)), secrets={"web": (b"WK",)}, writer=FakeWriter())
    async with client(app) as http:
        assert (await http.post("/v1/track?writeKey=WK", content=BODY)).status_code == 401


async def test_health_says_what_the_caller_knows() -> None:
    health: Callable[[], tuple[bool, dict[str, object]]] = lambda: (False, {"kafka": "away"})  # noqa: E731
    app = build(config(), secrets=SECRETS, writer=FakeWriter(), health=health)
    async with client(app) as http:
        answer = await http.get("/health")
    assert answer.status_code == 503 and answer.json()["checks"]["kafka"] == "away"
