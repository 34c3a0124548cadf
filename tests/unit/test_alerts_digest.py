"""The digest of the day: what can wait comes together, once; who wants no more of it leaves with one click."""

from __future__ import annotations

from collections.abc import Set
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any, Literal

import orjson
import pytest

from schemas.alerting import AlertsConfig
from schemas.incidents import Desk, Digest, Notice, Sending, Thread, digest_mark
from services.alerting.channels import slack, webhook
from services.alerting.channels.email import Email
from services.alerting.channels.outcome import Outcome
from services.alerting.main import leave_of
from services.alerting.routing import Manners
from streams.incidents.actions import ActionLog
from streams.incidents.digests import MAX_LINES, daily
from streams.incidents.links import LEAVE, LEAVE_PATH, LinkError, read, signed
from streams.incidents.threads import judged
from tests.gateway_kit import NOW as GATEWAY_NOW
from tests.gateway_kit import client
from tests.incident_kit import NOW, ago, part, view
from tests.unit.test_alert_channels import (
    Mailbox,
    certificate,
    channel,
    is_slack,
    mail_server,
    message,
    named,
    trusting,
)
from tests.unit.test_alert_dispatch import Bench, Channel
from tests.unit.test_alert_links import KEY, LINK, Actions, app

FIXTURES = (certificate, named)
MORNING = NOW + timedelta(hours=20)
HOOK = {"name": "team", "url": "https://a.example", "secrets": [{"env": "X"}]}
AM = {"name": "am", "urls": ["https://am.example"]}


def manners(*routes: dict[str, Any]) -> Manners:
    given = {"webhooks": [HOOK], "alertmanager": [AM], "routes": list(routes)}
    return Manners(AlertsConfig.model_validate(given))


def test_a_digest_has_each_incident_once_as_it_stands_the_worst_first() -> None:
    told = [
        message(notice_id="1", incident_id="a", level="watch", headline="Mild", at=ago(hours=9)),
        message(notice_id="2", incident_id="b", level="high", headline="Bad", at=ago(hours=8), taken_by=""),
        message(notice_id="3", incident_id="a", level="watch", headline="Mild", kind="closed", at=ago(hours=1)),
        message(notice_id="4", incident_id="c", level="watch", headline="Small", at=ago(hours=2)),
    ]
    digest = daily("team", told, NOW)
    assert digest.title == "3 incidents that could wait"
    assert [(part.title, [line.words.split(" (")[0] for line in part.lines]) for part in digest.parts] == [
        ("Still open", ["Bad", "Small"]),
        ("Over", ["Mild"]),
    ]
    assert digest.parts[0].lines[1].words.endswith("Ann takes care of it)")
    assert daily("team", told[::-1], NOW + timedelta(hours=1)).digest_id == digest.digest_id
    assert daily("team", told[:3], NOW).digest_id != digest.digest_id


def long(count: int = 400) -> Digest:
    return daily(
        "team", [message(notice_id=str(n), incident_id=str(n), headline="x<&" * 60) for n in range(count)], NOW
    )


def test_a_long_digest_is_cut_where_it_is_said_and_fits_slack() -> None:
    assert long().parts[0].lines[-1].words == f"and {400 - MAX_LINES} more"
    body = slack.digest_body(long())
    assert is_slack(body)
    assert sum(block["text"]["text"].count("•") for block in body["blocks"][1:]) == MAX_LINES + 1


def test_a_webhook_gets_it_as_data() -> None:
    body = orjson.loads(webhook.digest_body(long(2)))
    assert (body["type"], len(body["data"]["parts"][0]["lines"])) == ("digest.daily", 2)


@pytest.mark.parametrize(
    ("routes", "name", "waits"),
    [
        ([{"channels": ["team"], "digest_below": "severe"}], "team", True),
        ([{"channels": ["team"], "digest_below": "high"}], "team", False),
        ([{"channels": ["team"]}, {"channels": ["team"], "digest_below": "severe"}], "team", False),
        ([{"channels": ["am"], "digest_below": "severe"}], "am", False),
    ],
)
def test_what_is_less_bad_waits_for_the_digest(routes: list[dict[str, Any]], name: str, waits: bool) -> None:
    manner = manners(*routes)
    assert manner.in_digest(message(level="high"), name) is waits
    at = manner.not_before(message(level="high"), name, NOW)
    assert at == (NOW.replace(hour=8) + timedelta(days=1) if waits else NOW)


def test_what_becomes_bad_enough_is_told_now_and_not_once_more_in_the_morning() -> None:
    manner = manners({"channels": ["team"], "digest_below": "severe"})
    mild = part("s", "e1", what="moment_of_truth_failed", severity=0.7)
    desk = judged(Desk(account_id="crm:1", parts={"s": mild}), view(manner=manner))
    assert [one.digest for notice in desk.threads[0].notices for one in notice.sendings] == [True]
    worse = desk.changed(
        parts=desk.parts | {"t": part("t", "e1", what="escalated", severity=1.0, touchpoint_type="complaint")}
    )
    sendings = [one for notice in judged(worse, view(manner=manner)).threads[0].notices for one in notice.sendings]
    assert [one.digest for one in sendings] == [False]


