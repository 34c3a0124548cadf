"""Erasures over HTTP: asked for by operators alone, sent as events, with receipts; and nobody is named anywhere."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest

from schemas.access import Role
from schemas.touchpoints import AttributedTouchpoint, Attribution
from services.common.access import Access, add_token
from services.dashboard.answers import Gateway, ToGateway
from services.dashboard.privacy import Receipts
from streams.connectors.registry import CONNECTORS
from streams.connectors.results import Mapped
from tests.dashboard_fakes import BLUEPRINT, NOW, FakeStore, browser_of
from tests.dashboard_seed import world
from tests.gateway_kit import client as gateway_client
from tests.gateway_kit import gateway
from tests.journeys import touchpoint
from tests.unit.test_access import browser
from tests.unit.test_dashboard_app import app_on
from tests.unit.test_dashboard_questions import Sent

ANN = "ann@acme.example"
ID = str(uuid4())


@pytest.fixture
def store() -> FakeStore:
    return FakeStore(world(BLUEPRINT, NOW, touchpoints=5, days=1))


@pytest.mark.parametrize(
    ("who", "about"),
    [
        (ANN, {"email:ann@acme.example"}),
        ("crm_contact:crm:51", {"crm_contact:crm:51"}),
        ("crm:crm:51", {"crm:crm:51"}),
        ("domain:acme.example", {"domain:acme.example"}),
    ],
)
async def test_a_request_is_an_event_that_replays(store: FakeStore, who: str, about: set[str]) -> None:
    """Through a real gateway application: what it stores asks for the erasure, under the id that was answered."""
    app, writer = gateway()
    async with gateway_client(app) as http:
        page = app_on(store, decide=ToGateway(Gateway(http, "http://127.0.0.1:8080", "operators", b"OK")))
        said = await browser_of(page).post("/api/privacy", json={"who": who, "by": "request 117", "suppress": True})
    assert said.status_code == 202 and who not in said.text
    (result,) = CONNECTORS["touchline"].read(writer.items[0])
    assert isinstance(result, Mapped)
    kept, answer = result.touchpoint, said.json()
    assert kept.event_id == answer["request_id"] and kept.occurred_at == NOW and answer["state"] == "asked"
    assert {*kept.aliases, *kept.account_refs} == about and kept.vendor_type == "erasure"
    assert kept.properties == {"by": "request 117", "suppress": True}


async def test_a_person_is_named_as_the_pages_show_them(store: FakeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    row = next(row for row in store.world.touchpoints if row["person_id"])
    row["person_id"] = person_id = str(uuid4())
    told = touchpoint("t", 0, "form_submitted", aliases=(f"email:{ANN}", "anonymous:a1"))
    attribution = Attribution(account_id=row["account_id"], method="membership", confidence=1.0, person_id=person_id)
    payload = AttributedTouchpoint(touchpoint=told, attribution=attribution).encoded().decode()

    async def stored(event_id: str) -> dict[str, object] | None:
        return {"payload": payload} if event_id == row["event_id"] else None

    monkeypatch.setattr(store, "touchpoint", stored)
    sent = Sent()
    client = browser_of(app_on(store, decide=sent))
    said = await client.post("/api/privacy", json={"who": person_id, "by": "request 117"})
    assert (said.status_code, [record["who"] for record in sent.records]) == (202, [f"email:{ANN}"])
    assert ANN not in said.text
    nobody = await client.post("/api/privacy", json={"who": str(uuid4()), "by": "request 118"})
    assert (nobody.status_code, nobody.json()["error"]["field"], len(sent.records)) == (400, "who", 1)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"who": ANN}, "by"),
        ({"who": ANN, "by": "x" * 81}, "by"),
        ({"who": f"{ANN} and more, nobody:", "by": "x", "more": 1}, "body"),
        ({"who": "Ann Smit", "by": "x"}, "who"),
        ({"who": "crm: ", "by": "x"}, "who"),
        ({"who": ANN, "by": "x", "suppress": "yes"}, "suppress"),
        ([ANN], "body"),
        (ANN, "body"),
    ],
)
async def test_a_wrong_request_asks_nothing_and_repeats_nobody(
    store: FakeStore, body: Any, field: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    sent = Sent()
    answer = await browser_of(app_on(store, decide=sent)).post("/api/privacy", content=orjson.dumps(body))
    assert (answer.status_code, answer.json()["error"]["field"], sent.records) == (400, field, [])
    for said in (answer.text, caplog.text):
        assert "ann@" not in said and "Ann Smit" not in said


@pytest.mark.parametrize(
    ("seen", "has_receipt", "state"),
    [
        ({"asked": True, "noted": False}, False, "asked"),
        ({"asked": True, "noted": True}, False, "under way"),
        ({"asked": False, "noted": True}, False, "erased"),
        ({"asked": False, "noted": True}, True, "erased"),
        ({"asked": False, "noted": False}, True, "erased"),
    ],
)
async def test_how_far_it_is(
    store: FakeStore, tmp_path: Path, seen: dict[str, bool], state: str, *, has_receipt: bool
) -> None:
    store.world.erasures[ID] = seen
    receipts = tmp_path / "privacy" / "receipts"
    receipts.mkdir(parents=True)
    if has_receipt:
        (receipts / f"{ID}.json").write_bytes(orjson.dumps({"erasure_id": ID, "erased": {"touchpoints": 4}}))
    client = browser_of(app_on(store, receipts=Receipts(tmp_path)))
    found = (await client.get(f"/api/privacy/{ID}")).json()
    assert (found["state"], found["receipt"] is not None) == (state, has_receipt)
    for unknown in (str(uuid4()), "..%2Fledger", "x"):
        assert (await client.get(f"/api/privacy/{unknown}")).status_code == 404


@pytest.mark.parametrize(("role", "statuses"), [("viewer", (403, 403)), ("operator", (202, 200))])
async def test_only_operators_ask_and_look_and_the_audit_names_nobody(
    store: FakeStore, tmp_path: Path, caplog: pytest.LogCaptureFixture, role: Role, statuses: tuple[int, int]
) -> None:
    caplog.set_level(logging.INFO, "touchline.audit")
    store.world.erasures[ID] = {"asked": True, "noted": False}
    file = tmp_path / "access.json"
    token = add_token(file, "Olaf", role, NOW)
    client = browser(app_on(store, decide=Sent(), access=Access(file)), token)
    asked = await client.post("/api/privacy", json={"who": ANN, "by": "request 117"})
    assert (asked.status_code, (await client.get(f"/api/privacy/{ID}")).status_code) == statuses
    told = [record for record in caplog.records if record.message == "an erasure was asked for"]
    assert len(told) == (role == "operator") and ANN not in str([record.__dict__ for record in caplog.records])


async def test_a_page_of_somebody_else_asks_nothing(store: FakeStore, tmp_path: Path) -> None:
    sent = Sent()
    client = browser_of(app_on(store, decide=sent))
    headers = {"origin": "https://evil.example"}
    answer = await client.post("/api/privacy", json={"who": ANN, "by": "x"}, headers=headers)
    assert answer.status_code == 403 and sent.records == []
