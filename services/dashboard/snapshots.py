"""The last snapshot of each scope and view: what the page shows while the store is away, and who is waited for."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from schemas.errors import StoreUnavailable
from services.dashboard.pages.kind import Narrowed
from services.dashboard.reader import Reader, Waiting
from services.dashboard.scope import Scope
from services.dashboard.views.snapshot import Snapshot, Wait

MAX_SCOPES = 64
REUSE_S = 0.5
Ask = Callable[[Reader, Scope], Awaitable[Any]]
View = str
"""A page's id, or `json`."""
Key = tuple[Scope, View]


class Snapshots:
    """Never raises for a store that is away: the snapshot then says so and keeps the figures it had.

    `asks`: view → its question.
    """

    def __init__(self, reader: Reader, waiting: Waiting, asks: Mapping[View, Ask]) -> None:
        self._asks = asks
        self._reader = reader
        self._waiting = waiting
        self._known: OrderedDict[Key, tuple[float, Snapshot]] = OrderedDict()
        self._locks: dict[Key, asyncio.Lock] = {}
        self._away_since: datetime | None = None
        self._shown = self._said()

    async def fingerprint(self) -> str:
        """Raises StoreUnavailable."""
        return await self._reader.store.fingerprint()

    def unsettled(self) -> bool:
        """Whether the page should be looked at though nothing was written.

        The store was away, waits changed, the pipeline fell or was behind, or a source is set aside.
        """
        return self._away_since is not None or self._said() != self._shown

    def _said(self) -> tuple[tuple[Wait, ...], tuple[object, ...]]:
        reader = self._reader
        state = (tuple(reader.behind()), dict(reader.aside()), dict(reader.refused()), reader.board.version)
        return tuple(self._waiting()), state

    async def latest(self, scope: Scope, view: View) -> Snapshot:
        """At most half a second old, so that a burst of visitors costs one computation."""
        key = (scope, view)
        lock = self._locks.setdefault(key, asyncio.Lock())
        try:
            async with lock:
                known = self._known.get(key)
                if known and time.monotonic() - known[0] < REUSE_S:
                    return known[1]
                return await self.fresh(scope, view)
        finally:
            if not lock.locked():
                self._locks.pop(key, None)

    def expire(self) -> None:
        """Something changed that no fingerprint tells: the next look is computed anew."""
        for key, (_, snapshot) in self._known.items():
            self._known[key] = (float("-inf"), snapshot)

    async def fresh(self, scope: Scope, view: View) -> Snapshot:
        """Computed now."""
        self._shown = self._said()
        waits, key = self._shown[0], (scope, view)
        started_at = time.monotonic()
        try:
            snapshot = await self._asked(scope, view, waits)
            self._away_since = None
        except StoreUnavailable as error:
            snapshot = self._without_store(key, waits, str(error))
        self._known[key] = (started_at, snapshot)
        self._known.move_to_end(key)
        while len(self._known) > MAX_SCOPES:
            self._known.popitem(last=False)
        return snapshot

    async def _asked(self, scope: Scope, view: View, waits: tuple[Wait, ...]) -> Snapshot:
        as_of = self._reader.clock()
        found, around = await asyncio.gather(self._asks[view](self._reader, scope), self._reader.around(scope))
        reach = found.reach if isinstance(found, Narrowed) else scope
        nearest = (await self._reader.nearest(reach) or "") if found.is_empty else ""
        return Snapshot(as_of, found, waits, around, nearest)

    def _without_store(self, key: Key, waits: tuple[Wait, ...], detail: str) -> Snapshot:
        self._away_since = self._away_since or self._reader.clock()
        if not any(wait.service == "clickhouse" for wait in waits):
            waits = (*waits, Wait("clickhouse", "away", self._away_since, detail))
        known = self._known.get(key)
        before = known[1] if known else Snapshot(self._reader.clock())
        return replace(before, waiting=waits)
