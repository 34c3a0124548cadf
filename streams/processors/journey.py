"""journey: attributed touchpoints in, facts out. The one writer of the accounts of its partitions."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from aiokafka.errors import KafkaError

from schemas.errors import TransientError
from schemas.facts import AccountsFact
from schemas.topics import TopicName
from schemas.touchpoints import ACCOUNT_INPUTS, AttributedTouchpoint, Recall, Recalled, Refold, Withdraw
from streams.journey.account import AccountJourney, Changes
from streams.journey.causes import IDS_OF_BEFORE, LATE, LOAD, READ_ANEW, REPAIR, Cause, attributed_anew
from streams.journey.compiled import CompiledBlueprint
from streams.journey.corrections import corrected_from_memory
from streams.journey.facts import account_fact, facts_of
from streams.processors.clock import Watermark
from streams.processors.history import Histories
from streams.processors.memory import Dirty, Live, Memory
from streams.processors.progress import SinkProgress
from streams.processors.readings import Readings
from streams.processors.shell import Done, Record, Stage
from streams.runtime.metrics import Meter, NoMetrics
from streams.runtime.outbox import Output
from streams.runtime.writer import Position, partition_of
from streams.sentences import said

INPUT: TopicName = "touchpoints.attributed.v1"
OUTPUT: TopicName = "journey.facts.v1"
RECALLED_OUTPUT: TopicName = "touchpoints.recalled.v1"
ROWS_EVERY_S = 1.0
#: While memory is full it is looked so often whether there is room again.
ROOM_EVERY_S = 0.05
_log = logging.getLogger("touchline.journey")


@dataclass(frozen=True, slots=True)
class Parts:
    """What the journey worker is made of; the stepping, the refolds and the timers share it."""

    stage: Stage
    blueprint: CompiledBlueprint
    memory: Memory
    histories: Histories
    progress: SinkProgress
    watermark: Watermark
    partitions: int
    facts_end: dict[int, int] = field(default_factory=dict)

    meter: Meter = field(default_factory=NoMetrics)
    mappings: Mapping[str, int] = field(default_factory=dict)
    """Source → version of the mapping that reads it."""

    async def stored(self, accounts: Iterable[str]) -> None:
        """Return once the store has everything that was told of these accounts. Raises TransientError."""
        for account_id in accounts:
            partition, live = partition_of(account_id, self.partitions), self.memory.live.get(account_id)
            if (leaving := self.memory.emptied.get(account_id)) is not None:
                await self.progress.reached(partition, await _acked_at(leaving) + 1)
            elif live is None:
                await self.progress.reached(partition, self.facts_end.get(partition, 0))
            elif live.told is not None:
                await self.progress.reached(partition, await _acked_at(live.told) + 1)

    def shrink(self) -> None:
        """Keep memory within its bounds, and tell how full it is."""
        memory, meter = self.memory, self.meter
        if forgotten := memory.shrink():
            meter.inc("touchline_accounts_evicted_total", forgotten)
        meter.set("touchline_accounts_in_memory", len(memory.live))
        meter.set("touchline_touchpoints_in_memory", memory.touchpoints)
        meter.set("touchline_touchpoints_waiting", memory.waiting)


@dataclass(slots=True)
class _Batch:
    """One record's worth: up to when silence counts, what goes out, and what must be refolded before it is acked."""

    as_of: datetime
    outputs: list[Output] = field(default_factory=list)
    told: list[tuple[Live, int]] = field(default_factory=list)
    rows: asyncio.Future[None] | None = None
    waits: dict[str, Dirty] = field(default_factory=dict)
    read: list[AttributedTouchpoint] = field(default_factory=list)


