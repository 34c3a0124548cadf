"""Known-bad stages: the checks must catch a stage that acks too early, one that loses on a transient error, and one
whose last write wins."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from schemas.errors import StoreUnavailable
from streams.processors.shell import Done, Record, Slot, Stage
from streams.runtime.metrics import NoMetrics
from streams.runtime.outbox import Outbox
from streams.runtime.writer import Position
from tests.faults.kit.checks import differences
from tests.faults.kit.oracle import expected, touchpoints_of
from tests.faults.kit.scenario import scenario

pytestmark = [
    pytest.mark.fault,
    # a killed process does not await what it was about to
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning"),
]
RECORDS = 40


class Log:
    """An input with a committed offset and an output; a crash forgets what is neither acked nor written."""

    def __init__(self) -> None:
        self.acked: set[int] = set()
        self.written: list[bytes] = []

    async def events(self) -> AsyncIterator[Any]:
        """What has not been acked, as a new process gets it."""
        for offset in range(RECORDS):
            if offset not in self.acked:
                message = SimpleNamespace(value=b"%d" % offset, topic="in", partition=0, offset=offset, timestamp=None)
                yield SimpleNamespace(message=message, ack=lambda offset=offset: self.acked.add(offset))
                await asyncio.sleep(0)

    @property
    def lost(self) -> set[bytes]:
        """Acked, and nowhere."""
        return {b"%d" % offset for offset in self.acked} - set(self.written)


class Slow:
    """A writer that needs time: what is under way at a crash is gone."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.killed = False

    def put(self, topic: str, key: str, item: bytes) -> asyncio.Future[Position]:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Position] = loop.create_future()

        def ack() -> None:
            if not (self.killed or done.done()):
                self._log.written.append(item)
                done.set_result((0, len(self._log.written)))

        loop.call_later(0.02, ack)
        return done


class Copy:
    """Each record's value goes out; some hand-overs fail first, as when a store is away for a moment."""

    def __init__(self, outbox: Outbox, failures: int) -> None:
        self._outbox, self.failures = outbox, failures

    async def handle(self, records: Sequence[Record]) -> Done:
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("away for a moment")
        outputs = [("touchpoints.attributed.v1", "k", record.value) for record in records]
        return self._outbox.acked(outputs, self._outbox.put(outputs))  # type: ignore[arg-type]


class EarlyAck(Stage):
    """Known bad: acks first, and waits for its outputs then."""

    async def _finish(self, slots: list[Slot], done: Done) -> None:
        for slot in slots:
            self.acks.finished(slot)
        await super()._finish([], done)


class Take(Stage):
    """Known bad: as Faust's `take()`, which acks in `finally` whatever became of the handler."""

    async def _work(self, queue: asyncio.Queue[Slot], handler: Any) -> None:
        while True:
            slot = await queue.get()
            try:
                message = slot.event.message
                await (await handler.handle([Record(message.value, ("in", 0, message.offset))]))
            except StoreUnavailable:
                continue
            finally:
                self.acks.finished(slot)


async def crash_and_resume(kind: type[Stage], *, failures: int = 0, crash_after_s: float = 0.015) -> Log:
    """Run a stage, kill it in the middle of its writes, and let the next process go on."""
    log = Log()
    for life_s in (crash_after_s, 0.5):
        writer = Slow(log)
        outbox = Outbox(writer, pytest.fail)  # type: ignore[arg-type]
        stage = kind("attribute", outbox, NoMetrics(), pytest.fail)
        before = asyncio.all_tasks()
        running = asyncio.create_task(_forever(stage, log, Copy(outbox, failures)))
        await asyncio.sleep(life_s)
        writer.killed = True
        running.cancel()
        for task in asyncio.all_tasks() - before:
            task.cancel()
        await asyncio.sleep(0)
        failures = 0
    return log


async def _forever(stage: Stage, log: Log, handler: Copy) -> None:
    async def events() -> AsyncIterator[Any]:
        async for event in log.events():
            yield event
        await asyncio.Event().wait()

    await stage.process(events(), handler)


async def test_a_stage_killed_in_the_middle_loses_nothing() -> None:
    log = await crash_and_resume(Stage)
    assert len(log.acked) == RECORDS and not log.lost


async def test_a_transient_error_loses_nothing() -> None:
    log = await crash_and_resume(Stage, failures=2, crash_after_s=0.5)
    assert len(log.acked) == RECORDS and not log.lost


async def test_acking_before_the_outputs_are_flushed_is_caught() -> None:
    assert (await crash_and_resume(EarlyAck)).lost


async def test_a_take_agent_is_caught() -> None:
    assert (await crash_and_resume(Take, failures=2, crash_after_s=0.5)).lost


def test_last_write_wins_is_caught() -> None:
    """Known bad: a map that believes whatever arrived last. Two orders of arrival, two maps."""
    load, now = scenario("lww", 3, people=12), time.time()
    pairs = [(call, now + index / 1000) for index, call in enumerate(load.calls)]
    backwards = [(call, now - index / 1000) for index, call in enumerate(load.calls)]
    assert differences(expected(pairs), expected(backwards)) == {}, "the oracle's agree"
    assert _by_arrival(pairs) != _by_arrival(list(reversed(pairs)))


def _by_arrival(pairs: list[tuple[Any, float]]) -> dict[str, str]:
    """Account → phase of the touchpoint that arrived last."""
    picture, told = expected(pairs), {}
    for event_id in (event_id for pair in pairs for event_id in touchpoints_of([pair])):
        row = picture.touchpoints[event_id]
        told[row["account_id"]] = row["phase"]
    return told
