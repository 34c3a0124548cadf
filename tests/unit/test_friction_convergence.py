"""Every rule of the catalogue finds the same whatever order its events arrive in, however often, and however mixed."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.friction_rules import GoldenTest
from schemas.touchpoints import AttributedTouchpoint
from streams.friction.compiled import CompiledRule
from streams.journey import account as account_module
from streams.journey import golden
from streams.journey.account import AccountJourney, Changes
from streams.journey.blueprints import load
from streams.journey.fold import fold
from streams.journey.step import Context, step
from tests.convergence import Batches, Told, comparable, last_event, live, visible
from tests.journeys import START

BLUEPRINT = load()
STAGE = golden.with_targets(BLUEPRINT, ())
TESTS = [(rule.id, test) for rule in BLUEPRINT.source.rules for test in rule.tests if not test.targets]
FIRING = [test for _, test in TESTS if test.signals]


def moved(test: GoldenTest, name: str, by_s: float) -> list[AttributedTouchpoint]:
    """A golden test's events, later, as events of their own."""
    shift = timedelta(seconds=by_s)
    return [
        item.changed(
            touchpoint=item.touchpoint.changed(
                event_id=f"{name}:{item.event_id}",
                occurred_at=item.touchpoint.occurred_at + shift,
                received_at=item.touchpoint.received_at + shift,
            )
        )
        for item in golden.events_of(test)
    ]


def arriving(items: list[AttributedTouchpoint], rng: random.Random) -> Batches:
    """In any order, some of it twice, in batches of any size."""
    stream = [*items, *rng.choices(items, k=len(items) // 2 + 1)]
    rng.shuffle(stream)
    batches: Batches = []
    while stream:
        size = rng.randint(1, 4)
        batches.append(stream[:size])
        del stream[:size]
    return batches


@pytest.mark.parametrize("rule_id", sorted({rule_id for rule_id, _ in TESTS}))
def test_each_golden_test_holds_in_any_order(rule_id: str) -> None:
    rng = random.Random(rule_id)
    for _, test in (pair for pair in TESTS if pair[0] == rule_id):
        as_of = START + timedelta(seconds=test.as_of_s)
        items = golden.events_of(test)
        oracle = fold(items, STAGE, as_of)
        for _ in range(4):
            told, state = live(arriving(items, rng), STAGE, last_event, as_of)
            assert (told.placed, told.signals, comparable(state)) == visible(oracle), test.name


@pytest.mark.parametrize("rule_id", sorted({rule_id for rule_id, _ in TESTS}))
def test_what_haste_said_is_taken_back(rule_id: str) -> None:
    """Silence is counted to the end before the answers arrive: withdrawn, or told anew, as they come."""
    rng = random.Random(f"{rule_id} in haste")
    for _, test in (pair for pair in TESTS if pair[0] == rule_id):
        as_of = START + timedelta(seconds=test.as_of_s)
        items = golden.events_of(test)
        oracle = fold(items, STAGE, as_of)
        told, _ = live(arriving(items, rng), STAGE, lambda batches: as_of, as_of)  # noqa: B023
        assert (told.placed, told.signals) == (oracle.placed, oracle.signals), test.name


@st.composite
def mixtures(draw: st.DrawFn) -> tuple[list[AttributedTouchpoint], Batches]:
    """Several stories of one account, through one another."""
    picked = draw(st.lists(st.sampled_from(FIRING), min_size=2, max_size=6))
    offsets = st.one_of(st.integers(0, 120), st.integers(0, 200_000), st.floats(0, 3).map(lambda x: round(x, 3)))
    items = [item for n, test in enumerate(picked) for item in moved(test, f"s{n}", draw(offsets))]
    return items, arriving(items, random.Random(draw(st.integers(0, 2**32))))


END = START + timedelta(days=40)


@settings(max_examples=250, deadline=None)
@given(case=mixtures())
def test_mixed_stories_converge(case: tuple[list[AttributedTouchpoint], Batches]) -> None:
    items, batches = case
    oracle = fold(items, BLUEPRINT, END)
    told, state = live(batches, BLUEPRINT, last_event, END)
    assert (told.placed, told.signals, comparable(state)) == visible(oracle)


@settings(max_examples=150, deadline=None)
@given(case=mixtures())
def test_mixed_stories_converge_with_a_short_tail(case: tuple[list[AttributedTouchpoint], Batches]) -> None:
    items, batches = case
    with patch.object(account_module, "TAIL", 4), patch.object(account_module, "MARK_EVERY", 2):
        told, state = live(batches, BLUEPRINT, last_event, END)
    oracle = fold(items, BLUEPRINT, END)
    assert (told.placed, told.signals, comparable(state)) == visible(oracle)


def test_every_rule_fires_in_the_stories() -> None:
    """The generator reaches the whole catalogue, so the permutations above prove something about all of it."""
    found = {
        signal.rule
        for test in FIRING
        for signal in fold(golden.events_of(test), STAGE, START + timedelta(seconds=test.as_of_s)).signals.values()
    }
    assert found == {rule.id for rule in BLUEPRINT.source.rules}


def _trusting(batches: Batches, as_of: datetime) -> Told:
    """The known-bad way: step whatever comes, whenever it comes."""
    account, told = AccountJourney("crm:1", STAGE), Changes()
    for item in (item for batch in batches for item in batch):
        account.profile.learn([item])
        step(Context(STAGE, account.profile, account.amended), account.state, item, told)
    return Told(told.placed, told.signals)


@pytest.mark.parametrize("rule_id", ["rage_click", "page_loop", "first_response_breach", "deal_regressed", "struggle"])
def test_trusting_the_order_of_arrival_is_caught(rule_id: str) -> None:
    wrong = 0
    for _, test in (pair for pair in TESTS if pair[0] == rule_id):
        items = golden.events_of(test)
        as_of = START + timedelta(seconds=test.as_of_s)
        wrong += _trusting([items[::-1]], as_of).signals != fold(items, STAGE, as_of).signals
    assert wrong > 0


def test_forgetting_to_withdraw_is_caught() -> None:
    """Known bad: a writer that never takes back says a breach that was none."""
    test = next(test for rule, test in TESTS if rule == "first_response_breach" and not test.signals)
    items, as_of = golden.events_of(test), START + timedelta(days=2)
    account, told = AccountJourney("crm:1", STAGE), Told()
    for item in items:
        changes = account.accept([item], as_of)
        told.signals |= changes.signals
        assert not changes.refold
    assert told.signals != fold(items, STAGE, as_of).signals


def test_two_ways_of_one_rule_have_signals_of_their_own() -> None:
    ways: list[CompiledRule] = [STAGE.rulebook.way(key) for key in ("ping_pong#replies", "ping_pong#assignees")]
    assert {way.id for way in ways} == {"ping_pong"} and ways[0].key != ways[1].key
