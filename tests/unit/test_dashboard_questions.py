"""Who is who: questions asked, answers sent as events, and nobody else's page able to give them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx
import orjson
import pytest

from schemas.config import Config, SecretRef, SourceConfig
from schemas.errors import ConfigurationError
from services.dashboard.answers import Gateway, GatewayAway, Given, ToGateway, not_configured
from services.dashboard.main import decide_with, gateway_of
from streams.connectors.registry import CONNECTORS
from streams.connectors.results import Mapped
from tests.dashboard_fakes import BLUEPRINT, HOSTILE, NOW, FakeStore, browser_of
from tests.dashboard_seed import correction, proposal, world
from tests.gateway_kit import client as gateway_client
from tests.gateway_kit import gateway
from tests.unit.test_dashboard_app import app_on

OWN = {"origin": "http://127.0.0.1:8090"}
HOUR = timedelta(hours=1)


@pytest.fixture
def store() -> FakeStore:
    found = FakeStore(world(BLUEPRINT, NOW, touchpoints=60, days=2))
    found.world.proposals = [
        proposal("p1", "crm_contact:51", "crm_contact:52", NOW - HOUR),
        proposal("p2", "email:ann@acme.com", "crm:0001", NOW - 2 * HOUR),
        proposal("p3", "user:a", "user:b", NOW - 3 * HOUR, status="rejected", by="Bo", decided_at=NOW),
    ]
    return found


class Sent:
    """Takes decisions as the gateway does."""

    def __init__(self, problem: Exception | None = None) -> None:
        self.records: list[Mapping[str, Any]] = []
        self.problem = problem

    async def __call__(self, record: Mapping[str, Any]) -> str:
        if self.problem:
            raise self.problem
        self.records.append(record)
        return f"event-{len(self.records)}"


async def test_questions_are_listed_newest_first_and_page_by_page(store: FakeStore) -> None:
    client = browser_of(app_on(store))
    found = (await client.get("/api/proposals")).json()
    assert [each["proposal_id"] for each in found["proposals"]] == ["p1", "p2"]
    assert (found["open"], found["next_cursor"]) == (2, None)
    first = (await client.get("/api/proposals?status=&limit=2")).json()
    second = (await client.get(f"/api/proposals?status=&limit=2&cursor={first['next_cursor']}")).json()
    assert [each["proposal_id"] for each in first["proposals"] + second["proposals"]] == ["p1", "p2", "p3"]
    assert second["proposals"][0]["decided_at"] and first["proposals"][0]["decided_at"] is None
    assert (await client.get("/api/proposals?status=perhaps")).json()["error"]["field"] == "status"


@pytest.mark.parametrize(
    ("proposal_id", "answer", "verdict", "about"),
    [
        ("p1", "accept", "link", {"a": "crm_contact:51", "b": "crm_contact:52"}),
        ("p1", "reject", "unlink", {"a": "crm_contact:51", "b": "crm_contact:52"}),
        ("p2", "accept", "belongs", {"a": "email:ann@acme.com", "account": "crm:0001"}),
        ("p2", "reject", "not_belongs", {"a": "email:ann@acme.com", "account": "crm:0001"}),
        ("p3", "accept", "link", {"a": "user:a", "b": "user:b"}),
    ],
)
async def test_an_answer_is_a_decision_that_replays(
    store: FakeStore, proposal_id: str, answer: str, verdict: str, about: dict[str, str]
) -> None:
    """Through a real gateway application: what it stores maps to the decision, with the id that was answered."""
    app, writer = gateway()
    async with gateway_client(app) as http:
        page = app_on(store, decide=ToGateway(Gateway(http, "http://127.0.0.1:8080", "operators", b"OK")))
        said = await browser_of(page).post(f"/api/proposals/{proposal_id}", json={"answer": answer, "by": "Bo"})
    assert said.status_code == 202
    assert said.json() | {"event_id": ""} == {
        "proposal_id": proposal_id,
        "answer": answer,
        "verdict": verdict,
        "by": "Bo",
        "event_id": "",
    }
    (result,) = CONNECTORS["touchline"].read(writer.items[0])
    assert isinstance(result, Mapped) and result.touchpoint.event_id == said.json()["event_id"]
    kept = result.touchpoint
    assert kept.action == "decision" and kept.occurred_at == NOW
    assert kept.properties == {"verdict": verdict, "by": "Bo", "proposal": proposal_id}
    assert {*kept.aliases, *kept.account_refs} == {*about.values()}


@pytest.mark.parametrize(
    ("path", "body", "status", "field"),
    [
        ("p1", {"answer": "maybe", "by": "Bo"}, 400, "answer"),
        ("p1", {"answer": "accept"}, 400, "by"),
        ("p1", {"answer": "accept", "by": " "}, 400, "by"),
        ("p1", {"answer": "accept", "by": "x" * 81}, 400, "by"),
        ("p1", ["accept"], 400, "body"),
        ("p1", {"answer": "accept", "by": "x" * 5_000}, 400, "body"),
        ("none", {"answer": "accept", "by": "Bo"}, 404, None),
    ],
)
async def test_a_wrong_answer_decides_nothing(
    store: FakeStore, path: str, body: Any, status: int, field: str | None
) -> None:
    sent = Sent()
    answer = await browser_of(app_on(store, decide=sent)).post(f"/api/proposals/{path}", content=orjson.dumps(body))
    assert (answer.status_code, answer.json()["error"].get("field"), sent.records) == (status, field, [])


async def test_an_answer_that_is_not_safe_is_not_given(store: FakeStore) -> None:
    for problem, status in ((GatewayAway("away"), 503), (ConfigurationError("no source"), 501)):
        client = browser_of(app_on(store, decide=Sent(problem)))
        answer = await client.post("/api/proposals/p1", json={"answer": "accept", "by": "Bo"})
        assert (answer.status_code, str(problem) in answer.json()["error"]["message"]) == (status, True)
        assert (await client.get("/api/proposals")).json()["proposals"][0]["answer"] == ""


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (OWN, 202),
        ({"sec-fetch-site": "same-origin"}, 202),
        ({}, 202),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "http://127.0.0.1:8091"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://["}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
    ],
)
async def test_only_our_own_page_and_programs_may_answer(
    store: FakeStore, headers: dict[str, str], status: int
) -> None:
    sent = Sent()
    client = browser_of(app_on(store, decide=sent))
    answer = await client.post("/api/proposals/p1", json={"answer": "accept", "by": "Bo"}, headers=headers)
    assert (answer.status_code, len(sent.records)) == (status, int(status == 202))


async def test_an_open_address_wants_the_token_for_answers_too(store: FakeStore) -> None:
    sent = Sent()
    client = browser_of(app_on(store, decide=sent, host="0.0.0.0", token=b"t"))
    body = {"answer": "accept", "by": "Bo"}
    assert (await client.post("/api/proposals/p1?token=t", json=body)).status_code == 401
    given = await client.post("/api/proposals/p1", json=body, headers={"authorization": "Bearer t"})
    assert (given.status_code, len(sent.records)) == (202, 1)


async def test_the_page_asks_and_its_form_works_without_javascript(store: FakeStore) -> None:
    sent = Sent()
    client = browser_of(app_on(store, decide=sent))
    page = (await client.get("/sources")).text
    assert "Who is who: 2 questions" in page and "crm_contact:52" in page and "user:a" not in page
    fields = {"answer": "accept p1", "by": "Bo"}
    back = await client.post("/proposals", data=fields, headers=OWN)
    assert (back.status_code, back.headers["location"], len(sent.records)) == (303, "/sources#questions", 1)
    assert (await client.get("/sources")).text.count("on its way") == 1, "though a page was computed just before"
    part = await client.post("/proposals?part=1", data=fields | {"answer": "reject p2"}, headers=OWN)
    assert part.status_code == 200 and part.text.startswith('<section id="questions"')
    assert part.text.count("on its way") == 2 and "<button" not in part.text


async def test_the_form_says_what_went_wrong(store: FakeStore) -> None:
    client = browser_of(app_on(store, decide=Sent(GatewayAway("the gateway does not answer"))))
    fields = {"answer": "accept p1", "by": "Bo"}
    part = await client.post("/proposals?part=1", data=fields, headers=OWN)
    assert part.status_code == 503 and 'role="alert">the gateway does not answer' in part.text
    whole = await client.post("/proposals", data=fields, headers=OWN | {"accept": "text/html"})
    assert whole.status_code == 503 and "The gateway does not answer." in whole.text


async def test_without_questions_there_is_nothing_to_see_and_names_are_escaped(store: FakeStore) -> None:
    store.world.proposals = []
    page = (await browser_of(app_on(store)).get("/sources")).text
    assert '<section id="questions" aria-labelledby="questions-title" hidden>' in page
    store.world.proposals = [proposal("p9", f"email:{HOSTILE}", HOSTILE, NOW, reason=HOSTILE)]
    assert HOSTILE not in (await browser_of(app_on(store)).get("/sources")).text


def test_an_answer_on_its_way_is_forgotten_in_time() -> None:
    now_s = 0.0
    given = Given(lambda: now_s)
    given.note("p1", "accept")
    now_s = 119.0
    assert given.to("p1") == "accept"
    now_s = 121.0
    assert given.to("p1") == given.to("p2") == ""


@pytest.mark.parametrize(("status", "error"), [(401, ConfigurationError), (503, GatewayAway), (400, GatewayAway)])
async def test_what_the_gateway_refuses_is_not_decided(status: int, error: type[Exception]) -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(status))
    async with httpx.AsyncClient(transport=transport) as http:
        send = ToGateway(Gateway(http, "http://gw", "operators", b"k"))
        with pytest.raises(error):
            await send(
                {"kind": "decision", "verdict": "link", "a": "user:a", "b": "user:b", "by": "x", "at": "2026-01-01"}
            )


async def test_who_answers_are_sent_as(tmp_path: Any) -> None:
    async with httpx.AsyncClient() as http:
        assert decide_with(gateway_of(Config(), http)) is not_configured
        secret = tmp_path / "operators"
        source = SourceConfig(name="operators", vendor="touchline", secrets=(SecretRef(file=str(secret)),))
        assert decide_with(gateway_of(Config(sources=(source,)), http)) is not_configured
        secret.write_text("k\n")
        secret.chmod(0o600)
        assert isinstance(decide_with(gateway_of(Config(sources=(source,)), http)), ToGateway)


async def test_method_confidence_and_corrections_stand_on_the_page(store: FakeStore) -> None:
    account_id = store.world.accounts[0]["account_id"]
    row = next(each for each in store.world.touchpoints if each["account_id"] == account_id)
    row |= {"account_method": "email_domain", "account_confidence": 0.9}
    store.world.corrections = [
        correction(account_id, NOW - HOUR, "user:a and user:b are the same person", touchpoints_changed=3),
        correction(account_id, NOW, "blueprint 3 to 4"),
        correction("crm:other", NOW, "elsewhere"),
    ]
    client = browser_of(app_on(store))
    found = (await client.get(f"/api/accounts/{account_id}")).json()
    assert [each["cause"] for each in found["corrections"]] == [
        "blueprint 3 to 4",
        "user:a and user:b are the same person",
    ]
    text = (await client.get(f"/accounts/{account_id}?part=1")).text
    assert "only this account has the domain of the person&#39;s e-mail address, 90% sure" in text
    assert "are the same person</strong>: 3 touchpoints changed" in text and "elsewhere" not in text
    signals = (await client.get("/api/signals")).json()["signals"]
    assert {each["method"] for each in signals} <= {"crm_contact", "email_domain"} and signals[0]["confidence"]


async def test_accounts_known_by_domain_only_are_provisional_and_records_are_no_visitors(store: FakeStore) -> None:
    known, visitor, nobody = store.world.accounts[:3]
    known |= {"account_id": "domain:new.com", "name": "", "last_seen_at": NOW}
    visitor |= {"account_id": "anon:v1", "name": "", "last_seen_at": NOW}
    nobody |= {"account_id": "anon:owner", "name": "", "on_map_touchpoints": 0, "last_seen_at": NOW}
    client = browser_of(app_on(store))
    accounts = (await client.get("/api/accounts?identified=1")).json()["accounts"]
    assert [each["account_id"] for each in accounts if each["provisional"]] == ["domain:new.com"]
    visitors = [each["account_id"] for each in (await client.get("/api/accounts?identified=0")).json()["accounts"]]
    assert "anon:v1" in visitors and "anon:owner" not in visitors
    counted = (await client.get("/api/map?window=30d")).json()["totals"]["not_yet_identified"]
    assert counted == len(visitors)
    page = (await client.get("/accounts")).text
    assert "provisional</span>" in page and "Not yet identified, counted apart" in page
