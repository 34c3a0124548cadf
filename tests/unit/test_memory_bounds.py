"""What a journey worker keeps is bounded by touchpoints, and what leaves and comes back changes no figure."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from unittest.mock import patch

import pytest
from aiokafka.errors import KafkaTimeoutError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.touchpoints import CleanTouchpoint
from streams.journey.account import TAIL, AccountJourney
from streams.journey.blueprints import load
from streams.journey.causes import LATE
from streams.journey.leaving import Left
from streams.processors import journey as journey_module
from streams.processors.memory import Live, Memory
from streams.runtime.outbox import Outbox, Output
from streams.runtime.writer import Position
from tests.journeys import AS_OF, attributed, touchpoint
from tests.pipeline import Pipeline
from tests.unit.test_pipeline_convergence import oracle, played, streams

BLUEPRINT = load()


def of(account_id: str, touchpoints: int, people: int = 1) -> AccountJourney:
    journey = AccountJourney(account_id, BLUEPRINT)
    items = [attributed(f"{account_id}-{n:05}", 60 * n, person=f"p{n % people}") for n in range(touchpoints)]
    journey.accept(items, AS_OF)
    return journey


def told_at(offset: int) -> asyncio.Future[Position]:
    told: asyncio.Future[Position] = asyncio.get_running_loop().create_future()
    told.set_result((0, offset))
    return told


# What counts


def test_what_comes_at_once_is_kept_no_longer_than_what_comes_one_by_one() -> None:
    assert len(of("crm:1", 1_000)._tail) <= TAIL


def test_an_account_of_many_people_weighs_what_it_keeps_of_them() -> None:
    few, many = of("crm:1", 600), of("crm:2", 600, people=600)
    assert few.weight < 3 * TAIL
    assert many.weight > few.weight + 600 // 3 - TAIL


async def test_what_is_kept_of_touchpoints_that_left_counts() -> None:
    memory = Memory(100, 4_000, lambda *_: True)
    gone = {f"e{n}": Left(0, 2) for n in range(300)}
    memory.keep("crm:1", Live(of("crm:1", 3), gone=gone))
    assert memory.touchpoints == of("crm:1", 3).weight + 100


async def test_one_account_never_drives_all_others_out() -> None:
    memory = Memory(100, 400, lambda *_: True)
    for n in range(5):
        memory.keep(f"crm:{n}", Live(of(f"crm:{n}", 5)))
    memory.keep("crm:giant", Live(of("crm:giant", 5_000, people=5_000)))
    memory.shrink()
    assert len(memory.live) == 6


# Who leaves


async def test_the_coldest_leave_until_the_touchpoints_fit() -> None:
    memory = Memory(1_000, 200, lambda *_: True)
    for n in range(30):
        memory.keep(f"crm:{n}", Live(of(f"crm:{n}", 10)))
    memory.use("crm:0")
    memory.weigh(memory.live["crm:0"])
    assert memory.shrink() > 0
    assert memory.touchpoints <= 200 and memory.touchpoints == sum(live.weight for live in memory.live.values())
    assert {"crm:0", "crm:29"} <= memory.live.keys() and "crm:1" not in memory.live


async def test_what_the_store_does_not_have_yet_stays() -> None:
    stored = 9
    memory = Memory(1, 1_000, lambda partition, offset: offset <= stored)
    never: asyncio.Future[Position] = asyncio.get_running_loop().create_future()
    failed: asyncio.Future[Position] = asyncio.get_running_loop().create_future()
    failed.set_exception(KafkaTimeoutError())
    memory.keep("crm:stored", Live(of("crm:1", 1), told_at(8)))
    memory.keep("crm:in Kafka", Live(of("crm:2", 1), told_at(9)))
    memory.keep("crm:on its way", Live(of("crm:3", 1), never))
    memory.keep("crm:refused", Live(of("crm:4", 1), failed))
    memory.keep("crm:row due", Live(of("crm:5", 1), told_at(1), row_is_due=True))
    memory.keep("crm:last", Live(of("crm:6", 1), None))
    assert memory.shrink() == 2
    assert list(memory.live) == ["crm:in Kafka", "crm:on its way", "crm:refused", "crm:row due"]
    assert memory.is_full and memory.oldest_unstored() is memory.live["crm:in Kafka"]
    stored = 10
    assert memory.shrink() == 1


async def test_those_that_wait_for_a_refold_count_too() -> None:
    memory = Memory(10, 20, lambda *_: True)
    entry = memory.mark_dirty("crm:1", LATE)
    entry.items += [attributed(f"e{n}", n) for n in range(21)]
    assert memory.is_full and memory.oldest_unstored() is None
    memory.dirty.clear()
    assert not memory.is_full


# The outcome is the same


@contextmanager
def pressed(accounts: int, touchpoints: int) -> Iterator[list[int]]:
    """Workers that keep next to nothing; yields how many accounts left, at each look."""
    left: list[int] = []

    def make(stored: Callable[[int, int], bool]) -> Memory:
        memory = Memory(accounts, touchpoints, stored)
        shrink = memory.shrink

        def counted() -> int:
            left.append(shrink())
            return left[-1]

        memory.shrink = counted  # type: ignore[method-assign]
        return memory

    with (
        patch.object(Pipeline, "make_memory", staticmethod(make)),
        patch.object(journey_module, "ROOM_EVERY_S", 0.0),
    ):
        yield left


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    stream=streams(),
    seed=st.integers(0, 10_000),
    bounds=st.sampled_from([(1, 1_000), (2, 12), (100, 4)]),
    restarts=st.integers(0, 2),
)
def test_the_outcome_under_pressure_is_that_without(
    stream: list[CleanTouchpoint], seed: int, bounds: tuple[int, int], restarts: int
) -> None:
    with pressed(*bounds):
        assert played(stream, seed, restarts=restarts) == oracle(stream)


#: Two accounts take turns, so that with room for one each has left when it is needed again.
TURNS = [touchpoint(f"e{n:02}", 60 * n, account_refs=(f"crm:{n % 2}",), page="/pricing") for n in range(12)]


async def _seldom(self: Pipeline) -> bool:
    return self.random.random() < 0.1 and await _sink(self)


_sink = Pipeline._sink


def test_accounts_that_take_turns_leave_and_come_back() -> None:
    with pressed(1, 1_000) as left, patch.object(Pipeline, "_sink", _seldom):
        for seed in range(5):
            assert played(TURNS, seed) == oracle(TURNS)
    assert sum(left) >= 5, "they did leave, or this shows nothing"


def test_without_waiting_for_the_store_the_check_fails() -> None:
    """Known bad: an account leaves as soon as it is cold, and is read again before the store has it."""
    with (
        pressed(1, 1_000),
        patch.object(Pipeline, "_sink", _seldom),
        patch.object(Memory, "_is_stored", lambda *_: True),
    ):
        assert any(played(TURNS, seed) != oracle(TURNS) for seed in range(20))


async def test_an_account_that_leaves_while_others_are_asked_for_is_not_taken_for_new() -> None:
    """A refold makes room while the store is asked which accounts it knows; this one was in memory when that began."""
    pipeline = Pipeline(BLUEPRINT, AS_OF, 1)
    journey, memory = pipeline.journey, pipeline.memory
    memory.keep("crm:1", Live(of("crm:1", 3)))

    async def existing(accounts: Sequence[str]) -> set[str]:
        memory.forget("crm:1")
        return set()

    pipeline.histories.existing = existing  # type: ignore[method-assign]
    assert await journey._new({"crm:1": 0, "crm:2": 0}) == {"crm:2"}
    await pipeline.close()


def test_one_account_with_half_of_all_events_stays_and_the_others_take_turns() -> None:
    stream = [
        touchpoint(f"e{n:03}", 60 * n, account_refs=("crm:half" if n % 2 else f"crm:{n % 10}",), page="/pricing")
        for n in range(60)
    ]
    with pressed(3, 40) as left:
        assert played(stream, 3) == oracle(stream)
    assert sum(left) >= 1


# What was told again


async def test_an_output_that_is_put_again_has_the_position_of_the_second_put() -> None:
    class Failing:
        def __init__(self) -> None:
            self.puts = 0

        def put(self, topic: str, key: str, item: bytes) -> asyncio.Future[Position]:
            self.puts += 1
            if self.puts == 1:
                first: asyncio.Future[Position] = asyncio.get_running_loop().create_future()
                first.set_exception(KafkaTimeoutError())
                return first
            return told_at(self.puts)

    outbox = Outbox(Failing(), pytest.fail)  # type: ignore[arg-type]
    outputs: list[Output] = [("journey.facts.v1", "crm:1", b"{}")] * 2
    futures = outbox.put(outputs)
    with patch("streams.runtime.outbox.RETRY_S", 0.0):
        assert await outbox.acked(outputs, futures) == [(0, 3), (0, 2)]
    assert [future.result() for future in futures] == [(0, 3), (0, 2)]
