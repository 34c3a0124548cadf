"""Nobody is woken by history: each way in which old news comes to the service, beside the same pain told live."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from schemas.config import KafkaConfig
from schemas.facts import FACTS, AccountFact, Fact, SignalFact, TouchpointFact
from schemas.incidents import Message, Ward
from schemas.policies import PolicyTest
from services.alerting.deliveries import Deliveries
from services.alerting.desks import Desks
from services.alerting.watcher import Watcher
from streams.incidents.messages import Places
from streams.incidents.rhythm import Rhythms
from streams.journey.account import AccountJourney
from streams.journey.facts import account_fact, facts_of
from streams.journey.golden import START, events_of
from streams.runtime.metrics import NoMetrics
from tests.incident_kit import COMPILED, LENS
from tests.unit.test_alert_dispatch import Log

KAFKA = KafkaConfig(partitions=1)
HOUR = timedelta(hours=1)
#: A CFO's ticket that is reopened: three policies may ask for it.
REOPENED: dict[str, Any] = {
    "action": "ticket_status",
    "subject": "ticket:1",
    "properties": {"previous": "solved", "current": "open"},
    "person_traits": {"title": "CFO"},
}


def facts(*events: tuple[float, dict[str, Any]], at: datetime) -> list[Fact]:
    """What the journey tells of these events, `(seconds, event)`, at this time."""
    test = PolicyTest(name="history", events=events, as_of_s=0, signals=1)
    account = AccountJourney("crm:golden", COMPILED)
    changes = account.accept(events_of(test), at)
    return [*facts_of(account, changes, at), account_fact(account, at)]


class Watch:
    """The watching half of the service on desks in memory; `now` is the test's clock."""

    def __init__(self, now: datetime, since: datetime = START - 30 * HOUR, digest: int = 1) -> None:
        self.now, self.log = now, Log()
        self.desks = Desks(KAFKA, self.log, digest)
        self.desks.wards = {0: Ward(partition=0, blueprint_digest=1, since=since, until=since)}
        self.watcher = Watcher(
            None,
            self.desks,
            LENS,
            Deliveries(KAFKA, self.log, NoMetrics()),
            route=lambda message: ("team",),
            places=Places(),
            rhythms=Rhythms(),
            meter=NoMetrics(),
            clock=lambda: self.now,
        )

    async def told(self, told: Sequence[Fact]) -> list[Message]:
        """The messages that are made of facts, a moment after them."""
        self.watcher._take(FACTS.dump_json(list(told)), 0)
        self.now += timedelta(seconds=5)
        await self.watcher._look()
        threads = self.desks.get("crm:golden").threads
        return [notice.message for thread in threads for notice in thread.notices]


async def test_live_it_is_told() -> None:
    now = START + timedelta(seconds=90)
    (message,) = await Watch(now).told(facts((60, REOPENED), at=now))
    assert (message.kind, message.policy) == ("opened", "champion_in_pain")


@pytest.mark.parametrize(
    ("what", "event", "after"),
    [
        ("an import or a back-fill", {"backfill": True}, timedelta(0)),
        ("read anew by another mapping", {"read_anew": True}, timedelta(0)),
        ("known only after hours", {}, 5 * HOUR),
    ],
)
async def test_what_was_sent_or_is_read_as_history_is_told_to_nobody(
    what: str, event: dict[str, Any], after: timedelta
) -> None:
    now = START + timedelta(seconds=90) + after
    assert await Watch(now).told(facts((60, REOPENED | event), at=now)) == [], what


async def test_a_replay_of_everything_tells_nothing_a_second_time_and_nothing_of_the_past() -> None:
    now = START + timedelta(seconds=90)
    live = facts((60, REOPENED), at=now)
    watch = Watch(now)
    assert len(await watch.told(live)) == 1
    assert len(await watch.told(live)) == 1
    later = Watch(now + 5 * HOUR)  # the desks were lost as well
    assert await later.told(live) == []


async def test_a_migration_that_tells_every_row_anew_tells_nobody() -> None:
    now = START + timedelta(seconds=90)
    watch = Watch(now + 5 * HOUR)
    newer: list[Fact] = []
    for fact in facts((60, REOPENED), at=now):
        assert isinstance(fact, TouchpointFact | SignalFact | AccountFact)
        newer.append(fact.changed(revision=fact.revision + 100))
    assert await watch.told(newer) == []


async def test_the_first_contact_of_a_source_brings_its_past() -> None:
    now = START + timedelta(seconds=1_860)
    old = REOPENED | {"received_at": now}
    assert await Watch(now).told(facts((60, old), at=now)) == [], "half an hour before its first contact"
    known = Watch(now)
    first = {"action": "page_view", "page": "/pricing"}
    await known.told(facts((0, first), at=START))
    assert len(await known.told(facts((0, first), (60, old), at=now))) == 1, "late by half an hour, of a known source"


async def test_with_a_new_blueprint_everything_before_is_history(monkeypatch: pytest.MonkeyPatch) -> None:
    now = START + timedelta(seconds=90)
    for digest, count in ((1, 1), (2, 0)):
        watch = Watch(now, digest=digest)
        watch.desks._remembered = {0: watch.desks.wards[0].changed(until=START + timedelta(seconds=70))}
        watch.desks._watch(0, now)
        assert len(await watch.told(facts((60, REOPENED), at=now))) == count


async def test_before_the_first_start_is_history() -> None:
    now = START + timedelta(seconds=90)
    assert await Watch(now, since=START + timedelta(seconds=61)).told(facts((60, REOPENED), at=now)) == []
    assert len(await Watch(now, since=START + timedelta(seconds=60)).told(facts((60, REOPENED), at=now))) == 1


@pytest.mark.parametrize(("late", "held"), [(timedelta(0), 0), (2 * HOUR, 1)])
async def test_a_source_that_is_late_is_heard_up_to_what_it_has_come_to(late: timedelta, held: int) -> None:
    """No answer for four hours; the source speaks, and what it says is `late`."""
    opened: dict[str, Any] = {"action": "ticket_created", "subject": "ticket:1"}
    at = START + 4 * HOUR + timedelta(seconds=30)
    spoken = (at - late - START).total_seconds()
    other = {"action": "page_view", "page": "/pricing", "received_at": at}
    watch = Watch(at)
    await watch.told(facts((0, opened), at=START))
    await watch.told(facts((0, opened), (spoken, other), at=at))
    states = [thread.state for thread in watch.desks.get("crm:golden").threads]
    assert states == ["held" if held else "told"]