class DigestChannel(Channel):
    """A channel that carries digests, too."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.digests: list[Digest] = []

    async def send_digest(self, digest: Digest, left: Set[str]) -> Outcome:
        self.digests.append(digest)
        return self._outcomes.pop(0) if len(self._outcomes) > 1 else self._outcomes[0]


def bench(*outcomes: Outcome, state: Literal["due", "trying"] = "due", count: int = 3) -> tuple[Bench, DigestChannel]:
    made = Bench()
    carrier = DigestChannel(made.log, *outcomes)
    made.channel = carrier
    tried = NOW + timedelta(hours=20) if state == "trying" else None
    for number in range(count):
        sending = Sending(channel="hook", digest=True, next_at=MORNING, due_at=MORNING, state=state, tried_at=tried)
        notice = Notice(message=message(notice_id=f"n{number}", incident_id=f"i{number}", at=NOW), sendings=(sending,))
        thread = Thread(
            thread_id=f"i{number}",
            events=(f"e{number}",),
            opened_at=NOW,
            state="told",
            level="watch",
            notices=(notice,),
        )
        made.desks.put(Desk(account_id=f"crm:{number}", threads=(thread,)))
    return made, carrier


async def test_it_is_sent_once_in_the_morning() -> None:
    made, carrier = bench(Outcome("sent", "ok"))
    assert not await made.step()
    made.now = MORNING
    assert await made.step()
    assert [digest.title for digest in carrier.digests] == ["3 incidents that could wait"]
    assert carrier.got == []
    assert made.left == []
    assert not await made.step()


async def test_one_that_fails_is_tried_again_whole_and_with_the_same_id() -> None:
    made, carrier = bench(Outcome("retry", "500"), Outcome("sent", "ok"))
    made.now = MORNING + timedelta(minutes=9)
    assert await made.step()
    assert len({one.next_at for one in made.left}) == 1
    made.now += timedelta(seconds=5)
    assert await made.step()
    assert len({digest.digest_id for digest in carrier.digests}) == 1
    assert made.left == []


async def test_one_that_may_have_been_sent_before_a_crash_waits_and_keeps_its_id() -> None:
    made, carrier = bench(Outcome("sent", "ok"), state="trying")
    late = Sending(channel="hook", digest=True, next_at=MORNING, due_at=MORNING)
    notice = Notice(message=message(notice_id="late", incident_id="late", at=NOW), sendings=(late,))
    thread = Thread(thread_id="late", events=("l",), opened_at=NOW, state="told", level="watch", notices=(notice,))
    made.now = MORNING + timedelta(seconds=59)
    assert not await made.step()
    made.desks.put(Desk(account_id="crm:late", threads=(thread,)))
    made.now = MORNING + timedelta(seconds=60)
    assert await made.step()
    assert await made.step()
    names = [f"n{number}" for number in range(3)]
    same = daily("hook", [message(notice_id=name, incident_id=name, at=NOW) for name in names], NOW).digest_id
    assert [digest.digest_id == same for digest in carrier.digests] == [True, False]


@pytest.mark.usefixtures("named")
async def test_everybody_gets_a_mail_of_their_own_and_may_leave(
    certificate: tuple[Path, Path],  # noqa: F811 - the fixture
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LINKS", "k" * 32)
    links = {"url": "https://in.example.com", "secrets": [{"env": "LINKS"}]}
    leave = leave_of(AlertsConfig.model_validate({"public_url": "https://journey.example.com", "links": links}))
    box = Mailbox()
    async with mail_server(box, certificate) as port:
        sender = Email(channel(port), "", trusting(certificate), leave)
        gone = {digest_mark("mail", "B@example.com")}
        for left in (set[str](), gone, gone):
            outcome = await sender.send_digest(long(2).changed(digest_id=f"d{len(left)}"), left)
            assert outcome.kind == "sent", outcome.words
    assert [envelope.rcpt_tos for envelope in box.got] == [["a@example.com"], ["b@example.com"], ["a@example.com"]]
    content = box.got[1].content
    assert isinstance(content, bytes)
    mail = message_from_bytes(content, policy=policy.default)
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    url = mail["List-Unsubscribe"].strip("<>")
    token = url.removeprefix(f"https://in.example.com{LEAVE_PATH}")
    assert read(token, [KEY], GATEWAY_NOW, LEAVE).events == (digest_mark("mail", "b@example.com"),)
    text, html = (one.get_content() for one in mail.iter_parts())
    assert url in text.replace("\n", "")
    assert "x&lt;&amp;" in html


@pytest.mark.parametrize("body", [b"List-Unsubscribe=One-Click", b"do=leave"])
async def test_one_click_leaves_and_another_comes_back(body: bytes) -> None:
    actions, mark = Actions(), digest_mark("mail", "b@example.com")
    token = signed(LINK.__class__("", "digest", (mark,), LINK.until), KEY, LEAVE)
    async with client(app(actions)) as http:
        opened = await http.get(LEAVE_PATH + token)
        assert (opened.status_code, actions.kept) == (200, [])
        assert (await http.post(LEAVE_PATH + token, content=body)).status_code == 200
        assert ActionLog(actions.kept).left("mail") == {mark}
        assert ActionLog(actions.kept).left("other") == frozenset()
        assert ActionLog(actions.kept).standing([mark]).taken_by == ""
        await http.post(LEAVE_PATH + token, content=b"do=again")
        assert ActionLog(actions.kept).left("mail") == frozenset()


async def test_neither_kind_of_link_opens_what_the_other_does() -> None:
    actions = Actions()
    async with client(app(actions)) as http:
        assert (await http.post(LEAVE_PATH + signed(LINK, KEY), content=b"x")).status_code == 404
        assert (await http.get("/alerts/act/" + signed(LINK, KEY, LEAVE))).status_code == 404
    assert actions.kept == []
    with pytest.raises(LinkError):
        read(signed(LINK, KEY, LEAVE), [KEY], GATEWAY_NOW)


def test_a_digest_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing is less bad"):
        manners({"channels": ["team"], "digest_below": "watch"})
