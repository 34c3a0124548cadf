"""The page of incidents: the same as the command and the alerts have them, what people do about them, who was told."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import orjson
import pytest
from fastapi import FastAPI

from schemas.config import DashboardConfig
from schemas.errors import ConfigurationError
from schemas.incidents import ACTIONS, Desk, IncidentAction
from services.cli.commands.incidents import rows_of
from services.dashboard.acting import ToLog
from services.dashboard.answers import Gateway, GatewayAway
from services.dashboard.bootstrap import build
from services.dashboard.pages.incidents.api import ACTION, EXAMPLE
from streams.incidents.actions import ActionLog
from streams.incidents.intake import Lens
from streams.incidents.threads import judged
from streams.journey.stored import signal_of
from tests import incident_kit
from tests.dashboard_fakes import BLUEPRINT, HOSTILE, NOW, FakeStore, browser_of
from tests.dashboard_seed import World, world
from tests.gateway_kit import client as gateway_client
from tests.gateway_kit import gateway
from tests.unit.test_dashboard_app import app_on

FORM = {"accept": "text/html", "origin": "http://127.0.0.1:8090"}


class Log:
    """Takes actions; or is away."""

    def __init__(self) -> None:
        self.actions: list[IncidentAction] = []
        self.error: Exception | None = None

    async def __call__(self, action: IncidentAction) -> None:
        if self.error is not None:
            raise self.error
        self.actions.append(action)


def hurt(*minutes: int, account: str = "crm:0000", **fields: Any) -> World:
    """One account with a pain each so many minutes ago; all of one case when `case_id` says so."""
    made = world(BLUEPRINT, NOW, touchpoints=0, days=1)
    pattern = world(BLUEPRINT, NOW, touchpoints=80, days=1)
    touchpoint = next(row for row in pattern.touchpoints if row["friction"])
    signal = next(row for row in pattern.signals if row["event_id"] == touchpoint["event_id"])
    for number, ago in enumerate(minutes):
        at = NOW - timedelta(minutes=ago)
        shared = {"account_id": account, "touchpoint_type": "contract", "phase": "purchase", "event_id": f"e{number}"}
        made.touchpoints.append(touchpoint | shared | {"occurred_at": at, "minute": at.replace(second=0)})
        told = {"signal_id": f"s{number}", "opened_at": at, "is_closed": 1, "closed_at": at, "evidence": [f"e{number}"]}
        made.signals.append(signal | shared | {"severity": 0.9, "explanation": "quite a pain"} | told | fields)
    made.accounts.append(pattern.accounts[0] | {"account_id": account, "name": "Acme", "last_seen_at": NOW})
    return made


@pytest.fixture
def log() -> Log:
    return Log()


def page_on(made: World, log: Log) -> FastAPI:
    return app_on(FakeStore(made), act=log)


def painful(account: str, tier: str) -> World:
    """By the rules that ship: a reopened ticket that is a failed moment of truth, a complaint, and a slow page."""
    made = hurt(90, 50, 20, account=account)
    made.accounts[0]["traits"] = orjson.dumps({"tier": tier, "name": "Acme"}).decode()
    reopened, tag, slow = made.signals
    reopened |= {"rule": "ticket_reopened", "severity": 0.7, "touchpoint_type": "support_ticket"}
    tag |= reopened | {"signal_id": "tag", "rule": "moment_of_truth_failed", "parts": [reopened["signal_id"]]}
    slow |= {"rule": "slow_page", "severity": 0.3, "touchpoint_type": "website_visit"}
    made.touchpoints[1] |= {"touchpoint_type": "complaint", "title": "Everything is late", "event_id": "e-complaint"}
    return made


def told_to(made: World, lens: Lens) -> Desk:
    """What the alerts service comes to, by the facts that the store's rows were made of."""
    account = made.accounts[0]
    desk = Desk(account_id=account["account_id"], name="Acme", tier=orjson.loads(account["traits"])["tier"])
    parts = [lens.part_of_signal(signal_of(row)) for row in made.signals]
    (row,) = [row for row in made.touchpoints if row["touchpoint_type"] == "complaint"]
    kind, at = lens.types["complaint"], row["occurred_at"]
    parts.append(lens.pain(kind, row["event_id"], at, row["phase"], row["person_id"], row["title"]))
    return judged(desk.changed(parts={part.part_id: part for part in parts}), incident_kit.view(NOW))


