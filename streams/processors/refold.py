"""Refolds: accounts whose step could be wrong, computed anew from everything that is stored and that waits."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from schemas.errors import TransientError
from streams.journey.causes import Cause
from streams.journey.corrections import Stored
from streams.processors.conclusion import Conclusion, concluded, is_stored
from streams.processors.journey import Parts
from streams.processors.memory import Dirty, Live
from streams.processors.pace import Pace
from streams.processors.readings import Readings
from streams.runtime.metrics import Meter
from streams.runtime.writer import Position
from streams.sentences import said

BATCH = 200
ASKED_BATCH = 50
RETRY_S = 0.5
REST_S = 0.5
#: A longer history is folded on a thread, so that the neighbours' events go on meanwhile …
LONG_HISTORY = 300
#: … and a longer one than this is read in pages and told in slices, apart from the other refolds.
LARGE_HISTORY = 3_000
#: A large account is refolded once its input stands still for QUIET_S, at the latest after QUIET_MOST_S.
QUIET_S, QUIET_MOST_S = 0.5, 10.0
_WHO, _WHO_LARGE = "refolds", "large refolds"
_RUNNING = Cause("late", said("meanwhile"))
_log = logging.getLogger("touchline.refold")


class Refolds:
    """Takes dirty accounts, a batch at a time, and leaves them in memory, correct and told."""

    def __init__(self, parts: Parts, *, debounce_s: float, meter: Meter) -> None:
        self._parts, self._memory, self._histories = parts, parts.memory, parts.histories
        self._debounce_s, self._meter = debounce_s, meter
        self._settling: set[asyncio.Task[None]] = set()
        self._large: set[str] = set()
        self._one_large = asyncio.Semaphore(1)
        self._pace = Pace(parts.stage, parts.progress)
        self._readings = Readings(parts.stage, parts.histories, parts.mappings)

    async def run(self) -> None:
        """For ever: wait for dirty accounts, gather a little, refold them; large ones apart, one at a time."""
        async with asyncio.TaskGroup() as lanes:
            while True:
                if self._memory.dirty.keys() <= self._large:
                    self._parts.stage.waits.go_on(_WHO)
                    await self._until_marked()
                    continue
                await asyncio.sleep(self._debounce_s)
                self._meter.set("touchline_refold_pending", len(self._memory.dirty))
                try:
                    for batch in self._batches():
                        for account_id in await self._refold(batch):
                            self._large.add(account_id)
                            lanes.create_task(self._refold_large(account_id))
                    self._parts.stage.waits.go_on(_WHO)
                except TransientError as error:
                    self._parts.stage.waits.wait(_WHO, str(error))
                    await asyncio.sleep(RETRY_S)

    async def _until_marked(self) -> None:
        """Return once an account is marked; after REST_S anyway, for a large one that was marked to the end."""
        self._memory.marked.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REST_S):
                await self._memory.marked.wait()

    def _batches(self) -> Iterator[dict[str, Dirty]]:
        """First those for which events wait; then some of those an operator asked for, so that neither starves."""
        for can_wait, most in ((False, BATCH), (True, ASKED_BATCH)):
            dirty = ((a, entry) for a, entry in self._memory.dirty.items() if a not in self._large)
            if found := dict(islice(((a, entry) for a, entry in dirty if entry.can_wait is can_wait), most)):
                yield found

    async def _refold(self, batch: dict[str, Dirty]) -> set[str]:
        """Refold all but the large accounts, which are returned."""
        started = time.monotonic()
        await self._call_back(batch.values())
        await self._drop_known(batch)
        rest = {a: entry for a, entry in batch.items() if self._memory.dirty.get(a) is entry}
        large = await self._histories.large(list(rest), LARGE_HISTORY) if rest else set()
        if rest := {a: entry for a, entry in rest.items() if a not in large}:
            await self._parts.stored(rest)
            for account_id, stored in (await self._histories.read(list(rest))).items():
                await self._refold_one(account_id, rest[account_id], stored)
            self._parts.shrink()
        self._meter.observe("touchline_refold_seconds", time.monotonic() - started)
        return large

    async def _refold_large(self, account_id: str) -> None:
        """Refold one large account, and again while more comes for it."""
        async with self._one_large:
            while (entry := self._memory.dirty.get(account_id)) is not None:
                try:
                    await self._stands_still(entry)
                    await self._call_back([entry])
                    await self._parts.stored([account_id])
                    stored = await self._histories.read_large(account_id)
                    await self._refold_one(account_id, entry, stored, at_ease=True)
                except TransientError as error:
                    self._parts.stage.waits.wait(_WHO_LARGE, str(error))
                    await asyncio.sleep(RETRY_S)
                else:
                    self._parts.stage.waits.go_on(_WHO_LARGE)
        self._parts.stage.waits.go_on(_WHO_LARGE)
        self._large.discard(account_id)

    async def _stands_still(self, entry: Dirty) -> None:
        """Withdrawals come one by one, and each refold reads everything: better one for all of them."""
        until, before = time.monotonic() + QUIET_MOST_S, -1
        while (now := len(entry.items) + len(entry.withdrawn) + len(entry.recalls)) != before:
            if time.monotonic() > until:
                return
            before = now
            self._parts.stage.moved()
            await asyncio.sleep(QUIET_S)

    async def _drop_known(self, batch: dict[str, Dirty]) -> None:
        """Late touchpoints are mostly repetitions: drop those that the store has just so, before anything is read."""
        cheap = {a: e for a, e in batch.items() if not e.must_read and not e.recalls and e.items}
        items = [item for entry in cheap.values() for item in entry.items]
        if not items:
            return
        known = await self._histories.known(items)
        for account_id, entry in cheap.items():
            taken = len(entry.items)
            new = [i for i in entry.items[:taken] if not is_stored(i, known.get((account_id, i.event_id)))]
            entry.items[:taken] = new
            if (
                not entry.items
                and not entry.must_read
                and not entry.recalls
                and self._memory.dirty.get(account_id) is entry
            ):
                del self._memory.dirty[account_id]
                _settle(entry)

    async def _call_back(self, entries: Iterable[Dirty]) -> None:
        """Withdraw older readings before the new ones are told: so they are hardly ever seen beside each other."""
        anew = [item for entry in entries for item in entry.items if item.touchpoint.read_anew]
        if anew:
            await self._readings.call_back(anew, anew)

    async def _refold_one(self, account_id: str, entry: Dirty, stored: Stored, *, at_ease: bool = False) -> None:
        """Conclude and tell. `at_ease`: in slices that leave room for live events."""
        if self._memory.dirty.get(account_id) is not entry:
            return  # partitions changed hands meanwhile
        del self._memory.dirty[account_id]
        blocked = self._memory.mark_dirty(account_id, _RUNNING)  # what comes from here on waits for the next look
        as_of, long = self._parts.watermark.as_of(), len(stored.items) + len(entry.items) > LONG_HISTORY
        live = self._memory.live.get(account_id)
        correction_limit = live.journey.correction_limit if live else None
        arguments = (account_id, self._parts.blueprint, entry, stored, as_of, correction_limit)
        found = await asyncio.to_thread(concluded, *arguments) if long else concluded(*arguments)

        def ours() -> bool:
            return self._memory.dirty.get(account_id) is blocked

        if not ours():
            return
        if found.folded:
            self._memory.forget(account_id)
        if at_ease:
            await self._deliver_at_ease(account_id, found, entry, ours)
            if not ours():
                return
        else:
            self._deliver(account_id, found, entry)
        self._count(entry)
        self._unblock(account_id, blocked)

    def _deliver(self, account_id: str, found: Conclusion, entry: Dirty) -> None:
        """Put the outputs; once Kafka has them, those who wait for the account may ack."""
        outputs = found.facts + found.recalled
        futures = self._parts.stage.outbox.put(outputs)
        told = futures[len(found.facts) - 1] if found.facts else None
        if found.live is not None:
            self._keep(account_id, found.live, entry)
            found.live.told = told
        elif told is not None:
            self._memory.emptied[account_id] = told

        async def settle() -> None:
            await self._parts.stage.outbox.acked(outputs, futures)
            if told is not None and (last := futures[len(found.facts) - 1]) is not told:  # it had to be put again
                self._tell_again(account_id, told, last)
            _settle(entry)

        task = asyncio.get_running_loop().create_task(settle())
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)

    def _tell_again(self, account_id: str, told: asyncio.Future[Position], last: asyncio.Future[Position]) -> None:
        live = self._memory.live.get(account_id)
        if live is not None and live.told is told:
            live.told = last
        if self._memory.emptied.get(account_id) is told:
            self._memory.emptied[account_id] = last

    async def _deliver_at_ease(
        self, account_id: str, found: Conclusion, entry: Dirty, ours: Callable[[], bool]
    ) -> None:
        """`_deliver` in slices, as the live flow allows. Nothing is settled once the account is another's."""
        position = await self._pace.deliver(found.facts, ours, stored=True)
        await self._pace.deliver(found.recalled, ours)
        if not ours():
            return
        if found.live is not None:
            self._keep(account_id, found.live, entry)
            if position is not None:
                found.live.told = _known(position)
        elif position is not None:
            self._memory.emptied[account_id] = _known(position)
        _settle(entry)

    def _keep(self, account_id: str, live: Live, entry: Dirty) -> None:
        self._memory.emptied.pop(account_id, None)
        self._memory.keep(account_id, live)
        # what no events use is the first to be forgotten
        self._memory.live.move_to_end(account_id, last=not entry.can_wait)

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


def _known(position: Position) -> asyncio.Future[Position]:
    known: asyncio.Future[Position] = asyncio.get_running_loop().create_future()
    known.set_result(position)
    return known


def _settle(entry: Dirty) -> None:
    if not entry.done.done():
        entry.done.set_result(None)
