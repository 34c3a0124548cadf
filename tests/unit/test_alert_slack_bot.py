"""A Slack bot: one message an incident, changed as it grows, what is new said below; and what Slack's errors mean."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from services.alerting.channels.outcome import ConversationSender, DigestSender
from services.alerting.channels.slack_bot import SlackBot, answered
from services.alerting.outgoing import Answer
from tests.incident_kit import NOW
from tests.receivers import Answer as Reply
from tests.receivers import Receiver, receiver
from tests.unit.test_alert_channels import CALLS, is_slack, message
from tests.unit.test_alert_dispatch import Bench, notice
from tests.unit.test_alerts_digest import long

TOKEN, ROOM = "xoxb-0123456789", "C0123456789"


def taken(ts: str = "1700000000.000100") -> Reply:
    """As Slack says it: what was posted is repeated, with a time of its own."""
    return (200, {}, json.dumps({"ok": True, "channel": ROOM, "ts": ts, "message": {"ts": "9.9"}}).encode())


def refused(error: str) -> Reply:
    return (200, {}, json.dumps({"ok": False, "error": error}).encode())


def bot(heard: Receiver) -> SlackBot:
    return SlackBot("hook", heard.url, TOKEN, ROOM, 60, CALLS)


def asked(heard: Receiver) -> list[tuple[str, dict[str, Any]]]:
    """(method, body) of every call; each as Slack documents it."""
    found = []
    for request in heard.got:
        assert request.headers["authorization"] == f"Bearer {TOKEN}"
        body = json.loads(request.body)
        assert body["channel"] == ROOM
        assert request.path in ("/chat.postMessage", "/chat.update")
        assert 0 < len(body["text"]) <= 3_000
        assert "blocks" not in body or is_slack(body)
        found.append((request.path[1:], body))
    return found


async def test_what_grows_is_changed_and_said_below() -> None:
    async with receiver(taken()) as heard:
        made = bot(heard)
        first = await made.send_on(message(), "")
        then = await made.send_on(message(kind="grown", remark="it was <high>"), first.ref)
    assert (first.ref, then.ref) == ("1700000000.000100",) * 2
    calls = asked(heard)
    assert [method for method, _ in calls] == ["chat.postMessage", "chat.update", "chat.postMessage"]
    assert calls[1][1]["ts"] == calls[2][1]["thread_ts"] == first.ref
    assert calls[2][1]["text"].endswith("it was &lt;high&gt;")
    assert isinstance(made, ConversationSender)
    assert isinstance(made, DigestSender)


async def test_a_message_that_is_gone_is_posted_anew() -> None:
    async with receiver(refused("message_not_found"), taken("2.2")) as heard:
        outcome = await bot(heard).send_on(message(kind="grown"), "1.1")
    assert [method for method, _ in asked(heard)] == ["chat.update", "chat.postMessage"]
    assert (outcome.kind, outcome.ref) == ("sent", "2.2")


async def test_a_digest_is_a_message_of_its_own() -> None:
    async with receiver(taken()) as heard:
        assert (await bot(heard).send_digest(long(3), frozenset())).kind == "sent"
    assert [method for method, _ in asked(heard)] == ["chat.postMessage"]


@pytest.mark.parametrize(
    ("reply", "kind", "in_doubt"),
    [
        (refused("invalid_blocks"), "final", False),
        (refused("not_in_channel"), "retry", False),
        (refused("invalid_auth"), "retry", False),
        (refused("internal_error"), "retry", True),
        ((429, {"retry-after": "30"}, b""), "retry", False),
        ((200, {}, b"<html>"), "retry", False),
    ],
)
def test_what_slack_answers_decides(reply: Reply, kind: str, in_doubt: bool) -> None:
    outcome = answered(Answer(reply[0], reply[2].decode(), 30.0 if reply[1] else None))
    assert (outcome.kind, outcome.in_doubt, outcome.ref) == (kind, in_doubt, "")


async def test_an_answer_that_is_cut_says_what_was_posted() -> None:
    whole = json.dumps({"ok": True, "channel": ROOM, "ts": "3.3", "message": {"text": "x" * 20_000, "ts": "4.4"}})
    async with receiver((200, {}, whole.encode())) as heard:
        assert (await bot(heard).send(message())).ref == "3.3"


async def _sent(replies: Sequence[Reply]) -> tuple[Bench, Receiver]:
    bench = Bench()
    async with receiver(*replies) as heard:
        made = bot(heard)
        bench.waits(notice("n1"), notice("n2", NOW + timedelta(seconds=1)))
        assert await bench.dispatcher.step(made)
        bench.now += timedelta(seconds=1)
        assert await bench.dispatcher.step(made)
        return bench, heard


async def test_a_conversation_remembers_its_message_on_its_desk() -> None:
    bench, heard = await _sent([taken()])
    assert [method for method, _ in asked(heard)] == ["chat.postMessage", "chat.update", "chat.postMessage"]
    assert bench.desks.of["crm:1"].threads[0].posts == {"hook": "1700000000.000100"}
    saved = [value for _, key, value in bench.log.written if key == "crm:1"]
    assert b"1700000000.000100" in (saved[-1] or b"")