@pytest.mark.parametrize("tier", ["", "strategic"])
async def test_page_command_and_alerts_have_the_same_incidents_as_bad_and_as_old(tier: str) -> None:
    made, lens = painful("crm:0000", tier), incident_kit.LENS
    desk = told_to(made, lens)
    app = build(DashboardConfig(), store=FakeStore(made), blueprint=incident_kit.BLUEPRINT, clock=lambda: NOW)
    app.state.desk.reader.board.learn_desk("crm:0000", b"[" + desk.encoded() + b"]")
    answer = (await browser_of(app).get("/api/v1/incidents?window=7d")).json()["incidents"]
    by_page = {(each["id"], each["severity"], each["what"], bool(each["told_at"])) for each in answer}
    rows = rows_of([desk], lens, ActionLog(), NOW, everything=True)
    assert by_page == {(row["incident"], row["level"], row["what"], row["told"] == "told") for row in rows}
    by_alerts = {(thread.thread_id, thread.level) for thread in desk.threads}
    assert by_alerts == {(each[0], each[1]) for each in by_page if each[3]}
    assert len(by_page) == 3 and len(by_alerts) == 2, "a reopened ticket and its tag are one; the slow page is not told"


async def test_a_filter_or_a_window_never_cuts_an_incident_in_two(log: Log) -> None:
    made = hurt(300, 200, 20, case_id="case")
    made.signals.append(made.signals[0] | {"signal_id": "case", "rule": "struggle", "evidence": ["e0", "e1", "e2"]})
    app = browser_of(page_on(made, log))
    (short,), (long,) = [
        (await app.get(f"/api/v1/incidents?window={window}")).json()["incidents"] for window in ("1h", "7d")
    ]
    assert short == long
    assert (long["signs"], long["tags"]) == (3, ["Struggles in several ways"])


async def test_a_bad_score_is_one_sign_whatever_rules_saw_it(log: Log) -> None:
    made = hurt(20)
    made.signals.append(made.signals[0] | {"signal_id": "s9", "rule": "low_score", "severity": 0.4})
    text = (await browser_of(page_on(made, log)).get("/incidents/e0")).text
    assert "1 sign," in text and "also low scores" in text
    assert text.count("Why this counts") == 1


async def test_take_assign_note_silence_and_done_stand_in_the_log_with_who_and_when(log: Log) -> None:
    app = page_on(hurt(20), log)
    page = browser_of(app, **FORM)
    steps: list[tuple[dict[str, str], str]] = [
        ({"verb": "take"}, "Bo took it"),
        ({"verb": "assign", "to": "Ann"}, "Bo gave it to Ann"),
        ({"verb": "note", "text": "called <b>them</b>"}, "“called &lt;b&gt;them&lt;/b&gt;”"),
        ({"verb": "silence", "until": "1d"}, "Bo silenced it until"),
        ({"verb": "done"}, "Bo called it done"),
    ]
    for fields, words in steps:
        answer = await page.post("/incidents/e0?part=1", data={"by": "Bo", **fields})
        assert answer.status_code == 200 and words in answer.text, fields
    assert [action.verb for action in log.actions] == ["take", "assign", "note", "silence", "done"]
    assert all(action.events == ("e0",) and action.by == "Bo" and action.at == NOW for action in log.actions)
    assert log.actions[3].until == NOW + timedelta(days=1)
    listed = (await page.get("/incidents?window=7d")).text
    assert "<h2>Done" in listed and "done: Bo" in listed
    row = next(row for row in listed.split("<li") if "done: Bo" in row)
    assert ">Done<" in row and "Calm" not in row and "was " in row, "what is done was not calm"
    assert '<p class="facts">Was ' in (await page.get("/incidents/e0")).text


async def test_what_is_done_and_hurts_again_says_so(log: Log) -> None:
    made = hurt(90, case_id="case")
    app = page_on(made, log)
    board = app.state.desk.reader.board
    board.act(_action("a1", "take", minutes=80))
    board.act(_action("a2", "done", minutes=60))
    page = browser_of(app)
    assert "<h2>Done" in (await page.get("/incidents?window=7d")).text
    later = hurt(90, 10, case_id="case")
    made.signals.append(later.signals[1])
    made.touchpoints.append(later.touchpoints[1])
    made.signals.append(made.signals[0] | {"signal_id": "case", "rule": "struggle", "evidence": ["e0", "e1"]})
    app.state.desk.snapshots.expire()
    assert "came back" in (await page.get("/incidents?window=7d")).text
    text = (await page.get("/incidents/e1")).text
    assert "Came back: it hurts again after Ann called it done" in text
    assert "came back after Ann called it done" in text


def _action(action_id: str, verb: str, minutes: float) -> IncidentAction:
    at = NOW - timedelta(minutes=minutes)
    return IncidentAction.model_validate(
        {"action_id": action_id, "at": at, "by": "Ann", "verb": verb, "events": ["e0"]}
    )


