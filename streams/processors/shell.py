"""The shell around every processor: a Faust agent that never raises and acks only what is done.

Faust acks when a handler raises, and `take()` acks in `finally`; either loses events. So the agent takes
events without acks, the handler classifies its own failures, and an event is acked by hand once all its
outputs are in Kafka. Records that wait are handled together, in order; acks are awaited apart.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from schemas.base import Lists
from schemas.errors import TransientError
from schemas.topics import TopicName
from schemas.touchpoints import DeadLetter
from streams.processors.waits import Waits
from streams.runtime import failpoints
from streams.runtime.dead import Origin, letter
from streams.runtime.decode import decode
from streams.runtime.fuse import Fuse, FuseBlown
from streams.runtime.metrics import Meter
from streams.runtime.outbox import Outbox, Output

MAX_UNDER_WAY = 2048
MAX_GROUP = 64
MAX_GROUP_BYTES = 8 << 20
RETRY_S = (0.2, 5.0)
#: What is not acked by then comes again at the next start; nobody waits for a refold at the exit.
DRAIN_S = 2.0
#: Its input's name among those who wait; the stage's other parts have their own.
INPUT = "input"
FUSE = "dead-letter fuse"
_log = logging.getLogger("touchline.stage")

T = TypeVar("T")
Done = Coroutine[Any, Any, object]
"""What remains to be awaited before records may be acked."""


@dataclass(frozen=True, slots=True)
class Record:
    """A Kafka record's value and where it stands."""

    value: bytes
    origin: Origin


@dataclass(eq=False, slots=True)
class Slot:
    """An event's place in the order of its partition, whether its work is done, and whether it is still ours."""

    event: Any
    done: bool = False
    ours: bool = True

    @property
    def place(self) -> tuple[str, int]:
        return (self.event.message.topic, self.event.message.partition)

    @property
    def size(self) -> int:
        return len(self.event.message.value or b"")

    def handled(self) -> None:
        """Let go of the record's bytes: what waits for its ack may wait for long."""
        self.event.message.value = self.event.value = None


class Acks:
    """Acks each partition's events in their order, whatever order they finish in.

    Faust commits past an event that is not acked when the one behind it is, and before a partition's first commit
    past any number: `Consumer._new_offset` looks for the gap one place too far.
    """

    def __init__(self, most: int) -> None:
        """`most` events may wait for their acks at a time."""
        self._room = asyncio.Semaphore(most)
        self._lanes: dict[tuple[str, int], deque[Slot]] = {}

    async def take(self, event: Any) -> Slot:
        """An event comes; those of its partition must come in order. Waits while there is no room."""
        slot = Slot(event)
        self._lanes.setdefault(slot.place, deque()).append(slot)
        await self._room.acquire()
        return slot

    def finished(self, slot: Slot) -> bool:
        """Ack it, and those behind it that waited for it, once everything before it is acked; whether any was."""
        slot.done = True
        lane, any_acked = self._lanes.get(slot.place, deque()), False
        while lane and lane[0].done:
            lane.popleft().event.ack()
            self._room.release()
            any_acked = True
        return any_acked

    def forget(self) -> None:
        """Partitions change hands: what is not acked comes again, and is acked then."""
        for lane in self._lanes.values():
            for slot in lane:
                slot.ours = False
                self._room.release()
        self._lanes.clear()


class Handler(Protocol):
    """A processor's part: takes records in, in order; returns what must finish before they are acked.

    May raise TransientError before it changed anything: the same records are handed over again, for ever.
    Anything else is a bug of ours: each record is then tried alone, and the one that fails is quarantined
    as a dead letter, so that the stream goes on.
    """

    async def handle(self, records: Sequence[Record]) -> Done: ...


@dataclass(frozen=True, slots=True)
class Read(Generic[T]):
    """The items of some records, in order, with their origins, and the letters for what cannot be read."""

    items: list[T]
    origins: list[tuple[Origin, int]]
    letters: list[DeadLetter]


