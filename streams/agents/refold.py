"""Refolds: accounts whose step could be wrong, computed anew from everything that is stored and that waits."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Iterator
from itertools import islice

from schemas.errors import TransientError
from schemas.facts import AccountsFact
from schemas.touchpoints import AttributedTouchpoint
from streams.agents.journey import Parts, fact_outputs, recalled_output
from streams.agents.memory import EVERYONE, Dirty, Live
from streams.journey.account import AccountJourney, changes_nothing
from streams.journey.causes import Cause
from streams.journey.corrections import Stored, as_of_at_least, corrections
from streams.journey.fold import merged
from streams.ops.metrics import Meter
from streams.transport.outbox import Output
from streams.transport.writer import partition_of

BATCH = 200
ASKED_BATCH = 50
RETRY_S = 0.5
LONG_HISTORY = 300
_RUNNING = Cause("late", "touchpoints came meanwhile")
_log = logging.getLogger("touchline.refold")


class Refolds:
    """Takes dirty accounts, a batch at a time, and leaves them in memory, correct and told."""

    def __init__(self, parts: Parts, *, debounce_s: float, meter: Meter) -> None:
        self._parts, self._memory, self._histories = parts, parts.memory, parts.histories
        self._debounce_s, self._meter = debounce_s, meter
        self._settling: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """For ever: wait for dirty accounts, gather a little, mend them."""
        while True:
            if not self._memory.dirty:
                await asyncio.sleep(0.05)
                continue
            await asyncio.sleep(self._debounce_s)
            self._meter.set("touchline_refold_pending", len(self._memory.dirty))
            try:
                for batch in self._batches():
                    await self._mend(batch)
                self._parts.stage.go_on()
            except TransientError as error:
                self._parts.stage.wait(str(error))
                await asyncio.sleep(RETRY_S)

    def _batches(self) -> Iterator[dict[str, Dirty]]:
        """First those for which events wait; then some of those an operator asked for, so that neither starves."""
        for can_wait, most in ((False, BATCH), (True, ASKED_BATCH)):
            found = {a: entry for a, entry in self._memory.dirty.items() if entry.can_wait is can_wait}
            if found:
                yield dict(islice(found.items(), most))

    async def _mend(self, batch: dict[str, Dirty]) -> None:
        started = time.monotonic()
        await self._drop_known(batch)
        rest = {a: entry for a, entry in batch.items() if self._memory.dirty.get(a) is entry}
        if rest:
            await self._fence(rest)
            for account_id, stored in (await self._histories.read(list(rest))).items():
                await self._mend_one(account_id, rest[account_id], stored)
            self._parts.shrink()
        self._meter.observe("touchline_refold_seconds", time.monotonic() - started)

    async def _drop_known(self, batch: dict[str, Dirty]) -> None:
        """Late touchpoints are mostly repetitions: drop those that the store has just so, before anything is read."""
        cheap = {a: e for a, e in batch.items() if not e.must_read and not e.recalls and e.items}
        items = [item for entry in cheap.values() for item in entry.items]
        if not items:
            return
        known = await self._histories.known(items)
        for account_id, entry in cheap.items():
            taken = len(entry.items)
            new = [i for i in entry.items[:taken] if not _is_stored(i, known.get((account_id, i.event_id)))]
            entry.items[:taken] = new
            if (
                not entry.items
                and not entry.must_read
                and not entry.recalls
                and self._memory.dirty.get(account_id) is entry
            ):
                del self._memory.dirty[account_id]
                _settle(entry)

    async def _fence(self, batch: dict[str, Dirty]) -> None:
        """Wait until the store has everything that was told of these accounts."""
        for account_id in batch:
            partition, progress = partition_of(account_id, self._parts.partitions), self._parts.progress
            live = self._memory.live.get(account_id)
            if live is None:
                await progress.reached(partition, self._parts.facts_end.get(partition, 0))
            elif live.told is not None:
                _, offset = await asyncio.shield(live.told)
                await progress.reached(partition, offset + 1)

    async def _mend_one(self, account_id: str, entry: Dirty, stored: Stored) -> None:
        if self._memory.dirty.get(account_id) is not entry:
            return  # partitions changed hands meanwhile
        del self._memory.dirty[account_id]
        blocked = self._memory.soil(account_id, _RUNNING)  # what comes from here on waits for the next look
        items = _inputs(stored, entry)
        outputs = _recalled(items, stored, entry)
        facts: list[AccountsFact] = []
        if entry.items or entry.withdrawn or entry.must_read:
            known_before = bool(stored.items or stored.account_digest)
            live, facts = await self._fold(account_id, items, stored, entry)
            if self._memory.dirty.get(account_id) is not blocked:
                return
            self._memory.live.pop(account_id, None)
            if items:
                self._memory.live[account_id] = live
                # not used by events: the first to be forgotten
                self._memory.live.move_to_end(account_id, last=not entry.can_wait)
            elif not known_before:
                facts = []
        self._deliver(account_id, fact_outputs(facts) + outputs, len(facts), entry)
        self._unblock(account_id, blocked)

    def _deliver(self, account_id: str, outputs: list[Output], facts: int, entry: Dirty) -> None:
        """Put the outputs; once Kafka has them, those who wait for the account may ack."""
        futures = self._parts.stage.outbox.put(outputs)
        live = self._memory.live.get(account_id)
        if facts and live is not None:
            live.told = futures[facts - 1]
        self._count(entry)

        async def settle() -> None:
            await self._parts.stage.outbox.acked(outputs, futures)
            _settle(entry)

        task = asyncio.get_running_loop().create_task(settle())
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)

    async def _fold(
        self, account_id: str, items: list[AttributedTouchpoint], stored: Stored, entry: Dirty
    ) -> tuple[Live, list[AccountsFact]]:
        as_of, causes = as_of_at_least(stored, self._parts.watermark.as_of()), frozenset(entry.causes)

        def work() -> tuple[Live, list[AccountsFact]]:
            account, journey = AccountJourney.rebuilt(account_id, self._parts.blueprint, items, as_of)
            return Live(account), corrections(account, journey, stored, as_of, causes)

        # a long history is folded on a thread, so that the neighbours' events go on meanwhile
        return await asyncio.to_thread(work) if len(items) > LONG_HISTORY else work()

    def _unblock(self, account_id: str, blocked: Dirty) -> None:
        """What arrived during the refold: nothing, then the account is clean; else it is looked at once more."""
        if blocked.items or blocked.withdrawn or blocked.recalls:
            blocked.causes.discard(_RUNNING)
            blocked.must_read = blocked.must_read or bool(blocked.items)
        else:
            del self._memory.dirty[account_id]
            _settle(blocked)

    def _count(self, entry: Dirty) -> None:
        for kind in {cause.kind for cause in entry.causes}:
            self._meter.inc("touchline_refolds_total", cause=kind)


def _inputs(stored: Stored, entry: Dirty) -> list[AttributedTouchpoint]:
    """Stored and waiting touchpoints, without those that were withdrawn or had left before with more knowledge."""
    items = dict(stored.items)
    for item in entry.items:
        known = items.get(item.event_id)
        if item.knowledge <= stored.gone.get(item.event_id, -1):
            continue
        items[item.event_id] = item if known is None else merged(known, item)
    for event_id, knowledge in entry.withdrawn.items():
        if event_id in items and items[event_id].knowledge < knowledge:
            del items[event_id]
            stored.gone[event_id] = knowledge
    return list(items.values())


def _recalled(items: Iterable[AttributedTouchpoint], stored: Stored, entry: Dirty) -> list[Output]:
    """The touchpoints that recalls ask for by any of their copies, each once, as they will be stored.

    A copy that comes to an account its touchpoint has left is news for the account it went to: back to attribution.
    """
    best, outputs = {item.event_id: item for item in items}, dict[str, Output]()
    for item in entry.items:
        left_at = stored.gone.get(item.event_id, -1)
        if item.knowledge < left_at:
            outputs[item.event_id] = recalled_output(item, left_at, "another copy of it has moved", refused=True)
    for recall in sorted(entry.recalls, key=lambda recall: recall.knowledge):
        people = recall.person_ids or (EVERYONE,)
        for copy in [*stored.items.values(), *entry.items]:
            kept = best.get(copy.event_id)
            concerned = EVERYONE in people or copy.attribution.person_id in people
            if concerned and kept is not None and kept.knowledge < recall.knowledge:
                outputs[kept.event_id] = recalled_output(kept, recall.knowledge, recall.cause)
    return list(outputs.values())


def _is_stored(item: AttributedTouchpoint, stored: Stored | None) -> bool:
    """Whether the store has this touchpoint so that another copy changes nothing."""
    if stored is None:
        return False
    if item.event_id in stored.gone:
        return item.knowledge == stored.gone[item.event_id]
    known = stored.items[item.event_id]
    return changes_nothing(known, merged(known, item))


def _settle(entry: Dirty) -> None:
    if not entry.done.done():
        entry.done.set_result(None)