async def test_an_action_reaches_the_log_through_the_gateway_and_replays(log: Log) -> None:
    """What the gateway writes is what the command writes; learned again it changes nothing."""
    app, writer = gateway()
    async with gateway_client(app) as http:
        send = ToLog(Gateway(http, "http://127.0.0.1:8080", "operators", b"OK"))
        page = app_on(FakeStore(hurt(20)), act=send)
        said = await browser_of(page, **FORM).post("/incidents/e0", data={"by": "Bo", "verb": "take"})
        assert (said.status_code, said.headers["location"]) == (303, "/incidents/e0")
        stranger = ToLog(Gateway(http, "http://127.0.0.1:8080", "operators", b"no"))
        with pytest.raises(ConfigurationError):
            await stranger(_action("a", "take", 0))
        bad = await http.post(
            "/v1/touchline/actions", content=b'{"verb": "take"}', headers={"authorization": "Bearer OK"}
        )
        assert bad.status_code == 400 and "action_id" in bad.text
    ((topic, key, item),) = writer.actions
    (action,) = ACTIONS.validate_json(b"[" + item + b"]")
    assert (topic, key, action.verb, action.by) == ("incidents.actions.v1", action.action_id, "take", "Bo")
    for _ in range(2):
        page.state.desk.reader.board.learn_action(key, b"[" + item + b"]")
    assert len(page.state.desk.reader.board.log.about(["e0"])) == 1


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"verb": "take", "by": ""}, "`by`"),
        ({"verb": "assign", "by": "Bo"}, "`to`"),
        ({"verb": "silence", "by": "Bo", "until": "yesterday"}, "`until`"),
        ({"verb": "note", "by": "Bo"}, "`text`"),
        ({"verb": "note", "by": "Bo", "text": "x" * 2_001}, "`text`"),
        ({"verb": "resolve", "by": "Bo"}, "`verb`"),
        ({"verb": "", "by": "Bo"}, "press on one of the buttons"),
    ],
)
async def test_what_is_lacking_is_said_in_the_form_and_nothing_is_written(
    log: Log, fields: dict[str, str], says: str
) -> None:
    for path in ("/incidents/e0", "/incidents/e0?part=1"):
        answer = await browser_of(page_on(hurt(20), log), **FORM).post(path, data=fields)
        assert answer.status_code == 400 and says in answer.text and 'role="alert"' in answer.text
    assert log.actions == []


async def test_the_enter_key_does_what_was_written_and_never_takes(log: Log) -> None:
    page = browser_of(page_on(hurt(20), log), **FORM)
    await page.post("/incidents/e0", data={"by": "Bo", "verb": "", "text": "called"})
    await page.post("/incidents/e0", data={"by": "Bo", "verb": "", "to": "Ann"})
    assert [action.verb for action in log.actions] == ["note", "assign"]


@pytest.mark.parametrize("error", [GatewayAway("the gateway does not answer"), ConfigurationError("no source")])
async def test_a_gateway_that_is_away_is_said_and_what_was_written_is_kept(log: Log, error: Exception) -> None:
    log.error = error
    page = browser_of(page_on(hurt(20), log), **FORM)
    answer = await page.post("/incidents/e0", data={"by": "Bo", "verb": "note", "text": HOSTILE})
    assert answer.status_code == 503 and str(error) in answer.text
    assert HOSTILE not in answer.text and "&lt;img" in answer.text
    assert "nobody has taken it" in answer.text


