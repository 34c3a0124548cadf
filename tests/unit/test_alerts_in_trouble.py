"""Ten minutes of a receiver in every kind of trouble, and a service that dies in between, in virtual time.

None lost, none sent again within `in_doubt_s` of a time when the receiver may have taken it, each incident in order.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Literal

import pytest

from schemas.alerting import AlertsConfig
from schemas.config import KafkaConfig
from schemas.incidents import Desk, Message, Notice, Sending, Thread, Ward
from services.alerting.channels.outcome import Outcome, judged
from services.alerting.deliveries import Deliveries
from services.alerting.desks import Desks
from services.alerting.dispatch import Dispatcher
from services.alerting.outgoing import Answer
from streams.runtime.metrics import NoMetrics
from tests.incident_kit import NOW
from tests.unit.test_alert_channels import message
from tests.unit.test_alert_dispatch import Log

IN_DOUBT_S = 60
INCIDENTS = 12
KAFKA = KafkaConfig(partitions=1)
Trouble = Literal["away", "busy", "broken", "silent", "fine"]
#: When each trouble begins, in seconds after the first message.
COURSE: dict[int, Trouble] = {0: "away", 600: "busy", 720: "broken", 900: "silent", 1_200: "fine"}


class Killed(BaseException):
    """The process is gone at this very place."""


class Receiver:
    """Takes what it takes, whatever it answers: `got` is (when, id) of all that people saw."""

    name, kind, per_minute = "hook", "fake", 600

    def __init__(self, seed: int) -> None:
        self.now = NOW
        self.got: list[tuple[datetime, str]] = []
        self.tried: list[tuple[datetime, Trouble]] = []
        self._chance = random.Random(seed)

    @property
    def trouble(self) -> Trouble:
        passed_s = (self.now - NOW).total_seconds()
        return COURSE[max(begin for begin in COURSE if begin <= passed_s)]

    async def send(self, message: Message) -> Outcome:
        trouble = self.trouble
        self.tried.append((self.now, trouble))
        if trouble in ("broken", "silent") or (trouble == "fine" and self._chance.random() < 0.9):
            self.got.append((self.now, message.notice_id))
            if self._chance.random() < 0.2:
                raise Killed
        answers = {
            "away": Outcome("retry", "ConnectError"),
            "busy": judged(Answer(429, "", 40.0)),
            "broken": judged(Answer(500, "")),
            "silent": Outcome("retry", "no answer within 10 s", in_doubt=True),
        }
        if trouble in answers:
            return answers[trouble]
        is_taken = self.got and self.got[-1] == (self.now, message.notice_id)
        return Outcome("sent", "ok") if is_taken else judged(Answer(503, ""))


class Service:
    """The sending half of the service on a log that outlives it."""

    def __init__(self, log: Log, receiver: Receiver, in_doubt_s: float = IN_DOUBT_S) -> None:
        self.desks = Desks(KAFKA, log, 1)
        self.desks.wards = {0: Ward(partition=0, blueprint_digest=1, since=NOW, until=NOW)}
        kept = {key: value for topic, key, value in log.written if "desks" in topic and not key.startswith("ward")}
        for value in kept.values():
            if value is not None:
                self.desks.put(Desk.model_validate_json(value[1:-1]))
        config = AlertsConfig(in_doubt_s=in_doubt_s)
        deliveries = Deliveries(KAFKA, log, NoMetrics())
        clock = lambda: receiver.now  # noqa: E731 - the test's clock
        self.dispatcher = Dispatcher(self.desks, {"hook": receiver}, deliveries, config, NoMetrics(), clock)


async def endured(seed: int, in_doubt_s: float = IN_DOUBT_S) -> tuple[Receiver, int]:
    """A course of troubles from the first message to the last; and how often the service died."""
    log, receiver, deaths = Log(), Receiver(seed), 0
    service = Service(log, receiver, in_doubt_s)
    for number in range(INCIDENTS):
        notices = tuple(
            Notice(
                message=message(notice_id=f"{number}-{kind}", at=NOW + timedelta(seconds=number + later)),
                sendings=(Sending(channel="hook", next_at=NOW),),
            )
            for later, kind in ((0, "opened"), (1, "closed"))
        )
        thread = Thread(thread_id=f"t{number}", events=("e",), opened_at=NOW, state="told", level="high")
        service.desks.put(Desk(account_id=f"crm:{number}", threads=(thread.changed(notices=notices),)))
    await service.desks.save()
    while service.desks.noticed:
        assert receiver.now < NOW + timedelta(hours=6), "still not through"
        try:
            had_one = await service.dispatcher.step(receiver)
        except Killed:
            service, deaths, had_one = Service(log, receiver, in_doubt_s), deaths + 1, False
        receiver.now += timedelta(seconds=0.1 if had_one else 1)
    return receiver, deaths


def storms(receiver: Receiver) -> list[str]:
    """Messages that people saw twice within the time that is promised."""
    seen: dict[str, datetime] = {}
    found = []
    for at, name in receiver.got:
        if name in seen and (at - seen[name]).total_seconds() < IN_DOUBT_S:
            found.append(name)
        seen[name] = at
    return found


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_none_is_lost_none_doubled_beyond_the_promise_and_each_in_its_order(seed: int) -> None:
    receiver, deaths = await endured(seed)
    names = [name for _, name in receiver.got]
    assert set(names) == {f"{number}-{kind}" for number in range(INCIDENTS) for kind in ("opened", "closed")}
    assert storms(receiver) == []
    for number in range(INCIDENTS):
        assert names.index(f"{number}-opened") < names.index(f"{number}-closed")
    assert deaths > 0


async def test_without_the_wait_people_would_see_a_storm() -> None:
    receiver, _ = await endured(1, in_doubt_s=1)
    assert storms(receiver) != []


async def test_a_receiver_that_asks_for_a_pause_is_left_alone_with_every_message() -> None:
    receiver, _ = await endured(1)
    tried = [at for at, trouble in receiver.tried if trouble == "busy"]
    assert len(tried) <= 120 / 40 + 1
    assert all((later - earlier).total_seconds() >= 40 for earlier, later in zip(tried, tried[1:], strict=False))


async def test_one_that_is_away_is_asked_less_and_less() -> None:
    receiver, _ = await endured(1)
    tried = [(at - NOW).total_seconds() for at, trouble in receiver.tried if trouble == "away"]
    first, last = sum(at < 60 for at in tried), sum(at >= 540 for at in tried)
    assert last < first / 3
