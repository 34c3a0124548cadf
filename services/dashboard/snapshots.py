"""The last snapshot of each scope: what the page shows while the store is away, and who is waited for."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from dataclasses import replace
from datetime import datetime

from schemas.errors import StoreUnavailable
from services.dashboard.reader import Reader, Waiting
from services.dashboard.scope import Scope
from services.dashboard.views import SetAside, Snapshot, StageBehind, Wait

MAX_SCOPES = 64
REUSE_S = 0.5


class Snapshots:
    """Never raises for a store that is away: the snapshot then says so and keeps the figures it had."""

    def __init__(self, reader: Reader, waiting: Waiting) -> None:
        self._reader = reader
        self._waiting = waiting
        self._known: OrderedDict[Scope, tuple[float, Snapshot]] = OrderedDict()
        self._locks: dict[Scope, asyncio.Lock] = {}
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

    def _said(self) -> tuple[tuple[Wait, ...], tuple[StageBehind, ...], dict[str, SetAside]]:
        return tuple(self._waiting()), tuple(self._reader.behind()), dict(self._reader.aside())

    async def latest(self, scope: Scope) -> Snapshot:
        """At most half a second old, so that a burst of visitors costs one computation."""
        lock = self._locks.setdefault(scope, asyncio.Lock())
        try:
            async with lock:
                known = self._known.get(scope)
                if known and time.monotonic() - known[0] < REUSE_S:
                    return known[1]
                return await self.fresh(scope)
        finally:
            if not lock.locked():
                self._locks.pop(scope, None)

    def expire(self) -> None:
        """Something changed that no fingerprint tells: the next look is computed anew."""
        for scope, (_, snapshot) in self._known.items():
            self._known[scope] = (float("-inf"), snapshot)

    async def fresh(self, scope: Scope) -> Snapshot:
        """Computed now."""
        self._shown = self._said()
        waits = self._shown[0]
        started_at = time.monotonic()
        try:
            snapshot = await self._reader.snapshot(scope, waits)
            self._away_since = None
        except StoreUnavailable as error:
            snapshot = self._without_store(scope, waits, str(error))
        self._known[scope] = (started_at, snapshot)
        self._known.move_to_end(scope)
        while len(self._known) > MAX_SCOPES:
            self._known.popitem(last=False)
        return snapshot

    def _without_store(self, scope: Scope, waits: tuple[Wait, ...], detail: str) -> Snapshot:
        self._away_since = self._away_since or self._reader.clock()
        if not any(wait.service == "clickhouse" for wait in waits):
            waits = (*waits, Wait("clickhouse", "away", self._away_since, detail))
        known = self._known.get(scope)
        before = known[1] if known else Snapshot(self._reader.clock(), None)
        return replace(before, waiting=waits)
