"""When time passes for silences, and when accounts are looked at again because of it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from schemas.errors import StoreUnavailable
from streams.journey.causes import DEADLINE
from streams.processors import clock, timers
from streams.processors.clock import IDLE_S, Watermark
from streams.processors.journey import Journey, Parts
from streams.processors.timers import LOOK_EVERY_S, SWEEP_EVERY_S, Timers
from streams.runtime.writer import partition_of
from tests.journeys import AS_OF, at, attributed
from tests.virtual_time import in_virtual_time


class Clock:
    """Stands for the module `time`: moved by hand."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(clock, "time", made)
    return made


def is_wall_clock(watermark: Watermark) -> bool:
    before = datetime.now(UTC)
    return before <= watermark.as_of() <= datetime.now(UTC)


def test_while_touchpoints_flow_time_is_theirs_and_at_rest_ours(moved: Clock) -> None:
    watermark = Watermark()
    assert is_wall_clock(watermark)
    watermark.see(attributed(f"e{n}", seconds) for n, seconds in enumerate((5, 9, 7)))
    assert watermark.as_of() == at(9)
    moved.now += IDLE_S
    assert watermark.as_of() == at(9), "the rest begins after that long, not at it"
    moved.now += 0.001
    assert is_wall_clock(watermark)


def test_an_older_touchpoint_keeps_time_going_and_never_turns_it_back(moved: Clock) -> None:
    watermark = Watermark()
    watermark.see([attributed("e1", 9)])
    moved.now += IDLE_S
    watermark.see([attributed("e2", 3)])
    moved.now += IDLE_S
    assert watermark.as_of() == at(9)
    watermark.see([])
    moved.now += 0.001
    assert is_wall_clock(watermark), "nothing seen is no flow"
    watermark.see([attributed("e3", 12)])
    assert watermark.as_of() == at(12)


def test_a_touchpoint_of_tomorrow_does_not_hurry_time(moved: Clock) -> None:
    watermark = Watermark()
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    watermark.see([attributed("e1", 0, occurred_at=tomorrow, received_at=tomorrow)])
    assert is_wall_clock(watermark)


class Worker:
    """An account in memory whose rules are looked at; `after_telling` may be what another task does meanwhile."""

    def __init__(self, deadlines: dict[str, datetime | None], quiet: tuple[str, ...] = ()) -> None:
        self.told: list[tuple[str, datetime]] = []
        self.marked: list[tuple[str, str, bool]] = []
        self.live: dict[str, Any] = {
            name: SimpleNamespace(journey=SimpleNamespace(next_deadline=deadline, advance=self._advance(name in quiet)))
            for name, deadline in deadlines.items()
        }
        self.dirty: dict[str, object] = {}
        self.overdue_accounts: list[str] = []
        self.swept: list[datetime] = []
        self.fails = False
        self.leaves = ""
        self.facts_end: dict[int, int] = {0: 1}

    def _advance(self, is_quiet: bool) -> Any:
        return lambda as_of: [] if is_quiet else [as_of]

    def mark_dirty(self, account_id: str, cause: object, *, must_read: bool = False) -> None:
        self.marked.append((account_id, str(cause), must_read))

    async def tell(self, account_id: str, changes: list[datetime]) -> None:
        self.told.append((account_id, changes[0]))
        self.live.pop(self.leaves, None)

    async def overdue(self, as_of: datetime) -> list[str]:
        self.swept.append(as_of)
        if self.fails:
            raise StoreUnavailable("away")
        return self.overdue_accounts

    def timers(self, partitions: int = 1) -> Timers:
        parts = SimpleNamespace(
            memory=self,
            histories=self,
            watermark=SimpleNamespace(as_of=lambda: AS_OF),
            partitions=partitions,
            facts_end=self.facts_end,
        )
        return Timers(cast(Parts, parts), cast(Journey, self))


async def ran(worker: Worker, seconds: float, partitions: int = 1) -> None:
    """The timers, for that long."""
    running = asyncio.create_task(worker.timers(partitions).run())
    await asyncio.sleep(seconds)
    assert not running.done()
    running.cancel()


@pytest.fixture
def looped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timers, "time", SimpleNamespace(monotonic=lambda: asyncio.get_running_loop().time()))


SECOND = timedelta(seconds=1)


@pytest.mark.usefixtures("looped")
@in_virtual_time
async def test_accounts_whose_deadline_has_come_are_told_once_a_second() -> None:
    deadlines = {
        "due": AS_OF - SECOND,
        "now": AS_OF,
        "later": AS_OF + SECOND,
        "none": None,
        "dirty": AS_OF,
        "quiet": AS_OF,
    }
    worker = Worker(deadlines, quiet=("quiet",))
    worker.dirty["dirty"] = object()
    await ran(worker, 0.9 * LOOK_EVERY_S)
    assert worker.told == []
    await ran(worker, 1.5 * LOOK_EVERY_S)
    assert worker.told == [("due", AS_OF), ("now", AS_OF)]
    await ran(worker, 2.5 * LOOK_EVERY_S)
    assert len(worker.told) == 6 and not worker.swept


@pytest.mark.usefixtures("looped")
@in_virtual_time
async def test_an_account_that_left_meanwhile_is_not_told() -> None:
    worker = Worker({"a": AS_OF, "b": AS_OF, "c": AS_OF})
    worker.leaves = "b"
    await ran(worker, 1.5 * LOOK_EVERY_S)
    assert [name for name, _ in worker.told] == ["a", "c"]


@pytest.mark.usefixtures("looped")
@in_virtual_time
async def test_the_stores_overdue_accounts_are_read_now_and_then_by_their_owner_alone() -> None:
    names = [f"crm:{n}" for n in range(20)]
    in_memory, *mine = [name for name in names if partition_of(name, 2) == 0]
    assert mine and len(mine) < len(names) - 1
    worker = Worker({in_memory: None})
    worker.overdue_accounts = names
    await ran(worker, SWEEP_EVERY_S + 0.5 * LOOK_EVERY_S, partitions=2)
    assert not worker.swept, "not before its time"
    await ran(worker, 2 * (SWEEP_EVERY_S + LOOK_EVERY_S) + 0.5 * LOOK_EVERY_S, partitions=2)
    assert worker.swept == [AS_OF, AS_OF]
    assert worker.marked == [(name, str(DEADLINE), True) for name in mine] * 2


@pytest.mark.usefixtures("looped")
@in_virtual_time
async def test_a_store_that_is_away_stops_no_timer_and_is_told(caplog: pytest.LogCaptureFixture) -> None:
    worker = Worker({"due": AS_OF})
    worker.fails = True
    await ran(worker, 2.5 * (SWEEP_EVERY_S + LOOK_EVERY_S))
    assert len(worker.swept) == 2 and len(worker.told) > 2 * SWEEP_EVERY_S
    assert {record.getMessage() for record in caplog.records} == {"overdue accounts cannot be read: away"}
