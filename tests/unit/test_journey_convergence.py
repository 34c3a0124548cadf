"""Any arrival order gives the map, the signals and the state of in-order processing."""

from __future__ import annotations

from datetime import datetime
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.touchpoints import AttributedTouchpoint
from streams.journey import account as account_module
from streams.journey.account import AccountJourney, Changes
from streams.journey.blueprints import load
from streams.journey.fold import fold
from streams.journey.state import JourneyState
from streams.journey.step import Context, step
from tests.convergence import Batches, Clock, Told, comparable, last_event, live, visible
from tests.journeys import AS_OF, at, attributed, histories

BLUEPRINT = load()


def impatient(batches: Batches) -> datetime:
    """A clock that runs ahead of the events: silence is counted before the answer is known."""
    return AS_OF


@st.composite
def arrivals(draw: st.DrawFn) -> tuple[list[AttributedTouchpoint], Batches]:
    history = draw(histories())
    order = draw(st.permutations(history))
    duplicates = draw(st.lists(st.sampled_from(history), max_size=5))
    stream = [*order, *duplicates]
    size = draw(st.integers(1, 8))
    return history, [stream[i : i + size] for i in range(0, len(stream), size)]


@pytest.mark.parametrize("clock", [last_event, impatient])
@settings(max_examples=300, deadline=None)
@given(case=arrivals())
def test_any_order_converges(clock: Clock, case: tuple[list[AttributedTouchpoint], Batches]) -> None:
    history, batches = case
    oracle = fold(history, BLUEPRINT, AS_OF)
    told, state = live(batches, BLUEPRINT, clock)
    assert (told.placed, told.signals, comparable(state)) == visible(oracle)


@settings(max_examples=200, deadline=None)
@given(case=arrivals())
def test_a_short_tail_converges_too(case: tuple[list[AttributedTouchpoint], Batches]) -> None:
    """With a tail of four most disorder needs a refold, and trimming happens all the time."""
    history, batches = case
    with patch.object(account_module, "TAIL", 4), patch.object(account_module, "MARK_EVERY", 2):
        told, state = live(batches, BLUEPRINT, last_event)
    oracle = fold(history, BLUEPRINT, AS_OF)
    assert (told.placed, told.signals, comparable(state)) == visible(oracle)


@settings(max_examples=100, deadline=None)
@given(history=histories(), data=st.data())
def test_fold_ignores_order_and_duplicates(history: list[AttributedTouchpoint], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations([*history, *history[:3]]))
    assert visible(fold(shuffled, BLUEPRINT, AS_OF)) == visible(fold(history, BLUEPRINT, AS_OF))


def test_long_disorder_stays_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """2,000 touchpoints, each swapped with its neighbour, are mended from the tail without one refold."""
    history = [attributed(f"e{i:05}", i * 0.7, "click", element="x", page="/a", session_id="s") for i in range(2_000)]
    batches = [[history[i + 1], history[i]][j : j + 1] for i in range(0, 2_000, 2) for j in range(2)]
    account = AccountJourney("crm:1", BLUEPRINT)
    refolds = sum(bool(account.accept(batch, at(0)).refold) for batch in batches)
    assert refolds == 0
    assert comparable(account.state) == comparable(fold(history, BLUEPRINT, at(0)).state)


def last_write_wins(batches: Batches) -> tuple[Told, JourneyState]:
    """The known-bad way: step whatever comes, whenever it comes."""
    account, told = AccountJourney("crm:1", BLUEPRINT), Changes()
    for item in (item for batch in batches for item in batch):
        account.profile.learn([item])
        step(Context(BLUEPRINT, account.profile, account.amended), account.state, item, told)
    return Told(told.placed, told.signals), account.state


def test_last_write_wins_is_caught() -> None:
    """The convergence check can fail: the variant that trusts arrival order breaks it."""
    history = [
        attributed("e1", 0, "lifecycle_changed", properties={"value": "customer"}),
        attributed("e2", 60, "lifecycle_changed", properties={"value": "churned"}),
    ]
    told, state = last_write_wins([[history[1]], [history[0]]])
    oracle = fold(history, BLUEPRINT, AS_OF)
    assert (told.placed, state.phase) != (oracle.placed, oracle.state.phase)


def test_a_future_stamp_does_not_capture_the_state() -> None:
    """An event stamped ten years ahead sorts by when we received it, so later news still counts."""
    ahead = attributed("e1", 10, "lifecycle_changed", properties={"value": "churned"}, clock_suspect=True,
                       occurred_at=at(10 + 10 * 365 * 86_400))  # fmt: skip
    later = attributed("e2", 20, "lifecycle_changed", properties={"value": "lead"})
    assert fold([ahead, later], BLUEPRINT, AS_OF).state.phase == "consideration"
