"""Teams, PagerDuty and Opsgenie: bodies as their documents want them, taken by receivers that check them."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

import orjson
import pytest

from schemas.incidents import Message
from services.alerting.channels import opsgenie, pagerduty, teams
from services.alerting.channels.opsgenie import Opsgenie
from services.alerting.channels.outcome import DigestSender, Outcome
from services.alerting.channels.pagerduty import PagerDuty
from services.alerting.channels.teams import MAX_BYTES, Teams
from services.alerting.outgoing import Outgoing
from tests.receivers import Answer, Receiver, receiver
from tests.unit.test_alert_channels import message, texts
from tests.unit.test_alerts_digest import long

KEY = "integration-key-0123456789abcdef"
TAKEN: Answer = (202, {}, b"{}")
HUGE = message(
    headline="x" * 5_000, runbook="y" * 50_000, people=("z" * 3_000,), remark="[a](http://evil.example) **b**"
)
MESSAGES = [message(), HUGE, message(act="https://in.example/alerts/act/t.s", evidence=(), taken_by="")]


def is_pagerduty(sent: dict[str, Any]) -> bool:
    assert set(sent) <= {
        "routing_key",
        "event_action",
        "dedup_key",
        "payload",
        "links",
        "images",
        "client",
        "client_url",
    }
    assert sent["routing_key"] == KEY
    assert sent["event_action"] in ("trigger", "acknowledge", "resolve")
    assert 0 < len(sent["dedup_key"]) <= 255
    if sent["event_action"] == "trigger":
        payload = sent["payload"]
        assert set(payload) <= {
            *("summary", "source", "severity", "timestamp", "component", "group", "class", "custom_details")
        }
        assert 0 < len(payload["summary"]) <= 1_024
        assert payload["source"]
        assert payload["severity"] in ("critical", "error", "warning", "info")
        assert all(link["href"].startswith("https://") and link["text"] for link in sent["links"])
        assert len(orjson.dumps(sent)) <= 512_000
    return True


def is_opsgenie(sent: dict[str, Any]) -> bool:
    assert 0 < len(sent["message"]) <= 130
    assert 0 < len(sent["alias"]) <= 512
    assert len(sent["description"]) <= 15_000
    assert sent["priority"] in ("P1", "P2", "P3", "P4", "P5")
    assert len(sent["tags"]) <= 20
    assert all(len(tag) <= 50 for tag in sent["tags"])
    assert all(isinstance(value, str) for value in sent["details"].values())
    assert sum(len(name) + len(value) for name, value in sent["details"].items()) <= 8_000
    return True


def is_card(sent: dict[str, Any]) -> bool:
    assert sent["type"] == "message"
    (attached,) = sent["attachments"]
    assert attached["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attached["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    for block in card["body"]:
        assert block["type"] == "RichTextBlock", "words from outside must not format"
        assert all(run["type"] == "TextRun" and run["text"] for run in block["inlines"])
    assert all(act["type"] == "Action.OpenUrl" and act["url"].startswith("https://") for act in card["actions"])
    assert len(orjson.dumps(sent)) <= MAX_BYTES
    return True


@pytest.mark.parametrize("given", MESSAGES)
def test_bodies_keep_to_what_is_documented(given: Message) -> None:
    assert is_pagerduty(pagerduty.body(given, KEY, "trigger"))
    assert is_opsgenie(opsgenie.body(given))
    assert is_card(teams.body(given))
    for body in (pagerduty.body(given, KEY, "trigger"), opsgenie.body(given), teams.body(given)):
        assert any("A moment of truth failed" in text or "xxx" in text for text in texts(body))
    assert len(teams.body(given)["attachments"][0]["content"]["actions"]) == (4 if given.act else 1)


def test_a_digest_fits_a_card() -> None:
    assert is_card(teams.digest_body(long(400)))


@pytest.mark.parametrize(
    ("kind", "level", "wanted"),
    [
        ("opened", "severe", ["trigger critical"]),
        ("grown", "high", ["trigger error"]),
        ("reminder", "watch", ["trigger warning"]),
        ("closed", "high", ["resolve"]),
        ("withdrawn", "high", ["resolve"]),
        ("test", "watch", ["trigger info", "resolve"]),
    ],
)
async def test_pagerduty_triggers_and_resolves_one_incident(kind: Any, level: Any, wanted: list[str]) -> None:
    async with receiver(TAKEN) as heard:
        outcome = await PagerDuty("pd", heard.url, KEY, 60, calls()).send(message(kind=kind, level=level))
    assert outcome.kind == "sent"
    sent = [json.loads(request.body) for request in heard.got]
    assert all(is_pagerduty(one) for one in sent)
    assert {request.path for request in heard.got} == {"/v2/enqueue"}
    assert len({one["dedup_key"] for one in sent}) == 1
    assert [f"{one['event_action']} {one.get('payload', {}).get('severity', '')}".strip() for one in sent] == wanted


@pytest.mark.parametrize(
    ("kind", "paths"),
    [
        ("opened", ["/v2/alerts"]),
        ("grown", ["/v2/alerts"]),
        ("closed", ["/v2/alerts/touchline-i-1/close?identifierType=alias"]),
        ("test", ["/v2/alerts", "/v2/alerts/touchline-i-1/close?identifierType=alias"]),
    ],
)
async def test_opsgenie_opens_and_closes_one_alert(kind: Any, paths: list[str]) -> None:
    async with receiver(TAKEN) as heard:
        outcome = await Opsgenie("og", heard.url, KEY, 60, calls()).send(message(kind=kind))
    assert outcome.kind == "sent"
    assert [unquote(request.path) for request in heard.got] == paths
    assert {request.headers["authorization"] for request in heard.got} == {f"GenieKey {KEY}"}
    opened = [json.loads(request.body) for request in heard.got if request.path == "/v2/alerts"]
    assert all(is_opsgenie(one) for one in opened)


async def test_teams_gets_a_card() -> None:
    async with receiver(TAKEN) as heard:
        sender = Teams("room", f"{heard.url}/workflows/x?sig={KEY}", 60, calls())
        assert (await sender.send(message())).kind == "sent"
        assert (await sender.send_digest(long(3), frozenset())).kind == "sent"
    assert all(is_card(json.loads(request.body)) for request in heard.got)
    assert {request.path for request in heard.got} == {f"/workflows/x?sig={KEY}"}
    assert isinstance(sender, DigestSender)


@pytest.mark.parametrize("name", ["pd", "og", "room"])
@pytest.mark.parametrize(
    ("status", "kind", "in_doubt"),
    [(400, "final", False), (401, "retry", False), (429, "retry", False), (500, "retry", True)],
)
async def test_what_they_answer_decides_and_shows_no_secret(name: str, status: int, kind: str, in_doubt: bool) -> None:
    async with receiver((status, {"retry-after": "7"}, f"no {KEY} here".encode())) as heard:
        outcome: Outcome = await sender_of(name, heard).send(message())
    assert (outcome.kind, outcome.in_doubt) == (kind, in_doubt)
    assert KEY not in outcome.words
    assert str(status) in outcome.words


def sender_of(name: str, heard: Receiver) -> PagerDuty | Opsgenie | Teams:
    if name == "pd":
        return PagerDuty("pd", heard.url, KEY, 60, calls())
    if name == "og":
        return Opsgenie("og", heard.url, KEY, 60, calls())
    return Teams("room", f"{heard.url}/workflows/x?{KEY}", 60, calls())


def calls() -> Outgoing:
    return Outgoing(("127.0.0.1",), timeout_s=2)