class Journey:
    """Steps what it can from memory; what it cannot waits for a refold, and its record for that."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._stage, self._memory, self._watermark = parts.stage, parts.memory, parts.watermark
        self._readings = Readings(parts.stage, parts.histories, parts.mappings)
        self._rows_due: dict[str, Live] = {}
        self._rows_done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._rows_wanted = asyncio.Event()
        self._settled = asyncio.Event()
        self._revocations = 0
        self._room: asyncio.Task[None] | None = None

    def revoked(self) -> None:
        """Partitions change hands: nothing is handled until `assigned`. Faust feeds records before it says so."""
        self._revocations += 1
        self._settled.clear()
        self._forget()

    def assigned(self, facts_end: dict[int, int]) -> None:
        """These partitions are ours: forget everything. What was told before `facts_end` may not be stored yet.

        What was under way is not acked, and comes again.
        """
        self._forget()
        self._parts.facts_end.update(facts_end)
        self._settled.set()

    def _forget(self) -> None:
        self._memory.clear()
        if self._room is not None:
            self._room.cancel()
        self._rows_due.clear()
        self._rows_done.cancel()
        self._rows_done = asyncio.get_running_loop().create_future()
        self._parts.facts_end.clear()

    async def handle(self, records: Sequence[Record]) -> Done:
        """Records of touchpoints, withdrawals and recalls. Raises StoreUnavailable before it changed anything."""
        await self._has_room()
        found = self._stage.read(records, ACCOUNT_INPUTS)
        partitions = {item.account_id: origin[1] for item, (origin, _) in zip(found.items, found.origins, strict=True)}
        new = await self._new_now(partitions)
        touchpoints = [item for item in found.items if isinstance(item, AttributedTouchpoint)]
        self._watermark.see(touchpoints)
        batch = _Batch(self._watermark.as_of(), read=touchpoints)
        for account_id, group in _by_account(touchpoints, batch, self._memory).items():
            self._accept(account_id, group, batch, known_new=account_id in new)
        for item in found.items:
            if not isinstance(item, AttributedTouchpoint):
                self._command(item, batch, known_new=item.account_id in new)
        batch.outputs += self._stage.refuse(found.letters, len(found.items) + len(found.letters))
        self._parts.shrink()
        return self._delivered(batch)

    async def run(self) -> None:
        """For ever: tell the accounts' own rows, at most once a second each."""
        while True:
            await self._rows_wanted.wait()
            await asyncio.sleep(ROWS_EVERY_S)
            due, done = self._rows_due, self._rows_done
            self._rows_due, self._rows_done = {}, asyncio.get_running_loop().create_future()
            self._rows_wanted.clear()
            batch = _Batch(self._watermark.as_of())
            for account_id, live in due.items():
                if self._memory.live.get(account_id, live) is live:  # a refold has told its own row
                    batch.outputs += fact_outputs([account_fact(live.journey, batch.as_of)])
                    batch.told.append((live, len(batch.outputs) - 1))
                    live.row_is_due = False
            await self._acked(batch, self._put(batch))
            if not done.done():
                done.set_result(None)

    async def tell(self, account_id: str, changes: Changes) -> None:
        """Tell changes that no record brought: a deadline passed. The account's own row follows by itself."""
        batch = _Batch(self._watermark.as_of())
        self._tell(self._memory.live[account_id], changes, batch)
        await self._acked(batch, self._put(batch))

    async def _has_room(self) -> None:
        """Wait while memory is full: for refolds, and for the store to have what accounts told, so that they may leave.

        What comes in meanwhile stays in Kafka.
        """
        while self._memory.is_full:
            if (oldest := self._memory.oldest_unstored()) is not None:
                self._room = asyncio.get_running_loop().create_task(self._stored(oldest))
                await asyncio.wait([self._room])
            await asyncio.sleep(ROOM_EVERY_S)
            self._parts.shrink()

    async def _stored(self, live: Live) -> None:
        """Return once the store has what the account told last; or its telling failed, and comes again."""
        with suppress(KafkaError):
            if live.told is not None:
                partition, offset = await asyncio.shield(live.told)
                await self._parts.progress.reached(partition, offset + 1)

    async def _new_now(self, partitions: dict[str, int]) -> set[str]:
        """`_new`, asked within one assignment. Raises TransientError when partitions changed hands meanwhile.

        Then the shell hands over again what is still ours.
        """
        revocations = self._revocations
        await self._settled.wait()
        new = await self._new(partitions)
        if revocations != self._revocations:
            raise TransientError("partitions changed hands")
        return new

    async def _new(self, partitions: dict[str, int]) -> set[str]:
        """Of the accounts (with their partitions), those that are known to have no history.

        An account in memory is none of them, for it may leave memory while the others are asked for. Nor is one that
        the store may have soon: what a predecessor told is not stored yet.
        """
        ends, progress = self._parts.facts_end, self._parts.progress
        asked = [a for a in self._memory.unknown(partitions) if progress.has(partitions[a], ends.get(partitions[a], 0))]
        return set(asked) - await self._parts.histories.existing(asked) if asked else set()

    def _accept(self, account_id: str, items: list[AttributedTouchpoint], batch: _Batch, *, known_new: bool) -> None:
        live = self._memory.use(account_id)
        if any(item.touchpoint.read_anew for item in items):
            self._postpone(account_id, items, READ_ANEW, batch, must_read=False)
            return
        if account_id in self._memory.dirty or (live is None and not known_new):
            self._postpone(account_id, items, LOAD if live is None else LATE, batch, must_read=live is None)
            return
        if live is None:
            live = Live(AccountJourney(account_id, self._parts.blueprint))
            self._memory.keep(account_id, live)
        changes = live.journey.accept(items, batch.as_of)
        self._memory.weigh(live)
        if changes:
            batch.outputs += fact_outputs(corrected_from_memory(live.journey, items, changes, batch.as_of))
            self._tell(live, changes, batch)
        if changes.refold or changes.incomplete:
            must_read = changes.incomplete or changes.cause is not LATE
            self._postpone(account_id, changes.refold, changes.cause or REPAIR, batch, must_read=must_read)

    def _postpone(
        self, account_id: str, items: list[AttributedTouchpoint], cause: Cause, batch: _Batch, *, must_read: bool
    ) -> None:
        entry = self._memory.mark_dirty(account_id, attributed_anew(items, cause), must_read=must_read)
        entry.items += items
        batch.waits[account_id] = entry

    def _command(self, item: Recall | Withdraw | Refold, batch: _Batch, *, known_new: bool) -> None:
        if isinstance(item, Recall):
            self._memory.depart(item)
        if self._has_nothing_of(item, known_new=known_new):
            return
        if isinstance(item, Recall):
            entry = self._memory.mark_dirty(item.account_id, Cause("links", item.cause))
            entry.recalls.append(item)
        elif isinstance(item, Refold):
            entry = self._memory.mark_dirty(item.account_id, Cause("asked", item.cause), must_read=True)
        else:
            self._memory.leave(item)
            entry = self._memory.mark_dirty(item.account_id, _why_withdrawn(item), must_read=True)
            entry.withdraw(item)
        batch.waits[item.account_id] = entry

    def _has_nothing_of(self, item: Recall | Withdraw | Refold, *, known_new: bool) -> bool:
        """Whether the account is known to hold nothing that the command is about: most recalls are of that kind.

        A refold that is meant for another blueprint than ours is about nothing: who sent it sees that it is left.
        """
        if isinstance(item, Refold) and item.blueprint_digest not in (0, self._parts.blueprint.digest):
            return True
        if item.account_id in self._memory.dirty:
            return False
        live = self._memory.live.get(item.account_id)
        if live is None:
            return known_new
        if not isinstance(item, Recall) or not item.person_ids or "" in item.person_ids:
            return False
        state = live.journey.state
        return state.people.keys().isdisjoint(item.person_ids) and state.left_out.keys().isdisjoint(item.person_ids)

    def _tell(self, live: Live, changes: Changes, batch: _Batch) -> None:
        batch.outputs += fact_outputs(facts_of(live.journey, changes, batch.as_of))
        batch.told.append((live, len(batch.outputs) - 1))
        self._rows_due[live.journey.account_id] = live
        live.row_is_due = True
        self._rows_wanted.set()
        batch.rows = self._rows_done
        if live.journey.amended.is_full:
            self._parts.meter.inc("touchline_amendments_limited_total")
        for placed in changes.placed.values():
            if placed.traffic != "customer":
                source = placed.item.touchpoint.source
                self._parts.meter.inc("touchline_traffic_total", source=source, traffic=placed.traffic)

    def _put(self, batch: _Batch) -> list[asyncio.Future[Position]]:
        futures = self._stage.outbox.put(batch.outputs)
        for live, index in batch.told:
            live.told = futures[index]
        return futures

    async def _acked(self, batch: _Batch, futures: list[asyncio.Future[Position]]) -> None:
        """Wait for the acks. What had to be put again stands elsewhere than where its account thinks."""
        put = list(futures)
        await self._stage.outbox.acked(batch.outputs, futures)
        for live, index in batch.told:
            if live.told is put[index]:
                live.told = futures[index]

    def _delivered(self, batch: _Batch) -> Done:
        futures = self._put(batch)
        waits = [entry.done for entry in batch.waits.values()]
        read = [item for item in batch.read if self._readings.others_may_be(item)]

        async def done() -> None:
            await self._acked(batch, futures)
            for wait in [*waits, *([batch.rows] if batch.rows else [])]:
                await asyncio.shield(wait)
            await self._readings.settle(read, self._parts.stored)

        return done()


