"""Timers: they decide when to look at an account again, never what is true of it."""

from __future__ import annotations

import asyncio
import logging
import time

from schemas.errors import TransientError
from streams.journey.causes import DEADLINE
from streams.processors.journey import Journey, Parts
from streams.runtime.writer import partition_of

LOOK_EVERY_S = 1.0
SWEEP_EVERY_S = 20.0
_log = logging.getLogger("touchline.timers")


class Timers:
    """Looks at accounts in memory every second, and at the store's now and then, for those not in memory."""

    def __init__(self, parts: Parts, journey: Journey) -> None:
        self._parts, self._journey = parts, journey
        self._swept_at = time.monotonic()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await self._look()
            if time.monotonic() - self._swept_at > SWEEP_EVERY_S:
                self._swept_at = time.monotonic()
                try:
                    await self._sweep()
                except TransientError as error:
                    _log.warning("overdue accounts cannot be read: %s", error)

    async def _look(self) -> None:
        memory, as_of = self._parts.memory, self._parts.watermark.as_of()
        due = [
            account_id
            for account_id, live in memory.live.items()
            if (deadline := live.journey.next_deadline) is not None and deadline <= as_of
        ]
        for account_id in due:
            live = memory.live.get(account_id)
            if live is None or account_id in memory.dirty:
                continue  # a refold will count silence, too
            changes = live.journey.advance(as_of)
            if changes:
                await self._journey.tell(account_id, changes)

    async def _sweep(self) -> None:
        """A quiet account whose deadline passed while no worker knew it: read it, and it will fire."""
        memory, mine = self._parts.memory, self._parts.facts_end
        for account_id in await self._parts.histories.overdue(self._parts.watermark.as_of()):
            if partition_of(account_id, self._parts.partitions) in mine and account_id not in memory.live:
                memory.mark_dirty(account_id, DEADLINE, must_read=True)
