"""Sending: written down before and after, in order for each conversation, patient, only by who holds the desk."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import datetime, timedelta
from typing import Any

import pytest

from schemas.alerting import AlertsConfig
from schemas.config import KafkaConfig
from schemas.incidents import Desk, Message, Notice, Sending, Thread, Ward
from services.alerting.channels.outcome import Outcome
from services.alerting.deliveries import Deliveries
from services.alerting.desks import Desks
from services.alerting.dispatch import LONGEST_PAUSE_S, Dispatcher, pause_s
from streams.runtime.metrics import NoMetrics
from tests.incident_kit import NOW
from tests.unit.test_alert_channels import message


class Log:
    """A producer that keeps what it was given."""

    def __init__(self) -> None:
        self.written: list[tuple[str, str, bytes | None]] = []

    async def send(self, topic: str, value: bytes | None, *, key: bytes, partition: int) -> Awaitable[Any]:
        self.written.append((topic, key.decode(), value))
        return asyncio.sleep(0)

    async def send_and_wait(self, topic: str, value: bytes | None, *, key: bytes, partition: int) -> None:
        self.written.append((topic, key.decode(), value))


class Channel:
    """A channel that answers what it is told, and looks at what was written before."""

    name, kind, per_minute = "hook", "fake", 60

    def __init__(self, log: Log, *outcomes: Outcome) -> None:
        self._log, self._outcomes = log, list(outcomes) or [Outcome("sent", "ok")]
        self.got: list[Message] = []
        self.was_written: list[bool] = []

    async def send(self, message: Message) -> Outcome:
        self.got.append(message)
        self.was_written.append(any(b'"trying"' in (value or b"") for _, _, value in self._log.written))
        return self._outcomes.pop(0) if len(self._outcomes) > 1 else self._outcomes[0]


class Bench:
    """A dispatcher on desks that hold one partition's accounts; `now` is the test's."""

    def __init__(self, *outcomes: Outcome) -> None:
        self.now = NOW
        self.log = Log()
        kafka = KafkaConfig(partitions=1)
        self.desks = Desks(kafka, self.log, 1)
        self.desks.wards = {0: Ward(partition=0, blueprint_digest=1, since=NOW, until=NOW)}
        self.channel = Channel(self.log, *outcomes)
        deliveries = Deliveries(kafka, self.log, NoMetrics())
        config = AlertsConfig(in_doubt_s=60, give_up_after_h=1)
        self.dispatcher = Dispatcher(
            self.desks, {"hook": self.channel}, deliveries, config, NoMetrics(), lambda: self.now
        )

    def waits(self, *notices: Notice, thread_id: str = "t", account: str = "crm:1") -> None:
        thread = Thread(thread_id=thread_id, events=("e1",), opened_at=NOW, state="told", level="high", notices=notices)
        self.desks.put(Desk(account_id=account, threads=(thread,)))

    async def step(self) -> bool:
        return await self.dispatcher.step(self.channel)

    @property
    def left(self) -> list[Sending]:
        threads = [thread for desk in self.desks.of.values() for thread in desk.threads]
        return [one for thread in threads for notice in thread.notices for one in notice.sendings]


def notice(name: str, at: datetime = NOW, **sending: Any) -> Notice:
    return Notice(
        message=message(notice_id=name, at=at), sendings=(Sending(channel="hook", **({"next_at": at} | sending)),)
    )


async def test_what_is_tried_is_written_down_first_and_forgotten_when_it_was_taken() -> None:
    bench = Bench()
    bench.waits(notice("n1"))
    assert await bench.step()
    assert bench.channel.was_written == [True]
    assert bench.left == []
    assert not await bench.step()


async def test_messages_of_one_conversation_keep_their_order() -> None:
    bench = Bench(Outcome("retry", "500"), Outcome("sent", "ok"))
    bench.waits(notice("n1"), notice("n2", NOW + timedelta(seconds=1)))
    assert await bench.step()
    assert not await bench.step(), "the first has its pause, and the second waits for it"
    bench.now += timedelta(seconds=5)
    assert await bench.step()
    assert await bench.step()
    assert [one.notice_id for one in bench.channel.got] == ["n1", "n1", "n2"]


async def test_one_conversation_does_not_wait_for_another() -> None:
    bench = Bench(Outcome("retry", "500"), Outcome("sent", "ok"))
    bench.waits(notice("n1"))
    bench.waits(notice("n2", NOW + timedelta(seconds=1)), thread_id="u", account="crm:2")
    bench.now += timedelta(seconds=1)
    assert await bench.step()
    assert await bench.step()
    assert [one.notice_id for one in bench.channel.got] == ["n1", "n2"]


@pytest.mark.parametrize(("waited_s", "is_sent"), [(59, False), (60, True)])
async def test_what_may_have_been_sent_before_a_crash_waits(waited_s: float, is_sent: bool) -> None:
    bench = Bench()
    bench.waits(notice("n1", state="trying", attempts=1, tried_at=NOW))
    bench.now += timedelta(seconds=waited_s)
    assert await bench.step() is is_sent


async def test_a_receiver_decides_how_long_it_is_left_alone() -> None:
    bench = Bench(Outcome("retry", "429", 30))
    bench.waits(notice("n1"))
    await bench.step()
    (left,) = bench.left
    assert left.next_at >= NOW + timedelta(seconds=30)
    assert bench.dispatcher.failing == {"hook": "429"}


async def test_after_long_enough_a_message_is_given_up() -> None:
    bench = Bench(Outcome("retry", "500"))
    bench.waits(notice("n1", NOW - timedelta(hours=1)))
    await bench.step()
    assert bench.left == []
    assert any(b'"gave_up"' in (value or b"") for topic, _, value in bench.log.written if "deliveries" in topic)


async def test_nothing_is_sent_for_partitions_that_are_not_held() -> None:
    bench = Bench()
    bench.waits(notice("n1"))
    bench.desks.forget([0])
    assert not await bench.step()
    bench.waits(notice("n1"))
    assert not await bench.step(), "the desk of a partition that is another's is not kept"


async def test_a_conversation_that_moved_meanwhile_is_marked_where_it_stands() -> None:
    bench = Bench()
    bench.waits(notice("n1"))
    due = bench.dispatcher.due("hook")
    assert due is not None
    moving = bench.desks.get("crm:1").threads
    bench.desks.put(Desk(account_id="crm:1"))
    bench.desks.put(Desk(account_id="crm:2", threads=moving))
    await bench.dispatcher._note(due, due.sending, Outcome("sent", "ok"))
    assert bench.left == []


def test_pauses_grow_and_end_at_a_quarter_of_an_hour() -> None:
    pauses = [pause_s(attempts) for attempts in range(1, 40)]
    assert 1.5 <= pauses[0] <= 2
    assert max(pauses) <= LONGEST_PAUSE_S
    assert min(pauses[10:]) >= LONGEST_PAUSE_S * 0.75
    assert pause_s(1, 120) == 120


async def test_saving_that_fails_is_done_again() -> None:
    bench = Bench()

    async def refuse(*_: Any, **__: Any) -> Awaitable[Any]:
        raise ConnectionError("Kafka is away")

    bench.waits(notice("n1"))
    working, bench.log.send = bench.log.send, refuse  # type: ignore[method-assign]
    with pytest.raises(ConnectionError):
        await bench.desks.save()
    bench.log.send = working  # type: ignore[method-assign]
    await bench.desks.save()
    assert [key for _, key, _ in bench.log.written] == ["crm:1"]