async def test_another_sites_form_changes_nothing(log: Log) -> None:
    app = page_on(hurt(20), log)
    for headers in ({"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}):
        answer = await browser_of(app).post("/incidents/e0", data={"by": "x", "verb": "take"}, headers=headers)
        assert answer.status_code == 403, headers
    assert log.actions == []


async def test_the_name_is_remembered_for_this_browser(log: Log) -> None:
    page = browser_of(page_on(hurt(20), log), **FORM)
    await page.post("/incidents/e0", data={"by": "Zoë ;=", "verb": "take"})
    assert 'value="Zoë ;="' in (await page.get("/incidents/e0")).text


async def test_every_action_leaves_a_line_of_audit(log: Log, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "touchline.audit"):
        await browser_of(page_on(hurt(20), log), **FORM).post("/incidents/e0", data={"by": "Bo", "verb": "take"})
    lines = [record for record in caplog.records if record.name == "touchline.audit"]
    (line,) = [record for record in lines if record.message != "change"]
    assert (line.__dict__["by"], line.__dict__["account"]) == ("Bo", "crm:0000")


async def test_that_nobody_was_told_is_shown(log: Log) -> None:
    text = (await browser_of(page_on(hurt(20), log)).get("/incidents/e0")).text
    assert re.search(r'class="mark">Nobody was told: no policy asks for incidents like this one', text)


async def test_evidence_is_inline_down_to_the_event(log: Log) -> None:
    text = (await browser_of(page_on(hurt(20), log)).get("/incidents/e0")).text
    for words in ("quite a pain", "<dd>web</dd>", "<dd>e0</dd>", "/touchpoints/e0", "nobody has taken it"):
        assert words in text, words


async def test_an_incident_that_is_not_there_is_404(log: Log) -> None:
    answer = await browser_of(page_on(hurt(20), log)).get("/incidents/none")
    assert answer.status_code == 404 and "no incident" in answer.text


async def test_today_says_who_is_on_it(log: Log) -> None:
    app = page_on(hurt(20), log)
    assert "1 not taken" in (await browser_of(app).get("/?window=7d")).text
    app.state.desk.reader.board.act(_action("a1", "take", minutes=5))
    app.state.desk.snapshots.expire()
    text = (await browser_of(app).get("/?window=7d")).text
    assert "Ann has 1 of 1" in text and "Ann is on it." in text


def test_the_board_takes_threads_of_a_desk_and_forgets_them() -> None:
    board = app_on(FakeStore()).state.desk.reader.board
    desk = orjson.dumps([{"account_id": "crm:1", "parts": {"anything": 1}, "threads": []}])
    board.learn_desk("crm:1", desk)
    board.learn_desk("ward:1", b"[{}]")
    board.learn_desk("crm:1", b"[{}]")
    board.learn_desk("crm:1", None)
    assert (board.version, board.threads("crm:1")) == (0, ())


def test_what_is_no_desk_in_the_desks_topic_is_no_error_of_the_board(caplog: pytest.LogCaptureFixture) -> None:
    board = app_on(FakeStore()).state.desk.reader.board
    for key in ("ward:1", "past:an-incident"):
        board.learn_desk(key, b"[{}]")
    assert caplog.records == []
    board.learn_desk("crm:1", b"[{}]")
    assert [line.getMessage() for line in caplog.records] == ["a desk of another version is left out"]


async def test_pages_of_the_api_neither_skip_nor_repeat(log: Log) -> None:
    page = browser_of(page_on(hurt(*range(5, 90, 10)), log))
    whole = (await page.get("/api/v1/incidents?window=7d")).json()
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = (await page.get(f"/api/v1/incidents?window=7d&limit=2&cursor={cursor}")).json()
        seen += [each["id"] for each in answer["incidents"]]
        cursor = answer["next_cursor"]
    assert seen == [each["id"] for each in whole["incidents"]] and len(set(seen)) == 9


async def test_the_api_filters_tags_its_answers_and_takes_actions(log: Log) -> None:
    app = page_on(hurt(20), log)
    page = browser_of(app)
    first = await page.get("/api/v1/incidents?window=7d&state=open&severity=severe")
    (each,) = first.json()["incidents"]
    assert set(each) == set(EXAMPLE), "the example is whole"
    again = await page.get(
        "/api/v1/incidents?window=7d&state=open&severity=severe", headers={"if-none-match": first.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")
    for name in (each["id"], each["event_id"]):
        assert (await page.get(f"/api/v1/incidents/{name}")).json()["view"]["id"] == each["id"]
    said = await page.post(f"/api/v1/incidents/{each['id']}/actions", json=ACTION)
    assert (said.status_code, said.json()["verb"], log.actions[0].to) == (202, "assign", "A. Yilmaz")
    assert (await page.get("/api/v1/incidents?window=7d&state=open")).json()["incidents"] == []


@pytest.mark.parametrize(
    ("path", "status", "kind"),
    [
        ("?state=lost", 400, "bad_parameter"),
        ("?severity=9", 400, "bad_parameter"),
        ("?limit=0", 400, "bad_parameter"),
        ("?cursor=x", 400, "bad_parameter"),
        ("?window=2h", 400, "bad_parameter"),
        ("/none", 404, "not_found"),
    ],
)
async def test_failures_of_the_api_are_problems(log: Log, path: str, status: int, kind: str) -> None:
    answer = await browser_of(page_on(hurt(20), log)).get(f"/api/v1/incidents{path}")
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    told = answer.json()
    assert (told["status"], told["kind"], bool(told["detail"])) == (status, kind, True)


async def test_a_body_that_is_no_object_is_a_problem(log: Log) -> None:
    answer = await browser_of(page_on(hurt(20), log)).post("/api/v1/incidents/e0/actions", content=b"[1]")
    assert answer.status_code == 400 and answer.json()["field"] == "body"


@pytest.mark.parametrize("text", ["acme", "QUITE a pain", "contract", "Ann"])
async def test_incidents_are_found_by_what_people_know_of_them(log: Log, text: str) -> None:
    app = page_on(hurt(20), log)
    app.state.desk.reader.board.act(_action("a1", "take", minutes=5))
    page = browser_of(app)
    assert 'href="/incidents/e0"' in (await page.get("/search", params={"q": text})).text
    assert 'href="/incidents/' not in (await page.get("/search", params={"q": "nothing like it"})).text
    assert 'href="/incidents/' not in (await page.get("/search")).text