async def _acked_at(told: asyncio.Future[Position]) -> int:
    """The offset of what was told. Raises TransientError when that failed: it is being put again."""
    try:
        _, offset = await asyncio.shield(told)
    except KafkaError as error:
        raise TransientError(f"Kafka: {error!r}") from error
    return offset


def _why_withdrawn(item: Withdraw) -> Cause:
    if not item.to_account_id:
        return Cause("copy", item.cause)
    if item.cause:
        return Cause("links", said("moved_because", to=item.to_account_id, because=item.cause))
    return Cause("links", said("moved", to=item.to_account_id))


def fact_outputs(facts: Iterable[AccountsFact]) -> list[Output]:
    """Facts as outputs, keyed by account."""
    return [(OUTPUT, fact.account_id, fact.encoded()) for fact in facts]


def recalled_output(item: AttributedTouchpoint, knowledge: int, cause: str, *, refused: bool = False) -> Output:
    """A touchpoint on its way back to attribution."""
    recalled = Recalled(item=item, knowledge=knowledge, cause=cause, refused=refused)
    return (RECALLED_OUTPUT, item.account_id, recalled.encoded())


def _by_account(
    items: list[AttributedTouchpoint], batch: _Batch, memory: Memory
) -> dict[str, list[AttributedTouchpoint]]:
    """Touchpoints by account; those of people who left, and those with ids of before, go back to attribution."""
    groups: dict[str, list[AttributedTouchpoint]] = {}
    for item in items:
        if memory.is_outread(item):
            continue
        needed = memory.left_at(item)
        if not item.touchpoint.scoped:
            knowledge = max(needed, item.knowledge)
            batch.outputs.append(recalled_output(item, knowledge, IDS_OF_BEFORE, refused=True))
        elif item.knowledge < needed:
            batch.outputs.append(recalled_output(item, needed, "its person is another account's", refused=True))
        else:
            groups.setdefault(item.account_id, []).append(item)
    return groups
