"""What was refused, and what became a dead letter, is told by source and reason: who, how often, since when, why."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import orjson
import pytest
from aiokafka.errors import OutOfOrderSequenceNumber, TopicAuthorizationFailedError

from schemas.base import EPOCH
from schemas.config import Config, KafkaConfig, SecretRef, SourceConfig
from schemas.parking import NotTaken
from schemas.touchpoints import RAW, RawRequest
from services.cli.commands.sources import rows_of
from services.dashboard.aside import refused_of
from services.dashboard.freshness import build_freshness
from services.gateway.app import Gateway
from services.gateway.outlet import Outlet
from streams.connectors.registry import CONNECTORS
from streams.processors.attribute import Attribute
from streams.processors.shell import Record, Stage
from streams.runtime.metrics import Metrics
from streams.runtime.outbox import Output
from streams.runtime.refusal_counts import MAX_CHARS, MAX_KINDS, Tally
from streams.runtime.standings import Standings
from tests.attributing import AsRead
from tests.gateway_kit import MESSAGE, NOW, client, gateway, hubspot_headers
from tests.unit.test_new_connector import Outbox

WEB = SourceConfig(name="web", vendor="segment", secrets=(SecretRef(env="SECRET"),))
BODY = orjson.dumps([{"eventId": 1}])


def known(*told: list[Output]) -> Standings:
    standings = Standings()
    for outputs in told:
        for topic, _, item in outputs:
            assert topic == "sources.standings.v1"
            standings.learn_record(b"[" + item + b"]")
    return standings


async def refused_by(app: Gateway) -> dict[tuple[str, str], NotTaken]:
    found = known(app.not_taken.changed()).not_taken(EPOCH)
    return {(one.source, one.reason): one for one in found}


async def test_a_signature_that_does_not_match_says_which_address_was_checked() -> None:
    app, _ = gateway()
    async with client(app) as http:
        wrong = hubspot_headers(BODY, path="/elsewhere/crm")
        answer = await http.post("/hubspot/crm?key=secret", content=BODY, headers=wrong)
    assert answer.status_code == 401 and "gw.example" not in answer.text, "a stranger learns nothing"
    (one,) = (await refused_by(app)).values()
    assert (one.source, one.reason, one.count, one.since, one.stage) == ("crm", "invalid_signature", 1, NOW, "gateway")
    assert "checked for https://gw.example/hubspot/crm" in one.detail and "secret" not in one.detail


async def test_without_a_public_address_it_says_how_to_set_one() -> None:
    app, _ = gateway()
    source = app.sources.webhook(CONNECTORS["hubspot"], "crm")
    object.__setattr__(source, "config", source.config.model_copy(update={"public_base_url": ""}))
    async with client(app) as http:
        await http.post("/hubspot/crm", content=BODY, headers=hubspot_headers(BODY))
    (one,) = (await refused_by(app)).values()
    assert "set `public_base_url`" in one.detail and "127.0.0.1" in one.detail


async def test_why_a_webhook_was_refused_is_told_apart() -> None:
    app, _ = gateway()
    good = hubspot_headers(BODY)
    stamp = "X-HubSpot-Request-Timestamp".lower()
    now = int({name.lower(): value for name, value in good.items()}[stamp])

    def stamped(value: str) -> dict[str, str]:
        return {name: value if name.lower() == stamp else old for name, old in good.items()}

    async with client(app) as http:
        for headers in ({}, stamped(str(now - 600_000)), stamped(str(now + 900_000)), stamped("yesterday")):
            assert (await http.post("/hubspot/crm", content=BODY, headers=headers)).status_code == 401
        await http.post("/hubspot/crm", content=BODY, headers=hubspot_headers(BODY + b" "))
    found = await refused_by(app)
    counts = {reason: one.count for (source, reason), one in found.items() if source == "crm"}
    assert counts == {"missing_signature": 1, "stale_signature": 3, "invalid_signature": 1}
    assert found["crm", "stale_signature"].detail == "the timestamp is not in milliseconds since 1970: `yesterday`"
    assert "checked for" in found["crm", "invalid_signature"].detail


@pytest.mark.parametrize(("by_ms", "says"), [(-600_000, "600 s old"), (900_000, "900 s ahead of our clock")])
async def test_a_clock_that_is_wrong_says_by_how_much(by_ms: int, says: str) -> None:
    app, _ = gateway()
    headers = {
        name: str(int(NOW.timestamp() * 1000) + by_ms) if "imestamp" in name else value
        for name, value in hubspot_headers(BODY).items()
    }
    async with client(app) as http:
        await http.post("/hubspot/crm", content=BODY, headers=headers)
    (one,) = (await refused_by(app)).values()
    assert one.detail == f"the timestamp is {says}; at most 300 s are taken"


async def test_an_address_that_is_nobodys_says_which_and_whose_it_may_be() -> None:
    app, _ = gateway()
    async with client(app) as http:
        nobodys = await http.post("/hubspot/crm2", content=BODY)
        theirs = await http.post("/hubspot/web", content=BODY)
        await http.post("/v9/track", content=BODY)
        await http.put("/v1/track", content=BODY)
    assert nobodys.text == theirs.text, "a stranger learns nothing"
    found = await refused_by(app)
    assert found["", "unknown_source"].detail == "no source `crm2` is configured"
    assert found["web", "unknown_source"].detail == "source `web` speaks `segment`; it was called as `hubspot`"
    assert found["", "unknown_path"].detail == "no such path: /v9/track"
    assert found["", "method_not_allowed"].detail == "PUT /v1/track: use POST"


async def test_what_is_too_large_is_its_senders_though_nobody_read_it() -> None:
    app, _ = gateway()
    large = b"[" + b" " * 5_000_000 + b"]"
    async with client(app) as http:
        for auth in (("WK", ""), ("nobody's", "")):
            assert (await http.post("/v1/batch", content=large, auth=auth)).status_code == 413
        assert (await http.post("/v1/batch", content=large, headers={"Authorization": "Basic !"})).status_code == 413
        assert (await http.post("/hubspot/crm", content=large)).status_code == 413
    counts = {kind: one.count for kind, one in (await refused_by(app)).items()}
    assert counts == {("web", "too_large"): 1, ("", "too_large"): 2, ("crm", "too_large"): 1}


async def test_a_key_of_another_source_says_whose_protocol_it_is() -> None:
    app, _ = gateway()
    async with client(app) as http:
        answer = await http.post("/v1/touchline", json={"records": []}, auth=("WK", ""))
        unknown = await http.post("/v1/track", json=MESSAGE, auth=("nobody's", ""))
    assert answer.status_code == 401
    for word in ("`web`", "`segment`", "`touchline`"):
        assert word in answer.json()["message"]
    assert unknown.json()["message"] == "invalid write key"
    assert set(await refused_by(app)) == {("web", "invalid_key"), ("", "invalid_key")}


async def test_what_becomes_a_dead_letter_is_counted_too() -> None:
    outbox: Any = Outbox()
    handler = Attribute(
        Stage("attribute", outbox, Metrics(), pytest.fail), AsRead(), tally=Tally("attribute", lambda: NOW)
    )
    body = orjson.dumps({"batch": [{"type": "page", "anonymousId": "a", "timestamp": "jan@acme.example"}] * 2}).decode()
    request = RawRequest(request_id="r", source="web", vendor="segment", received_at=NOW, path="/v1/batch", body=body)
    await asyncio.wait_for(await handler.handle([Record(RAW.dump_json([request]), ("raw", 0, 7))]), 5)
    told = [output for output in outbox.outputs if output[0] == "sources.standings.v1"]
    (one,) = known(told).not_taken(EPOCH)
    assert (one.source, one.stage, one.reason, one.count) == ("web", "attribute", "bad_time", 2)
    assert one.detail == "`timestamp` is not a time: '[email]'"


def test_hosts_are_added_up_and_what_is_over_is_not_told() -> None:
    here, there = Tally("gateway", lambda: NOW), Tally("gateway", lambda: NOW + timedelta(hours=1))
    there._by = "another"
    for tally, count in ((here, 2), (there, 5)):
        tally.note("web", "invalid_key", f"the last of {count}", count)
        tally.note("web", "invalid_key", f"the last of {count}")
    standings = known(here.changed(), there.changed())
    (one,) = standings.not_taken(NOW)
    assert (one.count, one.since, one.last_at, one.detail) == (9, NOW, NOW + timedelta(hours=1), "the last of 5")
    assert standings.not_taken(NOW + timedelta(hours=2)) == []
    assert here.changed() == [], "told once"


def test_a_process_that_begins_anew_counts_anew() -> None:
    first, second = Tally("gateway", lambda: NOW), Tally("gateway", lambda: NOW + timedelta(days=1))
    first.note("web", "invalid_key", "", 40)
    second.note("web", "invalid_key", "")
    (one,) = known(first.changed(), second.changed()).not_taken(EPOCH)
    assert (one.count, one.since) == (1, NOW + timedelta(days=1))


def test_what_is_counted_is_bounded() -> None:
    tally = Tally("gateway", lambda: NOW)
    for number in range(MAX_KINDS + 50):
        tally.note("web", f"reason{number}", "x" * 10_000)
    found = known(tally.changed()).not_taken(EPOCH)
    assert len(found) == MAX_KINDS and all(len(one.detail) <= MAX_CHARS for one in found)


def refusing() -> Standings:
    tally, letters = Tally("gateway", lambda: NOW), Tally("attribute", lambda: NOW)
    tally.note("web", "invalid_key", "this write key is of another source", 12)
    tally.note("", "missing_key", "no key")
    tally.note("", "unknown_path", "no such path")
    letters.note("web", "bad_time", "`timestamp` is not a time", 3)
    return known(tally.changed(), letters.changed())


def test_the_list_of_sources_says_who_was_refused_how_often_why_and_since_when() -> None:
    now = datetime.now(UTC)
    tally = Tally("gateway", lambda: now)
    tally.note("web", "invalid_key", "why", 12)
    tally.note("", "missing_key", "no key")
    web, nobody = rows_of(Config(sources=(WEB,)), known(tally.changed()), {}, {}, {})
    (one,) = cast("list[dict[str, object]]", web["not_taken"])
    assert (one["stage"], one["reason"], one["count"], one["since"], one["last"]) == (
        "gateway", "invalid_key", 12, now, "why",
    )  # fmt: skip
    assert nobody["source"] == "" and cast("list[object]", nobody["not_taken"])


def test_the_page_shows_it_beside_the_source_and_strangers_apart() -> None:
    found = build_freshness([], ["web", "crm"], NOW, refused=refused_of(refusing(), NOW))
    web = next(source for source in found.sources if source.source == "web")
    assert [(one.dead, one.reason, one.count) for one in web.refused] == [
        (False, "invalid_key", 12), (True, "bad_time", 3),
    ]  # fmt: skip
    assert [one.reason for one in found.strangers] == ["missing_key"], "whoever scans the internet is no news"
    assert next(source for source in found.sources if source.source == "crm").refused == ()
    page = refused_of(refusing(), NOW + timedelta(days=2))
    assert page == {}


def test_a_topic_that_may_not_be_written_to_costs_the_gateway_nothing_else() -> None:
    """Known bad beside it: of what stops the producer for good it is made anew, and what waits is answered 503."""
    outlet = Outlet(KafkaConfig(), lambda: pytest.fail("not to be made anew"))
    outlet._on_error(TopicAuthorizationFailedError("sources.standings.v1"))
    assert not outlet._broken.is_set()
    outlet._on_error(OutOfOrderSequenceNumber())
    assert outlet._broken.is_set()
