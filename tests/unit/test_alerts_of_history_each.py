"""Nobody is woken by history: every policy about accounts, by every way in which old news comes to the service."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest

from schemas.facts import AccountFact, Fact, SignalFact, TouchpointFact
from schemas.incidents import Message
from schemas.policies import Policy, PolicyTest
from schemas.touchpoints import AttributedTouchpoint
from streams.incidents.golden import only
from streams.incidents.intake import Lens
from streams.journey.account import AccountJourney
from streams.journey.facts import account_fact, facts_of
from streams.journey.golden import START, events_of
from tests.incident_kit import BLUEPRINT, COMPILED
from tests.unit.test_alerts_of_history import Watch

POLICIES = [policy for policy in BLUEPRINT.policies if not (policy.sources or policy.targets or policy.unusual)]
HALF, SECOND = timedelta(minutes=30), timedelta(seconds=1)


@dataclass
class Case:
    """A pain that a policy tells live: its touchpoints, when it is known, and the service that hears of it."""

    policy: Policy
    items: list[AttributedTouchpoint]
    now: datetime
    watch: Watch
    revisions: int = 0

    def changed(self, **fields: Any) -> None:
        self.items = [item.changed(touchpoint=item.touchpoint.changed(**fields)) for item in self.items]

    def later(self, span: timedelta) -> None:
        """The service hears of it so much later; the journey has known it all the time."""
        self.watch.now = self.now + span

    def facts(self) -> list[Fact]:
        account = AccountJourney("crm:golden", COMPILED)
        changes = account.accept(self.items, self.now)
        made: list[Fact] = [*facts_of(account, changes, self.now), account_fact(account, self.now)]
        return [_newer(fact, self.revisions) for fact in made]

    async def told(self) -> list[Message]:
        self.watch.watcher._lens = Lens(only(BLUEPRINT, self.policy))
        wards = self.watch.desks.wards
        wards[0] = wards[0].changed(heard={"golden": self.watch.now})  # nothing is held
        return await self.watch.told(self.facts())


def case(policy: Policy) -> Case:
    test = _first(policy)
    base = test.base | ({"account_traits": test.traits} if test.traits else {})
    now = START + timedelta(seconds=test.as_of_s)
    return Case(policy, events_of(test.model_copy(update={"base": base})), now, Watch(now))


def _first(policy: Policy) -> PolicyTest:
    return next(test for test in policy.tests if test.signals)


def _newer(fact: Fact, by: int) -> Fact:
    if by and isinstance(fact, TouchpointFact | SignalFact | AccountFact):
        return fact.changed(revision=fact.revision + by)
    return fact


def imported(one: Case) -> None:
    one.changed(backfill=True)


def mapped_anew(one: Case) -> None:
    one.changed(read_anew=True)


def replayed(one: Case) -> None:
    one.later(timedelta(seconds=one.policy.max_age_s) + HALF)


def migrated(one: Case) -> None:
    one.revisions = 100
    replayed(one)


def first_contact(one: Case) -> None:
    one.now += HALF
    one.watch.now = one.now
    one.changed(received_at=one.now)


def before_the_first_start(one: Case) -> None:
    one.watch = Watch(one.now, since=one.now + SECOND)


def before_a_new_blueprint(one: Case) -> None:
    one.watch = Watch(one.now, digest=2)
    one.watch.desks._remembered = {0: one.watch.desks.wards[0].changed(until=one.now + SECOND)}
    one.watch.desks._watch(0, one.now)


CAUSES: Sequence[Callable[[Case], None]] = (
    imported,
    mapped_anew,
    replayed,
    migrated,
    first_contact,
    before_the_first_start,
    before_a_new_blueprint,
)


def ids(values: Sequence[Any]) -> Iterator[str]:
    return (getattr(value, "id", "") or value.__name__ for value in values)


@pytest.mark.parametrize("policy", POLICIES, ids=ids(POLICIES))
async def test_live_it_is_told(policy: Policy) -> None:
    (message,) = await case(policy).told()
    assert (message.kind, message.policy) == ("opened", policy.id)


@pytest.mark.parametrize("cause", CAUSES, ids=ids(CAUSES))
@pytest.mark.parametrize("policy", POLICIES, ids=ids(POLICIES))
async def test_as_history_it_is_told_to_nobody(policy: Policy, cause: Callable[[Case], None]) -> None:
    one = case(policy)
    cause(one)
    assert await one.told() == []


@pytest.mark.parametrize("policy", POLICIES, ids=ids(POLICIES))
async def test_a_replay_tells_nothing_a_second_time(policy: Policy) -> None:
    one = case(policy)
    assert len(await one.told()) == 1
    one.revisions = 100
    assert len(await one.told()) == 1
