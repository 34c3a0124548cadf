"""Calls whose key, body and answer are the protocol's own: PostHog's forms, and what its SDKs load before they send."""

from __future__ import annotations

import base64
import gzip
from urllib.parse import quote, quote_plus

import httpx
import orjson
import pytest

from streams.connectors.registry import CONNECTORS
from streams.connectors.results import Mapped
from tests.gateway_kit import client, gateway

EVENT = {
    "event": "A",
    "uuid": "u-1",
    "timestamp": "2026-11-22T10:00:00Z",
    "properties": {"distinct_id": "u", "q": "a+b"},
}
BATCH = {"api_key": "phc_x", "batch": [EVENT], "sent_at": "2026-11-22T10:00:01Z"}
TEXT = orjson.dumps(BATCH)
OLD = orjson.dumps([{**EVENT, "properties": {**EVENT["properties"], "token": "phc_x"}}])  # type: ignore[dict-item]
PACKED = base64.b64encode(TEXT).decode()
FORM = {"content-type": "application/x-www-form-urlencoded"}

FORMS: dict[str, tuple[str, bytes, dict[str, str]]] = {
    "plain": ("/batch/", TEXT, {}),
    "another path": ("/i/v0/e/?ip=1", TEXT, {}),
    "gzip that no header names": ("/e/", gzip.compress(TEXT), {"content-type": "text/plain"}),
    "gzip that the query names": (
        "/e/?compression=gzip-js&ver=1.2",
        gzip.compress(OLD),
        {"content-type": "text/plain"},
    ),
    "an array, its key in an event": ("/e/", OLD, {}),
    "a single event": ("/capture/", orjson.dumps({**EVENT, "api_key": "phc_x"}), {}),
    "base64 in a form": ("/e/?compression=base64", f"data={quote_plus(PACKED)}".encode(), FORM),
    "base64 whose plus signs stand as they are": ("/e/", f"data={PACKED}&ip=1".encode(), FORM),
    "base64 without padding": ("/e/", f"data={quote_plus(PACKED.rstrip('='))}".encode(), FORM),
    "JSON in a form": ("/e/", f"data={quote(TEXT.decode())}".encode(), FORM),
    "gzip in base64": ("/e/", f"data={quote_plus(base64.b64encode(gzip.compress(TEXT)).decode())}".encode(), FORM),
    "key in the query": ("/e/?token=phc_x", orjson.dumps([EVENT]), {}),
}


@pytest.mark.parametrize("form", FORMS)
async def test_each_form_of_the_first_version_tells_the_same_event(form: str) -> None:
    path, body, headers = FORMS[form]
    app, writer = gateway()
    async with client(app) as http:
        answer = await http.post(path, content=body, headers=headers)
    assert (answer.status_code, answer.json()) == (200, {"status": 1})
    [item] = writer.items
    assert "phc_x" not in item.query
    [result] = CONNECTORS["posthog"].read(item)
    assert isinstance(result, Mapped) and result.touchpoint.vendor_event_id == "u-1"
    told = dict(result.touchpoint.properties)
    told.pop("sent_late_s", None)  # some of these say when they were sent, two hours before they came
    assert told == {"q": "a+b"}


async def test_an_old_browser_may_send_by_get_and_an_empty_get_is_no_success() -> None:
    app, writer = gateway()
    async with client(app) as http:
        good = await http.get(f"/e/?ip=1&data={quote_plus(PACKED)}&compression=base64")
        bad = [await http.get(path) for path in ("/e/", "/e/?token=phc_x", "/batch/?data=")]
    assert good.status_code == 200 and [one.status_code for one in bad] == [400, 400, 400]
    [item] = writer.items
    assert (item.body, item.query) == (TEXT.decode(), "ip=1&compression=base64")


