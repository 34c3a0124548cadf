"""Who may use the page: tokens and sessions, what a viewer is shown on every route there is, and the audit."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from typer.testing import CliRunner

from schemas.errors import ConfigurationError
from schemas.incidents import IncidentAction
from schemas.touchpoints import DeadLetter
from services.cli.main import app as cli
from services.common.access import Access, add_token, hash_of, read_access, remove_token
from services.common.dead_letters import Replayed
from services.dashboard import guard, masking
from services.dashboard.api import STREAMS, VIEWS
from services.dashboard.errands import SourceTools, Trial
from services.dashboard.exports import BLOCKS
from services.dashboard.pages import PAGES
from services.dashboard.scope import Scope
from services.dashboard.sessions import LIFETIME, Sessions
from services.dashboard.views.sources import RefusedRequests
from tests.dashboard_fakes import BLUEPRINT, NOW, FakeStore, browser_of
from tests.dashboard_seed import World, correction, proposal, world
from tests.unit.test_dashboard_app import app_on

PERSON = "email:jane.doe@acme.example"
NAMES = (
    "jane.doe@acme.example", "Jane Doe", "words of a customer", "a ticket about a salary", "why it hurts her",
    "a note about her", "she rang and shouted", "her wish", "Head of Pain", "a message that nobody could read",
)  # fmt: skip
"""Names, addresses and texts of people, each of which stands somewhere in the store."""
LETTER = DeadLetter(
    letter_id="letter-1", stage="attribute", reason="bad_email", message="`email` is jane.doe@acme.example",
    source="web",
    original='{"messageId": "m-77", "text": "a message that nobody could read"}', origin_topic="touchpoints.raw.v1",
    origin_partition=0, origin_offset=1, origin_index=0, failed_at=NOW,
)  # fmt: skip
OWN_PAGE = {"origin": "http://127.0.0.1:8090"}


async def nothing(*_: Any) -> str:
    return "done"


def people() -> World:
    made = world(BLUEPRINT, NOW, touchpoints=8, days=1)
    first = made.touchpoints[0]
    account = next(row for row in made.accounts if not row["account_id"].startswith("anon:"))
    for number, row in enumerate(made.touchpoints):
        told: dict[str, Any] = {"text": "words of a customer", "title": "a ticket about a salary", "person_id": PERSON}
        told |= {"account_id": account["account_id"], "occurred_at": NOW - timedelta(minutes=number + 1)}
        row |= told | {"minute": (NOW - timedelta(minutes=number + 1)).replace(second=0, microsecond=0)}
        row |= {"friction": 1, "pain": 0.5, "friction_rules": ["low_score"]}
    signal = next(iter(world(BLUEPRINT, NOW, touchpoints=400, days=1).signals))
    shown = {"rule": "low_score", "explanation": "why it hurts her: Jane Doe", "person_id": PERSON}
    made.signals = [
        signal | shown | {"signal_id": f"s-{row['event_id']}", "event_id": row["event_id"], "opened_at": row["minute"]}
        | {"account_id": row["account_id"], "evidence": [row["event_id"]], "closed_at": row["minute"]}
        for row in made.touchpoints[:3]
    ]  # fmt: skip
    traits = {"industry": "rail", "contact_name": "Jane Doe", "remark": "her wish"}
    made.accounts = [account | {"traits": json.dumps(traits), "last_seen_at": NOW}]
    made.corrections = [correction(account["account_id"], NOW, "Jane Doe is jane.doe@acme.example")]
    made.proposals = [
        proposal("p1", PERSON, "user:web:7", NOW, reason="both are called Jane Doe", evidence=first["event_id"]),
        proposal("p2", PERSON, account["account_id"], NOW, reason="Jane Doe wrote from there"),
    ]
    return made


class PeopleStore(FakeStore):
    """With what a CRM says of people, and what was decided about a touchpoint."""

    async def people_of(self, account_id: str) -> Any:
        return [dict(row) | {"title": "Head of Pain"} for row in await super().people_of(account_id)]

    async def accounts_of(self, person_id: str) -> Any:
        return [dict(row) | {"title": "Head of Pain"} for row in await super().accounts_of(person_id)]

    async def touchpoint(self, event_id: str) -> Any:
        found = await super().touchpoint(event_id)
        told = {"attribution": {"evidence": "jane.doe@acme.example belongs to it", "rejected": []}}
        return dict(found) | {"payload": json.dumps(told)} if found else None


async def sent(_now: datetime) -> Trial:
    return Trial("e-1", "web", NOW)


async def again(letters: Sequence[DeadLetter]) -> Replayed:
    return Replayed(len(letters))


TOOLS = SourceTools(send_trial=sent, resend=again)


def site(access: Access | None, **around: Any) -> FastAPI:
    refused = RefusedRequests(True, "bad", 1, NOW, NOW, "`email` is jane.doe@acme.example")
    told = {"refused": lambda: {"web": (refused,)}, "act": nothing, "decide": nothing, "source_tools": TOOLS, **around}
    store = PeopleStore(people(), [_fresh()])
    app = app_on(store, host="0.0.0.0", access=access, channels={"desk": "slack"}, session_key=b"k" * 32, **told)
    events = tuple(row["event_id"] for row in store.world.touchpoints[:3])
    note = {"action_id": "n1", "at": NOW, "by": "Lee", "verb": "note", "events": events, "text": "a note about her"}
    app.state.desk.reader.board.act(IncidentAction.model_validate(note))
    app.state.desk.reader.letters.learn("", b"[" + LETTER.encoded() + b"]")
    from tests.unit.test_page_filters import told_of

    answer = told_of("x").changed(answer="she rang and shouted", account_id=store.world.accounts[0]["account_id"])
    app.state.desk.reader.board.learn_delivery("", b"[" + answer.encoded() + b"]")
    return app


def _fresh() -> dict[str, Any]:
    return {"source": "web", "last_occurred_at": NOW, "last_received_at": NOW, "last_written_at": NOW}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "access.json"


def routes_of(app: FastAPI) -> list[tuple[str, set[str]]]:
    """Path and methods of every route, those of included routers too."""
    found = [(one.path, set(one.methods or ())) for one in iter_route_contexts(app.routes) if one.path and one.methods]
    assert len(found) > 30
    return found


def browser(app: FastAPI, token: str, **headers: str) -> httpx.AsyncClient:
    return browser_of(app, authorization=f"Bearer {token}", **headers)


def addresses(app: FastAPI, person: str) -> list[str]:
    """Every GET route that there is, with each thing that it can be about. A route with a new hole fails here."""
    made = people()
    about = {
        "account_id": [made.accounts[0]["account_id"]],
        "event_id": [row["event_id"] for row in made.touchpoints[:3]],
        "phase": ["purchase"],
        "kind": ["contract"],
        "block": list(BLOCKS),
        "name": [made.touchpoints[0]["event_id"]],
        "proposal_id": ["p1"],
        "letter_id": ["l1"],
        "source": ["web"],
        "vendor": ["segment"],
        "request_id": ["x"],
    }
    subjects = {"account": about["account_id"], "person": [person], "touchpoint": ["all/all", "purchase/contract"]}
    pages = {page.path: subjects.get(page.id, [""]) for page in PAGES}
    found = []
    for route, methods in routes_of(app):
        if "GET" not in methods or route in STREAMS or route.startswith("/api/v1/pages/"):
            continue
        paths = [route]
        for hole in re.findall(r"\{(\w+)(?::path)?\}", route):
            values = pages[route] if hole == "about" else about[hole]
            filled = [(path, str(value)) for path in paths for value in values]
            paths = [re.sub(r"\{" + hole + r"(:path)?\}", quote(value, safe=""), path) for path, value in filled]
        parts = [""] if route.startswith(("/api/", "/csv/")) else ["", "&part=1"]
        found += [f"{path}?window=all&subject=all/all&days=30{more}" for path in paths for more in parts]
    for page in PAGES:
        ends = [f"/{quote(str(each), safe='/')}" for each in subjects.get(page.id, [""])] if page.is_about_one else [""]
        found += [f"/api/v1/pages/{page.id}{end}?window=all" for end in ends]
    return [
        *found,
        f"/csv/timeline?account={made.accounts[0]['account_id']}",
        "/search?q=ja",
        "/search?q=doe",
        "/search?q=acme",
        "/search?q=letter-1",
        f"/search?q={person}",
        "/openapi.json",
    ]


async def told_on(app: FastAPI, token: str, person: str) -> dict[str, str]:
    """Address → answer, for programs and for people."""
    found = {}
    for address in addresses(app, person):
        for accept in ["text/html"] if "part=1" in address else ["application/json", "text/html"]:
            answer = await browser(app, token, accept=accept).get(address)
            assert answer.status_code < 500, (address, answer.text[:300])
            found[f"{address} {accept}"] = answer.text
    return found


async def live_on(desk: Any) -> dict[str, str]:
    """What the live stream of a desk says first, of every view."""
    found = {}
    about = {"account": people().accounts[0]["account_id"], "touchpoint": "all/all"}
    for view in VIEWS:
        if view != "person":
            scope = Scope("all", subject=about.get(view, ""))
            viewer = await desk.live.enter(scope, view, "")
            frame = await viewer.next()
            desk.live.leave(scope, view, viewer)
            found[view] = frame.plain.decode()
    return found


async def test_no_answer_to_a_viewer_has_a_name_or_a_text_and_an_operators_have_all(file: Path) -> None:
    viewer, operator = (add_token(file, role, role, NOW) for role in ("viewer", "operator"))
    app = site(Access(file))
    pseudonym = masking.Pseudonyms(b"k" * 32).of(PERSON)
    shown = await told_on(app, viewer, pseudonym) | await live_on(app.state.viewers_desk)
    leaks = [(address, name) for address, text in shown.items() for name in NAMES if name.lower() in text.lower()]
    assert not leaks
    everything = await told_on(app, operator, PERSON) | await live_on(app.state.desk)
    for name in NAMES:
        assert any(name.lower() in text.lower() for text in everything.values()), f"{name}: nothing could have leaked"
    person = next(text for address, text in shown.items() if address.startswith(f"/people/{quote(pseudonym, safe='')}"))
    assert "words" not in person and masking.HIDDEN in person and pseudonym in person
    assert re.search(r'href="/people/person%3A[0-9a-f]{16}', "".join(shown.values())), "people have links of their own"


async def test_a_column_that_nobody_has_thought_of_is_hidden() -> None:
    class Newer(FakeStore):
        async def gossip(self) -> Any:
            return [{"account_id": "crm:1", "nickname": "Janey", "deep": {"words": ["Janey"]}, "count": 3, "empty": ""}]

    names = masking.Pseudonyms(b"k")
    store: Any = masking.masked_store(Newer(), BLUEPRINT, names, lambda: NOW)
    assert await store.gossip() == [
        {"account_id": "crm:1", "nickname": "•••", "deep": {"words": ["•••"]}, "count": 3, "empty": ""}
    ]


async def test_a_viewers_link_to_a_person_outlives_a_start(file: Path) -> None:
    token = add_token(file, "Vera", "viewer", NOW)
    address = f"/people/{quote(masking.Pseudonyms(b'k' * 32).of(PERSON), safe='')}?window=all"
    assert (await browser(site(Access(file)), token).get(address)).status_code == 200
    assert (await browser(site(Access(file)), token).get("/people/person%3A0000000000000000")).status_code == 404
    assert (await browser(site(Access(file)), token).get(f"/people/{quote(PERSON, safe='')}")).status_code == 404


async def test_a_viewer_changes_nothing_and_an_operator_all(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    viewer, operator = add_token(file, "Vera", "viewer", NOW), add_token(file, "Olaf", "operator", NOW)
    app = site(Access(file))
    event = people().touchpoints[0]["event_id"]
    bodies = {
        "/incidents/{name}": {"verb": "take", "by": "V"},
        "/api/v1/incidents/{name}/actions": {"verb": "take", "by": "V"},
        "/proposals": {"answer": "accept p1", "by": "V"},
        "/api/proposals/{proposal_id}": {"answer": "accept", "by": "V"},
        "/alerts": {"channel": "desk", "by": "V"},
        "/api/privacy": {"who": "ann@acme.example", "by": "V"},
        "/api/v1/proposals/{proposal_id}": {"answer": "accept", "by": "V"},
        "/api/v1/privacy": {"who": "ann@acme.example", "by": "V"},
        "/sources/test": {},
        "/sources/letters": {"source": LETTER.source, "stage": LETTER.stage, "reason": LETTER.reason},
        "/sources/add": {"vendor": "segment", "name": "shop"},
    }
    changes = {path: methods - {"GET", "HEAD"} for path, methods in routes_of(app) if methods - {"GET", "HEAD"}}
    changes = {path: methods for path, methods in changes.items() if path not in ("/login", "/logout")}
    for path, methods in changes.items():
        address = path.replace("{name}", event).replace("{proposal_id}", "p1")
        refused = await browser(app, viewer).request(next(iter(methods)), address, data={"by": "V"})
        assert refused.status_code == 403, address
    caplog.set_level(logging.INFO, "touchline.audit")
    for path, body in bodies.items():
        address = path.replace("{name}", event).replace("{proposal_id}", "p1")
        said: dict[str, Any] = {"json": body} if path.startswith("/api/") else {"data": body}
        taken = await browser(app, operator).post(address, **said)
        assert taken.status_code < 400, (address, taken.text)
        assert [one for one in caplog.records if one.message == "change" and one.__dict__["path"] == address]
        assert {one.__dict__["by"] for one in caplog.records if one.message == "change"} == {"Olaf"}
    assert changes.keys() == bodies.keys(), "a new change is tried here, too"


async def test_forms_are_not_shown_to_whom_they_would_refuse(file: Path) -> None:
    viewer, operator = add_token(file, "Vera", "viewer", NOW), add_token(file, "Olaf", "operator", NOW)
    app, event = site(Access(file)), people().touchpoints[0]["event_id"]
    for address in (f"/incidents/{event}", "/alerts", "/sources"):
        forms = [
            re.findall(r"<button|<form[^>]*post", (await browser(app, token).get(address)).text)
            for token in (viewer, operator)
        ]
        assert len(forms[0]) < len(forms[1])


async def test_every_table_that_leaves_is_a_line_of_the_audit(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    viewer = add_token(file, "Vera", "viewer", NOW)
    caplog.set_level(logging.INFO, "touchline.audit")
    app, account = site(Access(file)), quote(people().accounts[0]["account_id"], safe="")
    for block in BLOCKS:
        query = f"window=7d&subject=all/all&account={account}" if block == "timeline" else "window=7d&subject=all/all"
        answer = await browser(app, viewer).get(f"/csv/{block}?{query}")
        assert answer.status_code == 200, (block, answer.text[:200])
        line = [one for one in caplog.records if one.message == "export"][-1]
        assert (line.__dict__["by"], line.__dict__["path"], line.__dict__["query"]) == ("Vera", f"/csv/{block}", query)
    assert len([one for one in caplog.records if one.message == "export"]) == len(BLOCKS)


async def test_a_session_is_a_cookie_that_scripts_and_other_sites_do_not_get(file: Path) -> None:
    token = add_token(file, "Olaf", "operator", NOW)
    app = site(Access(file), public_url="https://map.example")
    client = browser_of(app, accept="text/html")
    asked = await client.get("/map?window=7d")
    assert (asked.status_code, asked.headers["location"]) == (303, "/login?next=%2Fmap%3Fwindow%3D7d")
    assert "Sign in" in (await client.get(asked.headers["location"])).text
    assert (await client.post("/login", data={"token": "tl_wrong"})).status_code == 401
    signed = await client.post("/login", data={"token": token, "next": "//evil.example/x"})
    assert (signed.status_code, signed.headers["location"]) == (303, "/evil.example/x")
    cookie = signed.headers["set-cookie"]
    assert cookie.startswith("touchline_") and token not in cookie and hash_of(token) not in cookie
    for word in ("HttpOnly", "SameSite=lax", "Secure", "Path=/", f"Max-Age={int(LIFETIME.total_seconds())}"):
        assert word in cookie


@pytest.mark.parametrize(
    ("host", "port", "name"),
    [("127.0.0.1", 8090, "touchline_8090"), ("localhost", 9000, "touchline_9000"), ("map.example", 443, "touchline")],
)
def test_a_cookie_has_a_name_a_port_on_this_machine(host: str, port: int, name: str) -> None:
    scope = {"headers": [(b"host", f"{host}:{port}".encode())], "server": ("127.0.0.1", port)}
    assert guard.cookie_name(scope) == name


async def test_a_change_by_cookie_comes_from_a_page_of_ours(file: Path) -> None:
    token = add_token(file, "Olaf", "operator", NOW)
    client = browser_of(site(Access(file)))
    await client.post("/login", data={"token": token})
    assert (await client.get("/api/map")).status_code == 200
    body = {"channel": "desk", "by": "O"}
    for headers, status in (
        ({}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "same-origin"}, 303),
        (OWN_PAGE, 303),
    ):
        answer = await client.post("/alerts", data=body, headers=headers)
        assert answer.status_code == status, headers
    out = await client.post("/logout", headers=OWN_PAGE)
    assert out.status_code == 303 and (await client.get("/api/map")).status_code == 401


async def test_a_token_that_is_taken_back_ends_its_sessions_at_once(file: Path) -> None:
    token = add_token(file, "Olaf", "operator", NOW)
    app = site(Access(file))
    client = browser_of(app)
    await client.post("/login", data={"token": token})
    assert (await client.get("/api/map")).status_code == 200
    assert remove_token(file, "Olaf") and not remove_token(file, "Olaf")
    assert (await client.get("/api/map")).status_code == 401
    assert (await browser(app, token).get("/api/map")).status_code == 401
    file.write_text("{")
    assert (await client.get("/api/map")).status_code == 401, "what cannot be read lets nobody in"


async def test_this_machine_needs_no_token_until_one_was_given_out(file: Path) -> None:
    store = FakeStore(people())
    app = app_on(store, access=Access(file))
    assert (await browser_of(app).get("/api/map")).status_code == 200
    add_token(file, "Vera", "viewer", NOW)
    assert (await browser_of(app).get("/api/map")).status_code == 401
    file.unlink()
    assert (await browser_of(app).get("/api/map")).status_code == 401, "a lost file opens no door"


def test_sessions_end_and_are_not_made_from_hashes(file: Path) -> None:
    token = add_token(file, "Vera", "viewer", NOW, NOW + timedelta(days=1))
    access = Access(file)
    sessions = Sessions(access, b"key")
    entry = access.owner(token, NOW)
    assert entry is not None
    made = sessions.opened(entry, NOW)
    for value, now, is_known in (
        (made, NOW, True),
        (made, NOW + timedelta(days=2), False),
        (Sessions(access, b"another key").opened(entry, NOW), NOW, False),
        (f"{entry.id}.9999999999.{'0' * 64}", NOW, False),
        ("", NOW, False),
        ("x.y", NOW, False),
        (made[:-1], NOW, False),
    ):
        assert (sessions.person(f"c={value}", "c", now) is not None) == is_known, value
    assert token not in file.read_text()


def test_the_file_of_tokens_is_closed_and_a_broken_one_is_refused(file: Path) -> None:
    token = add_token(file, "Vera", "viewer", NOW)
    assert token.startswith("tl_") and len(token) > 40 and file.stat().st_mode & 0o077 == 0
    with pytest.raises(ConfigurationError, match="Vera"):
        add_token(file, "Vera", "operator", NOW)
    file.write_text('{"tokens": [{"name": "x", "role": "king"}]}')
    with pytest.raises(ConfigurationError, match=r"tokens\.0"):
        read_access(file)
    with pytest.raises(ConfigurationError):
        Access(file)


def test_the_command_shows_a_token_once(tmp_path: Path) -> None:
    (tmp_path / "touchline.yaml").write_text("dashboard: {access_file: secrets/access.json}\n")
    run, data = CliRunner(), ["--data", str(tmp_path)]
    made = run.invoke(cli, ["access", "add", "Vera", "--role", "viewer", "--days", "30", *data])
    token = json.loads(made.stdout.splitlines()[0])["token"]
    assert made.exit_code == 0 and Access(tmp_path / "secrets/access.json").owner(token, NOW) is not None
    listed = run.invoke(cli, ["access", "ls", *data])
    assert json.loads(listed.stdout)["name"] == "Vera" and token not in listed.stdout and "sha256" not in listed.stdout
    assert run.invoke(cli, ["access", "add", "Vera", "--role", "king", *data]).exit_code == 2
    assert run.invoke(cli, ["access", "remove", "Vera", *data]).exit_code == 0
    assert run.invoke(cli, ["access", "remove", "Vera", *data]).exit_code == 2


async def test_a_viewer_finds_no_letter_by_what_is_in_it(file: Path) -> None:
    viewer, operator = add_token(file, "Vera", "viewer", NOW), add_token(file, "Olaf", "operator", NOW)
    app = site(Access(file))
    for query, of_viewer, of_operator in (
        ("letter-1", True, True),
        ("jane.doe2", False, False),
        ('"m-77"', False, True),
    ):
        for token, is_found in ((viewer, of_viewer), (operator, of_operator)):
            text = (await browser(app, token).get(f"/search?q={query}")).text
            assert ("a dead letter of web" in text) == is_found, query
