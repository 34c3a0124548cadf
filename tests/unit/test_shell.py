"""The shell acks only what is done, waits out what is away, and quarantines what is broken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from schemas.errors import StoreUnavailable
from schemas.touchpoints import DEAD, RAW, DeadLetter
from streams.processors import shell
from streams.processors.shell import Done, Record, Stage
from streams.runtime.metrics import NoMetrics
from streams.runtime.outbox import Output


@dataclass
class Message:
    offset: int
    value: bytes = b"[]"
    topic: str = "in"
    partition: int = 0
    timestamp: float | None = None


@dataclass
class Event:
    message: Message
    acked: list[int]
    value: bytes | None = None

    def ack(self) -> None:
        self.acked.append(self.message.offset)


@dataclass
class Outbox:
    """Keeps what is put; acks it when `release` is set."""

    outputs: list[Output] = field(default_factory=list)
    release: asyncio.Event = field(default_factory=asyncio.Event)

    async def deliver(self, outputs: Sequence[Output]) -> list[tuple[int, int]]:
        self.outputs += outputs
        await self.release.wait()
        return []


Handle = Callable[[Sequence[Record]], Any]


@dataclass
class Handler:
    act: Handle
    seen: list[list[int]] = field(default_factory=list)

    async def handle(self, records: Sequence[Record]) -> Done:
        self.seen.append([record.origin[2] for record in records])
        result: Done = self.act(records)
        return result


async def stream(events: Sequence[Event]) -> AsyncIterator[Event]:
    for event in events:
        yield event
    await asyncio.Event().wait()


class World:
    """A stage over `count` events whose handler does `act`."""

    def __init__(self, act: Handle, count: int = 3) -> None:
        self.acked: list[int] = []
        self.died: list[str] = []
        self.outbox = Outbox()
        outbox: Any = self.outbox
        self.stage = Stage("test", outbox, NoMetrics(), self.died.append)
        self.handler = Handler(act)
        self.events = [Event(Message(offset), self.acked) for offset in range(count)]

    async def play(self, seconds: float = 0.05) -> None:
        task = asyncio.create_task(self.stage.process(stream(self.events), self.handler))
        await asyncio.sleep(seconds)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture(autouse=True)
def _fast_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "RETRY_S", (0.001, 0.001))


async def test_nothing_is_acked_before_its_outputs_are() -> None:
    world = World(lambda records: world.outbox.deliver([("t", "k", b"x")]))  # type: ignore[list-item]
    await world.play()
    assert world.handler.seen and world.acked == []
    world.outbox.release.set()
    await asyncio.sleep(0.01)
    assert sorted(world.acked) == [0, 1, 2]


async def test_acking_on_return_is_caught() -> None:
    """Known bad: a shell that acks when the handler returns has acked what Kafka does not have."""
    world = World(lambda records: world.outbox.deliver([("t", "k", b"x")]))  # type: ignore[list-item]

    async def eager(events: Any, handler: Handler) -> None:
        async for event in events:
            asyncio.ensure_future(await handler.handle([Record(b"[]", ("in", 0, event.message.offset))]))
            event.ack()

    task = asyncio.create_task(eager(stream(world.events), world.handler))
    await asyncio.sleep(0.02)
    task.cancel()
    assert world.acked and not world.outbox.release.is_set()
    world.outbox.release.set()
    await asyncio.sleep(0)


async def test_a_dependency_that_is_away_is_waited_for_and_nothing_is_dead_lettered() -> None:
    attempts: list[int] = []

    def act(records: Sequence[Record]) -> Done:
        attempts.append(len(records))
        if len(attempts) < 5:
            raise StoreUnavailable("away")
        return _nothing()

    world = World(act)
    await world.play(0.1)
    assert sorted(world.acked) == [0, 1, 2] and world.outbox.outputs == [] and not world.stage.waits


async def test_a_record_that_breaks_us_is_quarantined_and_its_neighbours_go_on() -> None:
    def act(records: Sequence[Record]) -> Done:
        if any(record.origin[2] == 1 for record in records):
            raise ValueError("bug")
        return _nothing()

    world = World(act)
    world.outbox.release.set()
    await world.play()
    letters = [DEAD.validate_json(b"[" + item + b"]")[0] for _, _, item in world.outbox.outputs]
    assert [(letter.origin_offset, letter.reason) for letter in letters] == [(1, "processing_failed")]
    assert sorted(world.acked) == [0, 1, 2]


async def test_records_that_wait_are_handled_together() -> None:
    world = World(lambda records: _nothing(), count=50)
    await world.play()
    assert len(world.handler.seen) < 10 and sorted(world.acked) == list(range(50))


async def test_undecodable_items_become_letters_with_their_bytes() -> None:
    world = World(lambda records: _nothing())
    found = world.stage.read([Record(b'[{"request_id": 1}, 7]', ("in", 0, 4))], RAW)
    assert found.items == [] and [letter.original for letter in found.letters] == ['{"request_id": 1}', "7"]


async def test_outputs_that_cannot_be_delivered_end_the_process() -> None:
    async def fail() -> None:
        raise RuntimeError("no")

    world = World(lambda records: fail())
    await world.play()
    assert world.acked == [] and world.died


def letters_of(world: World, count: int) -> list[DeadLetter]:
    """Refusals of items that nobody can say the source of."""
    value = b"[" + b",".join([b"7"] * count) + b"]"
    return world.stage.read([Record(value, ("in", 0, 4))], RAW).letters


async def test_when_most_input_cannot_be_read_the_stage_stands_still_and_says_so() -> None:
    """Nothing of it is acked, nobody's process ends: whoever mends the cause starts it again, and nothing is lost."""

    def refuse(records: Sequence[Record]) -> Done:
        return world.outbox.deliver(world.stage.refuse(letters_of(world, 1_200), 1_200))

    world = World(refuse)
    world.outbox.release.set()
    await world.play()
    assert world.acked == [] and world.died == [] and len(world.handler.seen) == 1
    assert "dead-letter fuse: 1,200 of the last 1,200" in world.stage.waits.what


async def test_refusals_that_a_source_is_to_blame_for_never_stop_the_stage() -> None:
    """Its own fuse sets that source aside; one that counted them here would stop everybody."""
    world = World(lambda records: _nothing())
    blamed = [each.changed(source="noisy") for each in letters_of(world, 1_200)]
    world.stage.refuse(blamed, 1_200)
    assert not world.stage.waits
    world.stage.refuse(letters_of(world, 1_201), 1_201)
    assert world.stage.waits


async def _nothing() -> None:
    return None
