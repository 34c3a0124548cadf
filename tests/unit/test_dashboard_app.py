"""The application on a store of lists: every parameter, every failure, every name an attacker might choose."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import httpx
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError
from fastapi import FastAPI

from schemas.config import DashboardConfig
from schemas.errors import ConfigurationError, StoreUnavailable
from services.common.connection import server_settings
from services.dashboard import snapshots
from services.dashboard.bootstrap import Surroundings, build
from services.dashboard.clickhouse import ClickHouseStore
from services.dashboard.main import BOUNDS
from services.dashboard.pages import PAGES
from services.dashboard.pages.account import query as account_query
from services.dashboard.ranking_inputs import weigh
from services.dashboard.scope import Scope
from services.dashboard.views.snapshot import Wait
from services.dashboard.views.sources import RefusedRequests
from streams.connectors.registry import fed_by
from tests.dashboard_fakes import BLUEPRINT, HOSTILE, NOW, FakeStore, browser_of, words_of
from tests.dashboard_seed import World, world
from tests.listening import dripping, rest_of, served

PAGE = {"accept": "text/html"}
SUBJECTS = {"account": "crm:0001", "person": "crm:0001/p1", "touchpoint": "purchase/contract", "blueprint": ""}
OF_ONE = [page.address(SUBJECTS[page.id]) for page in PAGES if page.is_about_one]


def app_on(store: FakeStore, waits: Sequence[Wait] = (), **around: Any) -> FastAPI:
    named = {name: around.pop(name) for name in ("allowed_hosts", "allowed_origins") if name in around}
    blueprint = around.pop("blueprint", BLUEPRINT)
    config = DashboardConfig(host=around.pop("host", "127.0.0.1"), **named)
    return build(
        config,
        store=store,
        blueprint=blueprint,
        clock=lambda: NOW,
        waiting=lambda: waits,
        around=Surroundings(sources={"web": fed_by(["segment"]), "support": fed_by(["zendesk"])}, **around),
    )


@pytest.fixture
def store() -> FakeStore:
    return FakeStore(world(BLUEPRINT, NOW, touchpoints=600, days=2))


@pytest.fixture
def client(store: FakeStore) -> httpx.AsyncClient:
    return browser_of(app_on(store))


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/api/map?window=2h", "window"),
        ("/api/map?persona=pope", "persona"),
        ("/api/map?segment=huge", "segment"),
        ("/api/map?owner=Nobody", "owner"),
        ("/api/map?tier=%3Cb%3E", "tier"),
        ("/api/map?compare=never", "compare"),
        ("/api/map?channel=%3Cscript%3E", "channel"),
        ("/api/map?explain=perhaps", "explain"),
        ("/api/accounts?sort=random()", "sort"),
        ("/api/accounts?limit=0", "limit"),
        ("/api/accounts?limit=201", "limit"),
        ("/api/accounts?limit=1e3", "limit"),
        ("/api/accounts?limit=%C2%B2", "limit"),
        ("/api/accounts?identified=maybe", "identified"),
        ("/api/accounts?phase=nirvana", "phase"),
        ("/api/accounts?cursor=nonsense", "cursor"),
        ("/api/accounts/crm:0001?cursor=nonsense", "cursor"),
        ("/accounts/crm:0001?before=nonsense", "before"),
        ("/api/signals?polarity=neutral", "polarity"),
        ("/api/signals?cursor=nonsense", "cursor"),
        ("/api/stream?view=xml", "view"),
        (f"/api/accounts?q={'x' * 601}", "q"),
    ],
)
async def test_a_wrong_parameter_is_named_with_its_value_and_what_is_allowed(
    client: httpx.AsyncClient, path: str, field: str
) -> None:
    answer = await client.get(path)
    assert answer.status_code in (400, 422)
    error = answer.json()["error"]
    assert error["kind"] == "bad_parameter"
    assert error["field"] == field
    assert error["allowed"]
    assert len(answer.content) < 2000


@pytest.mark.parametrize(
    "path",
    ["/api/accounts/crm:none", "/api/touchpoints/none", "/api/none", "/cells/awareness/x", "/api/map/awareness/x"],
)
async def test_what_is_not_there_is_404_with_a_message(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert (answer.status_code, bool(answer.json()["error"]["message"])) == (404, True)


async def test_people_get_a_page_where_programs_get_json(client: httpx.AsyncClient) -> None:
    answer = await client.get("/accounts/crm:none", headers=PAGE)
    assert answer.status_code == 404
    assert "<h1>Not found</h1>" in answer.text


async def test_the_map_says_of_each_cell_what_the_pages_say(client: httpx.AsyncClient, store: FakeStore) -> None:
    found = (await client.get("/api/map?window=7d")).json()
    cells = {(phase["id"], cell["id"]): cell for phase in found["phases"] for cell in phase["types"]}
    weighed = await weigh(app_on(store).state.desk.reader, Scope("7d"))
    assert {key: cell["severity"] for key, cell in cells.items()} == {key: weighed.severity(key) for key in cells}
    assert {"calm", "severe"} < {cell["severity"] for cell in cells.values()}
    key = next(key for key, cell in cells.items() if cell["severity"] not in ("unseen", "calm"))
    one = (await client.get(f"/api/map/{key[0]}/{key[1]}?window=7d")).json()["cell"]
    assert one["severity"] == cells[key]["severity"] and one["level"] == cells[key]["level"]


@pytest.mark.parametrize("path", ["/api/map", "/api/accounts", "/api/signals", "/api/freshness", "/accounts/crm:0001"])
async def test_a_store_that_is_away_is_503_never_empty_data(store: FakeStore, path: str) -> None:
    store.away = True
    answer = await browser_of(app_on(store)).get(path)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "2"
    assert answer.json()["error"]["kind"] == "store_unavailable"


async def test_health_tells_the_truth(store: FakeStore) -> None:
    client = browser_of(app_on(store))
    assert (await client.get("/healthz")).status_code == 200
    store.away = True
    assert (await client.get("/healthz")).status_code == 503
    assert (await client.get("/api/health")).json()["ok"] is False


async def test_the_page_is_up_before_the_store_and_says_what_it_waits_for(store: FakeStore) -> None:
    store.away = True
    app = app_on(store, [Wait("kafka", "starting", NOW, "formatting storage")])
    page = (await browser_of(app).get("/map")).text
    assert "Waiting for kafka, clickhouse." in page
    assert "Website visit" in page, "the blueprint is known without a store"
    assert "0%" not in page, "unknown is not zero"
    store.away = False
    assert (
        "Waiting for kafka." in (await browser_of(app_on(store, [Wait("kafka", "starting", None, "")])).get("/")).text
    )


async def test_figures_stay_while_the_store_is_away_and_say_of_when(
    store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.dashboard.snapshots.REUSE_S", 0.0)
    client = browser_of(app_on(store))
    before = (await client.get("/?window=7d")).text
    store.away = True
    after = (await client.get("/?window=7d")).text
    figures = before.partition('<section id="figures"')[2].partition("</section>")[0]
    assert "statements" in figures
    assert figures in after
    assert "The figures are those of 12:00 UTC" in words_of(after)


async def test_an_empty_store_is_a_quiet_map_not_an_error() -> None:
    client = browser_of(app_on(FakeStore()))
    view = (await client.get("/api/map?window=all")).json()
    assert view["totals"]["touchpoints"] == 0
    assert view["totals"]["friction_rate"] is None
    assert view["phases"][0]["types"][0]["emotion"] is None
    for path, words in (
        ("/", "Nothing has happened"),
        ("/map", "No event has arrived yet."),
        ("/incidents", "No friction in this window."),
        ("/accounts", "No accounts in this window"),
        ("/sources", "nothing received yet"),
    ):
        page = (await client.get(path)).text
        assert words in page, path
    assert "No event has arrived yet." in (await client.get("/")).text


async def test_who_has_sent_nothing_is_told_where_to_send_and_who_looks_too_narrowly_where_to_look() -> None:
    page = (await browser_of(app_on(FakeStore(), gateway_url="http://127.0.0.1:8080")).get("/")).text
    assert "Point your senders at <code>http://127.0.0.1:8080</code>" in page
    at = NOW - timedelta(days=9)
    row = {"source": "web", "last_occurred_at": at, "last_received_at": at, "last_written_at": at}
    page = (await browser_of(app_on(FakeStore(freshness=[row]))).get("/?persona=end_user")).text
    assert "Nothing with these filters, in any window." in page
    assert "No event has arrived yet." not in page


async def test_a_page_without_a_window_widens_to_the_nearest_with_data_and_a_chosen_one_names_it() -> None:
    made = world(BLUEPRINT, NOW - timedelta(days=20), touchpoints=60, days=1)
    client = browser_of(app_on(FakeStore(made)))
    assert 'aria-current="page" title="last 30 days"' in (await client.get("/")).text
    chosen = (await client.get("/?window=24h")).text
    assert "Nothing in the last 24 hours." in chosen
    assert '<a href="/?window=30d">last 30 days</a>' in chosen


async def test_when_no_source_sends_any_more_the_page_says_until_when_it_is_true() -> None:
    at = NOW - timedelta(hours=2)
    row = {"source": "hook", "last_occurred_at": at, "last_received_at": at, "last_written_at": at}
    made = world(BLUEPRINT, NOW, touchpoints=60, days=2)
    page = (await browser_of(app_on(FakeStore(made, freshness=[row]))).get("/")).text
    assert "True up to 10:00 UTC." in words_of(page)
    assert 'aria-label="a source is late"' in page


async def test_stale_sources_are_shown_as_stale() -> None:
    at = NOW - timedelta(hours=2)
    row = {"source": "web", "last_occurred_at": at, "last_received_at": at, "last_written_at": at}
    page = (await browser_of(app_on(FakeStore(freshness=[row]))).get("/sources")).text
    assert '<span class="mark" title="little is known of its rhythm yet">late</span>' in page
    assert 'last heard <time datetime="2026-03-10T10:00:30+00:00">10:00</time>' in page


async def test_ignored_messages_are_shown_beside_their_source() -> None:
    store = FakeStore()
    store.left_out = [{"source": "web", "reason": "unsubscribed_topic", "messages": 12}]
    client = browser_of(app_on(store))
    assert "ignored within a day: 12 unsubscribed topic" in (await client.get("/sources")).text
    (web,) = [each for each in (await client.get("/api/freshness")).json()["sources"] if each["source"] == "web"]
    assert web["ignored"] == [{"reason": "unsubscribed_topic", "messages": 12}]


async def test_what_is_not_taken_is_shown_beside_its_source_and_strangers_apart() -> None:
    told = RefusedRequests(False, "invalid_signature", 12, NOW, NOW, "it was checked for <https://gw.example>")
    client = browser_of(app_on(FakeStore(), refused=lambda: {"web": (told,), "": (told,)}))
    page = (await client.get("/sources")).text
    assert page.count("12 invalid signature since") == 2 and page.count("unknown senders") == 1
    assert "the last: it was checked for &lt;https://gw.example&gt;" in page
    answer = (await client.get("/api/freshness")).json()
    (web,) = [each for each in answer["sources"] if each["source"] == "web"]
    assert (web["refused"][0]["count"], answer["strangers"][0]["reason"]) == (12, "invalid_signature")


async def test_traffic_of_others_is_shown_beside_its_source_and_whether_it_counts() -> None:
    store = FakeStore()
    told = {"source": "web", "traffic": "bot", "touchpoints": 500, "counted": 0, "example": "Googlebot"}
    store.others = [told, told | {"traffic": "internal", "touchpoints": 3, "counted": 3, "example": "localhost"}]
    client = browser_of(app_on(store))
    page = (await client.get("/sources")).text
    assert (
        "500 bot (such as <code>Googlebot</code>), left out; 3 internal (such as <code>localhost</code>), counted"
        in page
    )
    (web,) = [each for each in (await client.get("/api/freshness")).json()["sources"] if each["source"] == "web"]
    assert web["traffic"][0] == {key: value for key, value in told.items() if key != "source"}


async def test_no_name_turns_the_direction_of_what_follows(store: FakeStore) -> None:
    account = store.world.accounts[0]
    account["name"] = "\u202egnp.exe"
    client = browser_of(app_on(store))
    for path in ("/accounts", f"/accounts/{account['account_id']}"):
        page = (await client.get(path)).text
        assert "gnp.exe" in page
        assert "\u202e" not in page


async def test_an_earlier_page_of_a_timeline_leads_back(store: FakeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account_query, "TOUCHPOINTS", 2)
    client = browser_of(app_on(store))
    account_id = max(store.world.accounts, key=lambda row: row["touchpoints"])["account_id"]
    first = (await client.get(f"/accounts/{account_id}?window=7d")).text
    assert "Back to the newest" not in first
    earlier = first.partition("&amp;before=")[2].partition('"')[0]
    assert "Back to the newest" in (await client.get(f"/accounts/{account_id}?window=7d&before={earlier}")).text


async def test_hostile_names_are_text_everywhere(store: FakeStore) -> None:
    _poison(store.world)
    client = browser_of(app_on(store))
    account_id = store.world.accounts[0]["account_id"]
    event_id = store.world.touchpoints[0]["event_id"]
    paths = [
        *(f"{page.path}?window=all" for page in PAGES if page.about_customers and not page.is_about_one),
        "/search?q=img",
        f"/accounts/{account_id}",
        "/cells/purchase/contract?window=all",
        f"/touchpoints/{event_id}",
    ]
    for path in [*paths, f"/accounts/{account_id}?part=1"]:
        page = (await client.get(path)).text
        assert "<img" not in page
        assert "&lt;img src=x" in page, path


def _poison(made: World) -> None:
    for row in made.accounts:
        row |= {"name": HOSTILE, "traits": '{"industry": "<img src=x>"}'}
    for row in made.touchpoints:
        row |= {"title": HOSTILE, "text": HOSTILE, "channel": HOSTILE, "persona": HOSTILE, "source": HOSTILE}
    for row in made.signals:
        row |= {"explanation": HOSTILE, "rule": HOSTILE}


async def test_ids_with_colons_and_slashes_find_their_account(store: FakeStore) -> None:
    store.world.accounts[0]["account_id"] = "domain:a/b?c#d.example"
    client = browser_of(app_on(store))
    answer = await client.get("/api/accounts/domain%3Aa%2Fb%3Fc%23d.example")
    assert answer.json()["account"]["account_id"] == "domain:a/b?c#d.example"
    page = (await client.get("/accounts?window=all")).text
    if "domain:a/b" in page:
        assert 'href="/accounts/domain%3Aa%2Fb%3Fc%23d.example?' in page


async def test_every_page_and_link_of_the_first_state_answers(client: httpx.AsyncClient) -> None:
    texts = [(await client.get(f"{page.path}?window=all")).text for page in PAGES if not page.is_about_one]
    texts += [(await client.get(f"{path}?window=all")).text for path in OF_ONE]
    links = {part.split('"')[0].replace("&amp;", "&") for text in texts for part in text.split('href="')[1:]}
    assert len([link for link in links if "/cells/" in link]) >= 4
    for link in sorted(link for link in links if link.startswith("/")):
        assert (await client.get(link)).status_code == 200, link


async def test_timeline_pages_neither_skip_nor_repeat(store: FakeStore, client: httpx.AsyncClient) -> None:
    busiest = max(store.world.accounts, key=lambda row: row["touchpoints"])
    seen: list[str] = []
    cursor = ""
    while cursor is not None:
        view = (await client.get(f"/api/accounts/{busiest['account_id']}?limit=7&cursor={cursor}")).json()
        seen += [each["event_id"] for each in view["touchpoints"]]
        cursor = view["next_cursor"]
    assert len(seen) == len(set(seen)) == busiest["touchpoints"]
    assert view["transitions"][0]["cause"] == "decisive: deal won"


async def test_explain_shows_formula_inputs_and_rejected_candidates(
    store: FakeStore, client: httpx.AsyncClient
) -> None:
    cells = (await client.get("/api/map?window=all&explain=1")).json()["phases"][1]["types"]
    inputs = cells[0]["explain"]["pain_index"]["inputs"]
    volume = inputs["touchpoints"]
    expected = 100 * inputs["pain_sum"] / volume * inputs["importance"] / 5 * volume / (volume + 20)
    assert cells[0]["pain_index"] == pytest.approx(expected)
    event_id = store.world.touchpoints[0]["event_id"]
    assert (await client.get(f"/api/touchpoints/{event_id}")).json()["attribution"]["rejected"][0]["why"]
    assert "two owners" in (await client.get(f"/touchpoints/{event_id}")).text


async def test_the_grid_holds_every_cell_with_impact_once_and_the_page_shows_it(client: httpx.AsyncClient) -> None:
    view = (await client.get("/api/map?window=all")).json()
    cells = {(c["phase"], c["id"]): c for phase in view["phases"] for c in phase["types"] if c["impact"]}
    boxed = [(each["phase"], each["id"]) for box in view["grid"] for each in box["cells"]]
    assert sorted(boxed) == sorted(cells)
    assert len(cells) > 3
    highest = max(cell["impact"] for cell in cells.values())
    for box in view["grid"]:
        impacts = [each["impact"] for each in box["cells"]]
        assert impacts == sorted(impacts, reverse=True)
        assert all((impact >= highest / 3) == box["is_high"] for impact in impacts)
        assert {cells[each["phase"], each["id"]]["term"] for each in box["cells"]} <= {box["term"]}
    assert "Quick wins" in (await client.get("/map?window=all")).text


async def test_rules_that_nothing_can_feed_are_said(client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/map")).json()["unfed_rules"] == ["payment_failed"]
    assert "1 rule cannot fire: no configured source feeds it" in (await client.get("/incidents")).text


async def test_a_cell_shows_its_formulas_and_what_was_promised(store: FakeStore) -> None:
    for row in store.world.touchpoints:
        row["properties"] = '{"duration_ms": 2600}'
    client = browser_of(app_on(store))
    contract = (await client.get("/cells/purchase/contract?window=all")).text
    for part in (
        "risk × reach_percent / 100",
        "First response",
        "no data",
        "missed",
        "Sales owns it",
        "2 weeks at most",
    ):
        assert part in contract, part
    asked = (await client.get("/api/map/purchase/contract?window=all")).json()["cell"]
    assert {gap["target"]: gap["basis"] for gap in asked["performance"]}["first_response_s"] == "no data"
    risk = asked["explain"]["risk"]
    assert risk["value"] == pytest.approx(risk["inputs"]["pain_index"] * risk["inputs"]["damage"])
    visit = (await client.get("/cells/awareness/website_visit?window=all")).text
    assert "2,600 ms" in visit
    assert "missed by 600 ms" in visit


async def test_types_outside_the_blueprint_stand_in_their_own_lane(store: FakeStore) -> None:
    for row in store.world.touchpoints[:40]:
        row |= {"touchpoint_type": "unmapped", "vendor_type": "track:Odd Thing"}
    client = browser_of(app_on(store))
    unmapped = (await client.get("/api/map?window=all")).json()["unmapped"]
    assert unmapped["volume"] == 40
    assert unmapped["commonest"][0]["vendor_type"] == "track:Odd Thing"
    assert "40 touchpoints outside the blueprint." in (await client.get("/map?window=all")).text


async def test_every_answer_carries_the_security_headers_and_nothing_from_elsewhere(client: httpx.AsyncClient) -> None:
    for path in ("/", "/map", "/api/map", "/static/live.js", "/none"):
        headers = (await client.get(path)).headers
        assert "script-src 'self'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
    for path in [page.address(SUBJECTS.get(page.id, "")) for page in PAGES]:
        page = (await client.get(path)).text
        assert not re.findall(r'(?:href|src|action|srcset)="?(?:https?:)?//', page), "an address may be told, not asked"
        assert "style=" not in page


async def test_another_host_name_is_refused_on_loopback(store: FakeStore) -> None:
    client = browser_of(app_on(store))
    assert (await client.get("/api/map", headers={"host": "rebound.example"})).status_code == 421
    assert (await client.get("/api/map", headers={"host": "localhost:8090"})).status_code == 200


async def test_the_name_of_a_proxy_and_an_own_page_elsewhere(store: FakeStore) -> None:
    """As configured; a link from anywhere may be followed, what a strange page asks in the background is refused."""
    client = browser_of(app_on(store, allowed_hosts=("map.example",), allowed_origins=("https://own.example",)))
    assert (await client.get("/api/map", headers={"host": "map.example"})).status_code == 200
    shared = await client.get("/api/map", headers={"origin": "https://own.example"})
    assert (shared.status_code, shared.headers["access-control-allow-origin"]) == (200, "https://own.example")
    assert (await client.get("/api/map", headers={"origin": "https://evil.example"})).status_code == 403
    asks = {"origin": "https://own.example", "access-control-request-method": "GET"}
    assert (await client.options("/api/map", headers=asks)).status_code == 204
    strange = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert (await client.get("/", headers=strange)).status_code == 200
    assert (await client.get("/", headers=strange | {"sec-fetch-mode": "no-cors"})).status_code == 403


async def test_an_answer_that_is_no_page_has_the_icon_too(client: httpx.AsyncClient) -> None:
    """A browser that shows one asks for it and calls its absence an error."""
    answer = await client.get("/favicon.ico")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/svg+xml")


@pytest.mark.parametrize("path", ["/healthz", "/metrics"])
async def test_probes_and_scrapes_come_by_names_of_compose(store: FakeStore, path: str) -> None:
    assert (await browser_of(app_on(store)).get(path, headers={"host": "dashboard:8090"})).status_code == 200
    guarded = browser_of(app_on(store, host="0.0.0.0", token=b"open-sesame", allowed_hosts=("map.example",)))
    scrape = {"host": "dashboard:8090", "authorization": "Bearer open-sesame"}
    assert (await guarded.get(path, headers=scrape)).status_code == 200
    assert (await guarded.get("/api/map", headers=scrape)).status_code == 421


def test_500_slow_visitors_are_dropped(store: FakeStore) -> None:
    bounds = replace(BOUNDS, head_s=1.0, body_s=1.0)
    slow_head, slow_body = b"GET / HTTP/1.1\r\n", b"POST /api/questions/x HTTP/1.1\r\nContent-Length: 9\r\n\r\n{"
    with served(server_settings(app_on(store), bounds, port=0)) as port:
        with dripping(port, 250, slow_head) as heads, dripping(port, 250, slow_body) as bodies:
            assert httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=30).status_code in (200, 503)
            assert len([rest_of(one) for one in (*heads, *bodies)]) == 500
        assert httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=30).status_code in (200, 503)


def test_an_open_address_without_a_token_is_refused(store: FakeStore) -> None:
    with pytest.raises(ConfigurationError, match="dashboard.token"):
        app_on(store, host="0.0.0.0")


async def test_token_by_header_or_once_by_link(store: FakeStore) -> None:
    client = browser_of(app_on(store, host="0.0.0.0", token=b"open-sesame"))
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Bearer "}, {"cookie": "touchline=wrong"}):
        assert (await client.get("/api/map", headers=headers)).status_code == 401
    assert (await client.get("/metrics")).status_code == 401
    assert (await client.get("/healthz")).status_code == 200
    assert (await client.get("/api/map", headers={"authorization": "Bearer open-sesame"})).status_code == 200
    assert (await client.get("/?token=wrong")).status_code == 401
    login = await client.get("/?window=7d&token=open-sesame")
    assert (login.status_code, login.headers["location"]) == (303, "/?window=7d")
    cookie = login.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "open-sesame" not in cookie
    assert (await client.get("/?window=7d")).status_code == 200


async def test_a_login_link_never_leads_to_another_host(store: FakeStore) -> None:
    client = browser_of(app_on(store, host="0.0.0.0", token=b"open-sesame"))
    login = await client.get("http://127.0.0.1:8090//elsewhere.example/?token=open-sesame")
    assert login.headers["location"].startswith("/elsewhere.example")


async def test_metrics_are_the_catalogue(client: httpx.AsyncClient) -> None:
    assert "touchline_build_info" in (await client.get("/metrics")).text


async def test_a_burst_of_visitors_costs_one_computation(store: FakeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "REUSE_S", 60.0)  # a machine may be busy
    client = browser_of(app_on(store))
    await asyncio.gather(*(client.get("/") for _ in range(20)))
    assert store.asked["cells"] == 2, "this window and the one before"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OperationalError("Error HTTPConnectionPool(host='h', port=1): Read timed out."), "ClickHouse does not answer"),
        (
            DatabaseError("Code: 241. DB::Exception: too much memory", code=241),
            "ClickHouse cannot answer now: Code: 241. DB::Exception: too much memory",
        ),
    ],
)
async def test_what_the_store_says_is_told_and_what_the_driver_says_is_not(error: Exception, told: str) -> None:
    client = Mock()
    client.query.side_effect = error
    store = ClickHouseStore(lambda: client)
    with pytest.raises(StoreUnavailable) as raised:
        await store.fingerprint()
    assert str(raised.value) == told
    store.close()