class Stage:
    """One processor's flow from records to acks."""

    def __init__(self, name: str, outbox: Outbox, meter: Meter, die: Callable[[str], None]) -> None:
        self.name = name
        self.outbox = outbox
        self._meter = meter
        self._die = die
        self._fuse = Fuse()
        self._is_blown = False
        self.acks = Acks(MAX_UNDER_WAY)
        self._tasks: set[asyncio.Task[None]] = set()
        self.waits = Waits()
        self.moved_at = time.monotonic()
        #: How long the oldest record of the last group had waited in Kafka.
        self.behind_s = 0.0

    async def process(self, events: Any, handler: Handler) -> None:
        """Handle the events of a Faust stream, for ever: whatever has come by the time the last group is handled."""
        queue: asyncio.Queue[Slot] = asyncio.Queue()
        working = asyncio.get_running_loop().create_task(self._work(queue, handler))
        try:
            async for event in events:
                queue.put_nowait(await self.acks.take(event))
        finally:
            working.cancel()

    def read(self, records: Sequence[Record], model: Lists[T]) -> Read[T]:
        """Decode records; what cannot be read becomes a letter, its neighbours go on."""
        found: Read[T] = Read([], [], [])
        for record in records:
            decoded = decode(record.value, model)
            for index, item in decoded.items:
                found.items.append(item)
                found.origins.append((record.origin, index))
            found.letters.extend(
                letter(self.name, r.original, r.reason, r.message, record.origin, r.index) for r in decoded.refused
            )
        return found

    def refuse(self, letters: Sequence[DeadLetter], items: int) -> list[Output]:
        """Count a batch and its refusals; the outputs that keep them.

        Refusals that no source is to blame for are a mistake of ours, or a record that we did not write. When they are
        most of the input the stage takes in nothing more: what waits stays in Kafka, for whoever mends it.
        """
        self._meter.inc("touchline_stage_items_total", items, stage=self.name)
        for refused in letters:
            self._meter.inc("touchline_dead_letters_total", stage=self.name, reason=refused.reason)
        try:
            self._fuse.note(items, sum(not refused.source for refused in letters))
        except FuseBlown as blown:
            self.waits.wait(FUSE, f"{FUSE}: {blown}; fix the cause and restart")
            self._is_blown = True
        return [dead_output(refused) for refused in letters]

    def quarantined(self, record: Record, error: Exception) -> list[Output]:
        """A record that a mistake of ours keeps from being processed, as a letter; within its `except`."""
        message = f"{type(error).__name__}: {error}"
        _log.exception("a record cannot be processed", extra={"origin": record.origin})
        return self.refuse([letter(self.name, record.value, "processing_failed", message, record.origin, -1)], 1)

    def account(self, requests: Mapping[tuple[str, str], int], messages: Mapping[tuple[str, str], int]) -> None:
        """Count by source what became of requests, and of the messages in those that were read."""
        for (source, fate), count in requests.items():
            self._meter.inc("touchline_source_requests_total", count, source=source, fate=fate)
        for (source, fate), count in messages.items():
            self._meter.inc("touchline_source_messages_total", count, source=source, fate=fate)

    def ignore(self, source: str, reason: str, messages: int) -> None:
        """Count messages that concern no customer."""
        self._meter.inc("touchline_ignored_total", messages, source=source, reason=reason)

    def moved(self) -> None:
        """Work goes on, though nothing is acked: a long refold does not stall."""
        self.moved_at = time.monotonic()

    async def drain(self) -> None:
        """Wait for what is under way, a while."""
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=DRAIN_S)

    async def _work(self, queue: asyncio.Queue[Slot], handler: Handler) -> None:
        while True:
            group = [await queue.get()]
            size = group[0].size
            while len(group) < MAX_GROUP and size < MAX_GROUP_BYTES and not queue.empty():
                group.append(queue.get_nowait())
                size += group[-1].size
            failpoints.hit(f"{self.name}_after_read")
            self.behind_s = time.time() - min(slot.event.message.timestamp or time.time() for slot in group)
            attempted = await self._attempt(handler, group)
            if self._is_blown:
                await self._stand_still(attempted)
            for slots, done in attempted:
                task = asyncio.get_running_loop().create_task(self._finish(slots, done))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _stand_still(self, attempted: list[tuple[list[Slot], Done]]) -> None:
        """Until the process is ended. Nothing more is acked: the next process reads it again."""
        for _, done in attempted:
            done.close()
        await asyncio.Event().wait()

    async def _attempt(self, handler: Handler, group: list[Slot]) -> list[tuple[list[Slot], Done]]:
        """Hand records over until they are taken; a bug of ours costs one record, not the stream.

        Records of a partition that changed hands meanwhile are not ours to handle: they come again, here or elsewhere.
        """
        delay_s, started = RETRY_S[0], time.monotonic()
        while group := [slot for slot in group if slot.ours]:
            records = [_record(slot.event.message) for slot in group]
            try:
                done = await handler.handle(records)
            except TransientError as error:
                self.waits.wait(INPUT, str(error))
                self._meter.inc("touchline_stage_retries_total", stage=self.name)
                await asyncio.sleep(delay_s)
                delay_s = min(delay_s * 2, RETRY_S[1])
            except Exception as error:
                return await self._isolate(handler, group, error)
            else:
                self.waits.go_on(INPUT)
                self._meter.inc("touchline_stage_records_total", len(records), stage=self.name)
                self._meter.observe("touchline_stage_batch_seconds", time.monotonic() - started, stage=self.name)
                for slot in group:
                    slot.handled()
                return [(group, done)]
        self.waits.go_on(INPUT)
        return []

    async def _isolate(self, handler: Handler, group: list[Slot], error: Exception) -> list[tuple[list[Slot], Done]]:
        if len(group) > 1:
            return [pair for slot in group for pair in await self._attempt(handler, [slot])]
        return [(group, self.outbox.deliver(self.quarantined(_record(group[0].event.message), error)))]

    async def _finish(self, slots: list[Slot], done: Done) -> None:
        try:
            await done
            failpoints.hit(f"{self.name}_before_ack")
            for slot in slots:
                if self.acks.finished(slot):
                    self.moved()
        except asyncio.CancelledError:
            raise
        except Exception as error:
            self._die(f"{self.name}: outputs cannot be delivered: {type(error).__name__}: {error}")


def dead_output(refused: DeadLetter) -> Output:
    """A dead letter as an output."""
    topic: TopicName = "touchpoints.dead.v1"
    return (topic, refused.letter_id, refused.encoded())


def _record(message: Any) -> Record:
    return Record(message.value or b"[]", (message.topic, message.partition, message.offset))
