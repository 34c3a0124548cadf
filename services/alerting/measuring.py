"""What touchpoint types' figures say: asked of ClickHouse every minute, judged where their desks are."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from schemas.base import EPOCH
from schemas.blueprint import Blueprint
from schemas.errors import PermanentError, StoreUnavailable
from services.alerting.hearing import Asking
from streams.incidents.counts import BROKEN, COUNTS, asked, measured, sources_of
from streams.incidents.promises import MEMORY, promises
from streams.incidents.series import SLOT_S
from streams.incidents.type_desks import Check
from streams.incidents.unusual import HOUR_S, unusual
from streams.incidents.unusual import MEMORY as WEEKS_KNOWN

Row = Mapping[str, Any]
Judged = Callable[[Mapping[str, Sequence[Check]], datetime], None]
LOOK_EVERY_S: Final = 60.0
_LATELY: Final = timedelta(hours=2)
"""What happened longer ago changes seldom: a week is asked anew once an hour, more of it less often."""
_DAY: Final = timedelta(days=1)
_log = logging.getLogger("touchline.alerts")


class Rows:
    """The rows of a statement of the last days, asked a day at a time."""

    def __init__(self, statement: str, width_s: int, memory: timedelta) -> None:
        self._statement, self._width_s, self._memory = statement, width_s, memory
        self._all_every = memory / 168
        self._of: dict[int, list[Row]] = {}
        self._all_at = EPOCH

    def ask(self, store: Asking, blueprint: Blueprint, now: datetime) -> list[Row]:
        """Blocks. Raises StoreUnavailable, PermanentError."""
        width = timedelta(seconds=self._width_s)
        is_whole = timedelta() <= now - self._all_at < self._all_every
        oldest = _cut(now - self._memory, width)
        since = _cut(now - _LATELY, width) if is_whole else oldest
        for day in range(-(-(now - since) // _DAY)):
            begin, end = since + day * _DAY, min(since + (day + 1) * _DAY, _cut(now, width) + width)
            self._take(store.rows(self._statement, asked(blueprint, begin, end, self._width_s)), begin, end)
        for slot in [slot for slot in self._of if slot < oldest.timestamp() // self._width_s]:
            del self._of[slot]
        self._all_at = self._all_at if is_whole else now
        return [row for rows in self._of.values() for row in rows]

    def _take(self, rows: Sequence[Row], since: datetime, until: datetime) -> None:
        for slot in range(int(since.timestamp()) // self._width_s, int(until.timestamp()) // self._width_s):
            self._of.pop(slot, None)
        for row in rows:
            self._of.setdefault(int(row["slot"]), []).append(row)


class Measuring:
    """Looks until cancelled, and tells `judged` what policies judge of each type."""

    def __init__(
        self,
        store: Asking,
        blueprint: Blueprint,
        clock: Callable[[], datetime],
        judged: Judged,
        may_look: Callable[[], bool],
    ) -> None:
        """`may_look`: whether what ClickHouse has is complete now; else nothing is concluded from it."""
        self._store, self._blueprint, self._clock = store, blueprint, clock
        self._judged, self._may_look = judged, may_look
        self._asks_targets = any(policy.targets for policy in blueprint.policies)
        self._asks_cells = any(policy.unusual for policy in blueprint.policies)
        self._hours = Rows(COUNTS, HOUR_S, WEEKS_KNOWN)
        self._counts, self._broken = Rows(COUNTS, SLOT_S, MEMORY), Rows(BROKEN, SLOT_S, MEMORY)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.step()
            await asyncio.sleep(LOOK_EVERY_S)

    async def step(self) -> None:
        """One look, where a policy asks for it."""
        if not self._may_look() or not (self._asks_targets or self._asks_cells):
            return
        now = self._clock()
        try:
            checks = await asyncio.to_thread(self._checks, now)
        except (StoreUnavailable, PermanentError) as error:
            _log.debug("figures cannot be judged: %r", error)
            return
        self._judged(checks, now)

    def _checks(self, now: datetime) -> Mapping[str, Sequence[Check]]:
        found: dict[str, list[Check]] = {}
        if self._asks_targets:
            counts = self._counts.ask(self._store, self._blueprint, now)
            broken = self._broken.ask(self._store, self._blueprint, now)
            series = measured(counts, broken, self._blueprint)
            for kind, kept in promises(self._blueprint, series, sources_of(counts)).items():
                found.setdefault(kind, []).extend(kept)
        if self._asks_cells:
            hours = self._hours.ask(self._store, self._blueprint, now)
            for kind, cells in unusual(self._blueprint, hours).items():
                found.setdefault(kind, []).extend(cells)
        return found


def _cut(at: datetime, width: timedelta) -> datetime:
    return at - (at - EPOCH) % width
