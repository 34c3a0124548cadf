"""Alerts on the page: a channel is tried once and only on a fresh wish; policies are played with another number."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI

from schemas.alerting import AlertsConfig
from schemas.config import DashboardConfig, KafkaConfig
from schemas.incidents import DELIVERIES, Delivery, IncidentAction
from services.alerting.channels.outcome import Outcome
from services.alerting.deliveries import Deliveries
from services.alerting.trials import Trials
from services.dashboard.bootstrap import Surroundings, build
from services.dashboard.main import channels_of
from streams.incidents.actions import ActionLog
from streams.runtime.metrics import NoMetrics
from tests import incident_kit
from tests.dashboard_fakes import HOSTILE, NOW, FakeStore, browser_of
from tests.unit.test_alert_dispatch import Channel
from tests.unit.test_alert_dispatch import Log as Producer
from tests.unit.test_page_incidents import FORM, Log, painful


def page_on(log: Log) -> FastAPI:
    around = Surroundings(act=log, channels={"hook": "webhook"})
    store = FakeStore(painful("crm:0000", ""))
    return build(DashboardConfig(), store=store, blueprint=incident_kit.BLUEPRINT, clock=lambda: NOW, around=around)


async def test_a_channel_is_tried_from_the_page(log: Log) -> None:
    page = browser_of(page_on(log), **FORM)
    said = await page.post("/alerts", data={"by": "Bo", "channel": "hook"})
    assert (said.status_code, said.headers["location"]) == (303, "/alerts?tried=hook")
    (wish,) = log.actions
    assert (wish.verb, wish.to, wish.by, wish.at) == ("test", "hook", "Bo", NOW)
    text = (await page.get("/alerts?tried=hook")).text
    assert "A test is on its way through hook" in text and 'value="Bo"' in text
    for fields in ({"by": "Bo", "channel": "other"}, {"by": "", "channel": "hook"}, {}):
        answer = await page.post("/alerts", data=fields)
        assert answer.status_code == 400 and 'role="alert"' in answer.text
    assert len(log.actions) == 1


@pytest.fixture
def log() -> Log:
    return Log()


def wish(to: str = "hook", **fields: Any) -> bytes:
    base: dict[str, Any] = {"action_id": "w", "at": NOW, "by": "Bo", "verb": "test", "events": (f"channel:{to}",)}
    return b"[" + IncidentAction(**(base | {"to": to} | fields)).encoded() + b"]"


class Tried:
    """The alerts process's part, on one channel."""

    def __init__(self, *outcomes: Outcome, is_mine: bool = True) -> None:
        self.log = Producer()
        self.channel = Channel(self.log, *outcomes)
        deliveries = Deliveries(KafkaConfig(partitions=1), self.log, NoMetrics())
        self.trials = Trials({"hook": self.channel}, deliveries, "", lambda: NOW, lambda: is_mine)

    @property
    def lines(self) -> list[Delivery]:
        return [line for _, _, value in self.log.written for line in DELIVERIES.validate_json(value or b"[]")]


@pytest.mark.parametrize(("outcome", "said"), [("sent", "sent"), ("retry", "gave_up"), ("final", "gave_up")])
async def test_the_alerts_process_tries_it_once_and_the_answer_is_in_the_log(outcome: Any, said: str) -> None:
    tried = Tried(Outcome(outcome, "403 no"))
    tried.trials.learn(wish())
    await tried.trials.step()
    assert [message.kind for message in tried.channel.got] == ["test"]
    assert [(line.kind, line.channel, line.outcome, line.answer) for line in tried.lines] == [
        ("test", "hook", said, "403 no")
    ]


async def test_an_old_wish_another_process_and_an_unknown_channel_send_nothing() -> None:
    tried = Tried()
    tried.trials.learn(wish(at=NOW - timedelta(minutes=3)))
    tried.trials.learn(wish("gone"))
    await tried.trials.step()
    assert tried.channel.got == [] and [line.outcome for line in tried.lines] == ["gave_up"]
    other = Tried(is_mine=False)
    other.trials.learn(wish())
    await other.trials.step()
    assert (other.channel.got, other.lines) == ([], [])


def test_a_wish_is_nothing_that_was_done_about_an_incident() -> None:
    log = ActionLog([IncidentAction(action_id="w", at=NOW, by="Bo", verb="test", events=("e0",), to="hook")])
    assert log.standing(["e0"]).taken_by == "" and log.standing(["e0"]).notes == ()


async def test_policies_are_played_as_they_are_and_beside_a_change(log: Log) -> None:
    page = browser_of(page_on(log))
    text = (await page.get("/alerts?days=30")).text
    assert "2 messages in 30 days" in text and "With the change" not in text
    assert "1<small>crm:0000</small>" in text, "on whom"
    more = (await page.get("/alerts?days=30&policy=moment_of_truth_failed&number=threshold&value=0.9")).text
    assert "2 messages in 30 days, 1 with <b>threshold</b> of moment of truth failed at 0.9 instead of 0.5" in more


@pytest.mark.parametrize(
    "query",
    [
        "days=31",
        "days=30&policy=nobody&value=1",
        "days=30&policy=burst&number=runbook&value=1",
        "days=30&policy=burst&number=threshold&value=7",
        f"days=30&policy=burst&number=count&value={HOSTILE}",
    ],
)
async def test_what_cannot_be_played_is_said(log: Log, query: str) -> None:
    answer = await browser_of(page_on(log)).get(f"/alerts?{query}")
    assert answer.status_code == 400 and 'role="alert"' in answer.text and "<img" not in answer.text


async def test_without_a_channel_the_page_says_that_nobody_is_told() -> None:
    app = build(DashboardConfig(), store=FakeStore(), blueprint=incident_kit.BLUEPRINT, clock=lambda: NOW)
    assert "nobody is told of anything" in (await browser_of(app).get("/alerts")).text


def test_channels_are_named_with_their_kinds_and_without_their_secrets() -> None:
    hook = {"name": "hook", "url": "https://hook.example/secret", "secrets": [{"env": "X"}]}
    assert channels_of(AlertsConfig.model_validate({"webhooks": [hook]})) == {"hook": "webhook"}