async def test_the_second_version_has_a_key_and_an_answer_of_its_own() -> None:
    body = orjson.dumps({"created_at": "2026-11-22T10:00:01Z", "batch": [{**EVENT, "distinct_id": "u"}]})
    app, writer = gateway()
    async with client(app) as http:
        good = await http.post(
            "/i/v1/analytics/events",
            content=body,
            headers={"authorization": "Bearer phc_x", "posthog-sdk-info": "posthog-python/7.91.1"},
        )
        bad = [
            await http.post("/i/v1/analytics/events", content=body, headers=headers)
            for headers in ({}, {"authorization": "Bearer phc_y"}, {"authorization": "Basic cGhjX3g6"})
        ]
    assert (good.status_code, good.json()) == (200, {"results": {}})
    assert [one.status_code for one in bad] == [401, 401, 401]
    assert [item.headers for item in writer.items] == [{"posthog-sdk-info": "posthog-python/7.91.1"}]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/e/", b"data=%%%", 400),
        ("/e/", b"data=" + b"A" * 5, 400),
        ("/e/", b"data=" + base64.b64encode(b"not json"), 400),
        ("/e/", b"data=" + base64.b64encode(gzip.compress(b" " * 9_000_000)).replace(b"+", b"%2B"), 413),
        ("/e/", b"other=1", 400),
        ("/e/", orjson.dumps([EVENT]), 401),
        ("/e/", orjson.dumps({**BATCH, "api_key": "WK"}), 401),
        ("/e/", orjson.dumps({**BATCH, "api_key": {"a": 1}}), 401),
    ],
)
async def test_what_is_no_event_of_a_known_sender_is_refused(path: str, body: bytes, status: int) -> None:
    app, writer = gateway()
    async with client(app) as http:
        answer = await http.post(path, content=body)
    assert (answer.status_code, writer.items) == (status, [])
    assert answer.json()["code"] and "phc_x" not in answer.text


async def test_another_protocols_key_is_none_of_this_one() -> None:
    app, writer = gateway()
    async with client(app) as http:
        one = await http.post("/v1/track", content=orjson.dumps({"api_key": "WK", "event": "A"}))
        other = await http.post("/v1/track?token=WK", content=b'{"event":"A"}')
    assert (one.status_code, other.status_code, writer.items) == (401, 401, [])


# --- what the SDKs load -----------------------------------------------------------------------------------


async def test_the_configuration_is_told_as_json_and_as_a_script() -> None:
    app, _ = gateway()
    async with client(app) as http:
        told = await http.get("/array/phc_x/config", headers={"Origin": "https://shop.example"})
        script = await http.get("/array/phc_x/config.js")
        unknown = [await http.get(f"/array/nobody/config{end}") for end in ("", ".js")]
        other = await http.get("/array/WK/config")
    assert told.json()["captureDeadClicks"] is True and told.json()["sessionRecording"] is False
    assert told.headers["access-control-allow-origin"] == "https://shop.example"
    assert script.headers["content-type"].startswith("text/javascript")
    assert (
        script.text.partition('["phc_x"]=')[2].rstrip(";")
        == orjson.dumps({"config": told.json(), "siteApps": []}).decode()
    )
    assert [one.status_code for one in (*unknown, other)] == [404, 404, 404]


ASKED = orjson.dumps({"token": "phc_x", "distinct_id": "u"})


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/flags/?v=2", ASKED),
        ("POST", "/flags/?v=2", gzip.compress(ASKED, mtime=0)),
        ("POST", "/decide/?v=3&compression=base64", b"data=" + base64.b64encode(ASKED).replace(b"=", b"%3D")),
        ("GET", "/flags/?token=phc_x", b""),
        ("POST", "/flags/?v=2", orjson.dumps({"api_key": "phc_x"})),
    ],
)
async def test_no_flags_are_told_and_nothing_is_stored(method: str, path: str, body: bytes) -> None:
    app, writer = gateway()
    async with client(app) as http:
        answer = await http.request(method, path, content=body)
        preflight = await http.options(path, headers={"Origin": "https://shop.example"})
    assert answer.status_code == 200 and answer.json()["flags"] == {} and writer.items == []
    assert preflight.status_code == 204 and "POST" in preflight.headers["access-control-allow-methods"]


@pytest.mark.parametrize(
    ("body", "status"), [(b"", 401), (b'{"token":"phc_y"}', 401), (b"{", 400), (b"[1]", 401), (b"data=%%", 400)]
)
async def test_nobody_is_told_nothing(body: bytes, status: int) -> None:
    app, _ = gateway()
    async with client(app) as http:
        answer: httpx.Response = await http.post("/flags/?v=2", content=body)
    assert answer.status_code == status


async def test_recordings_are_answered_and_dropped() -> None:
    app, writer = gateway()
    async with client(app) as http:
        answer = await http.post("/s/?ip=1", content=gzip.compress(b'{"event":"$snapshot"}'))
    assert (answer.status_code, writer.items) == (200, [])
