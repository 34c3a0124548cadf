"""What touchpoint types' figures say: asked of ClickHouse every minute, judged where their desks are."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from schemas.base import EPOCH
from schemas.blueprint import Blueprint
from schemas.errors import PermanentError, StoreUnavailable
from services.alerting.hearing import Asking
from streams.incidents.counts import BROKEN, COUNTS, Figures, asked, sources_of
from streams.incidents.holidays import NONE, Holidays
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

    def ask(self, store: Asking, blueprint: Blueprint, now: datetime) -> set[int]:
        """Blocks. The slots that were asked anew. Raises StoreUnavailable, PermanentError."""
        width = timedelta(seconds=self._width_s)
        is_whole = timedelta() <= now - self._all_at < self._all_every
        oldest = _cut(now - self._memory, width)
        since, anew = _cut(now - _LATELY, width) if is_whole else oldest, set[int]()
        for day in range(-(-(now - since) // _DAY)):
            begin, end = since + day * _DAY, min(since + (day + 1) * _DAY, _cut(now, width) + width)
            anew |= self._take(store.rows(self._statement, asked(blueprint, begin, end, self._width_s)), begin, end)
        for slot in [slot for slot in self._of if slot < oldest.timestamp() // self._width_s]:
            del self._of[slot]
        self._all_at = self._all_at if is_whole else now
        return anew

    def of(self, slots: Iterable[int]) -> list[Row]:
        """The rows of slots."""
        return [row for slot in slots for row in self._of.get(slot, ())]

    def all(self) -> list[Row]:
        return self.of(self._of)

    def _take(self, rows: Sequence[Row], since: datetime, until: datetime) -> set[int]:
        slots = range(int(since.timestamp()) // self._width_s, int(until.timestamp()) // self._width_s)
        for slot in slots:
            self._of.pop(slot, None)
        for row in rows:
            self._of.setdefault(int(row["slot"]), []).append(row)
        return set(slots)


class Measuring:
    """Looks until cancelled, and gives `judged` what policies judge of each type."""

    def __init__(
        self,
        store: Asking,
        blueprint: Blueprint,
        clock: Callable[[], datetime],
        judged: Judged,
        may_look: Callable[[], bool],
        holidays: Holidays = NONE,
    ) -> None:
        """`may_look`: whether what ClickHouse has is complete now; else nothing is concluded from it."""
        self._store, self._blueprint, self._clock, self._holidays = store, blueprint, clock, holidays
        self._judged, self._may_look = judged, may_look
        self._asks_targets = any(policy.targets for policy in blueprint.policies)
        self._asks_cells = any(policy.unusual for policy in blueprint.policies)
        self._hours = Rows(COUNTS, HOUR_S, WEEKS_KNOWN)
        self._counts, self._broken = Rows(COUNTS, SLOT_S, MEMORY), Rows(BROKEN, SLOT_S, MEMORY)
        self._figures = Figures(blueprint)
        self._cells: Mapping[str, Sequence[Check]] = {}
        self._cells_of = EPOCH

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
            for kind, kept in self._promises(now).items():
                found.setdefault(kind, []).extend(kept)
        if self._asks_cells:
            for kind, cells in self._unusual(now).items():
                found.setdefault(kind, []).extend(cells)
        return found

    def _promises(self, now: datetime) -> Mapping[str, Sequence[Check]]:
        anew = self._counts.ask(self._store, self._blueprint, now) | self._broken.ask(self._store, self._blueprint, now)
        self._figures.put(anew, self._counts.of(anew), self._broken.of(anew))
        self._figures.drop_before(int((now - MEMORY).timestamp()) // SLOT_S)
        return promises(self._blueprint, self._figures.series(), sources_of(self._counts.all()))

    def _unusual(self, now: datetime) -> Mapping[str, Sequence[Check]]:
        """Only whole hours are compared: once in an hour is enough."""
        hour = _cut(now, timedelta(seconds=HOUR_S))
        if hour != self._cells_of:
            self._hours.ask(self._store, self._blueprint, now)
            self._cells, self._cells_of = unusual(self._blueprint, self._hours.all(), self._holidays), hour
        return self._cells


def _cut(at: datetime, width: timedelta) -> datetime:
    return at - (at - EPOCH) % width
