"""Incidents as a table, for analysts: what the page shows, kept equal to what the store, people and alerts say.

An incident has no row of its own in the stream; it follows from what is stored. So this looks every few seconds which
accounts have changed, computes theirs anew and writes what is different. All of it is looked at after each start, when
another process leaves its partitions to this one, and once a day.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol, cast

from schemas.base import EPOCH
from schemas.errors import PermanentError, StoreUnavailable
from schemas.incidents import ACTIONS, Desk, Thread
from streams.incidents import rows, stored
from streams.incidents.actions import ActionLog
from streams.incidents.intake import Lens
from streams.incidents.listing import listed
from streams.journey.stored import aware
from streams.runtime.clickhouse import Columns, stamp
from streams.runtime.decode import decode

LOOK_EVERY_S: Final = 10.0
WHOLE_EVERY: Final = timedelta(days=1)
OVERLAP: Final = timedelta(seconds=30)
"""Rows become visible a little after the time that they carry."""
ACCOUNTS_AT_ONCE: Final = 200
EVENTS_AT_ONCE: Final = 1_000
_CHANGED: Final = """
SELECT account_id, max(written_at) AS at FROM
(
    SELECT account_id, written_at FROM account_journeys WHERE written_at >= {since:DateTime64(3, 'UTC')}
    UNION ALL
    SELECT account_id, written_at FROM signals WHERE written_at >= {since:DateTime64(3, 'UTC')}
)
GROUP BY account_id
"""
_KNOWN: Final = f"SELECT DISTINCT account_id FROM {rows.TABLE} FINAL"
_OF_EVENTS: Final = f"{_KNOWN} WHERE hasAny(evidence, {{events:Array(String)}})"
_log = logging.getLogger("touchline.alerts")


class Keeping(Protocol):
    """The part of Store that is used here. Blocks; may raise StoreUnavailable or PermanentError."""

    def rows(self, sql: str, parameters: Mapping[str, object] | None = None) -> list[dict[str, object]]: ...

    def insert(self, table: str, types: Mapping[str, str], columns: Columns) -> None: ...


class Remembered(Protocol):
    """The part of Desks that is used here: conversations by account, and which partitions are ours."""

    of: dict[str, Desk]

    @property
    def wards(self) -> Mapping[int, object]: ...

    def partition(self, account_id: str) -> int: ...


class IncidentsTable:
    """Keeps the table for the accounts of the partitions held. `lens`: the blueprint in force."""

    def __init__(
        self, store: Keeping, desks: Remembered, log: ActionLog, lens: Lens, clock: Callable[[], datetime]
    ) -> None:
        self._store, self._desks, self._log, self._lens, self._clock = store, desks, log, lens, clock
        self._due: set[str] = set()
        self._acted: set[str] = set()
        self._seen: dict[str, datetime] = {}
        self._threads: dict[str, tuple[Thread, ...]] = {}
        self._held: set[int] = set()
        self._whole_at = EPOCH

    async def run(self) -> None:
        """Until cancelled. What cannot be done while ClickHouse is away is done afterwards."""
        while True:
            try:
                await self.step()
            except (StoreUnavailable, PermanentError) as error:
                _log.debug("incidents cannot be kept now: %r", error)
            except Exception:  # people must be notified, whatever is wrong here
                _log.exception("incidents are not kept for analysts")
            await asyncio.sleep(LOOK_EVERY_S)

    def acted(self, value: bytes | None) -> None:
        """A record of what people did: the incidents of these events stand otherwise now."""
        for _, action in decode(value or b"[]", ACTIONS).items:
            self._acted.update(action.events)

    async def step(self) -> int:
        """One look; how many rows were written. Raises StoreUnavailable or PermanentError; may be called again."""
        if not self._desks.wards:
            return 0
        self._due |= self._of_conversations()
        acted = sorted(self._acted)
        self._due |= await asyncio.to_thread(self._changed, self._is_whole(), acted)
        self._acted.difference_update(acted)
        held = self._desks.wards.keys()
        self._due = {name for name in self._due if self._desks.partition(name) in held}
        written = 0
        for some in _slices(sorted(self._due), ACCOUNTS_AT_ONCE):
            threads = {name: self._threads.get(name, ()) for name in some}
            written += await asyncio.to_thread(self._keep, some, threads)
            self._due.difference_update(some)
        return written

    def _is_whole(self) -> bool:
        """Whether everything is to be looked at. Remembered at once: what is due then is never forgotten."""
        now, held = self._clock(), set(self._desks.wards)
        is_whole = bool(held - self._held) or not timedelta() <= now - self._whole_at < WHOLE_EVERY
        self._held = held
        if is_whole:
            self._whole_at = EPOCH  # until it was asked
        return is_whole

    def _of_conversations(self) -> set[str]:
        """Accounts of which people were notified since the last look."""
        threads = {name: desk.threads for name, desk in list(self._desks.of.items()) if desk.threads}
        names = threads.keys() | self._threads.keys()
        changed = {name for name in names if threads.get(name) is not self._threads.get(name)}
        self._threads = threads
        return changed

    def _changed(self, is_whole: bool, acted: Sequence[str]) -> set[str]:
        """Accounts with something new in the store, or whose incidents people did something about."""
        since = EPOCH if is_whole else max(self._seen.values(), default=EPOCH + OVERLAP) - OVERLAP
        changed = self._store.rows(_CHANGED, {"since": stamp(since)})
        found = {str(row["account_id"]): aware(cast(datetime, row["at"])) for row in changed}
        due = {name for name, at in found.items() if is_whole or self._seen.get(name) != at}
        if is_whole:
            due |= self._names(_KNOWN)
            self._whole_at = self._clock()
        newest = max(found.values(), default=EPOCH)
        self._seen = {name: at for name, at in found.items() if at >= newest - OVERLAP}
        for some in _slices(acted, EVENTS_AT_ONCE):
            due |= self._names(_OF_EVENTS, events=some)
        return due

    def _names(self, sql: str, **asked: object) -> set[str]:
        return {str(row["account_id"]) for row in self._store.rows(sql, asked)}

    def _keep(self, accounts: Sequence[str], threads: Mapping[str, tuple[Thread, ...]]) -> int:
        now, wanted = self._clock(), {"accounts": list(accounts)}
        asked = stored.asked(self._lens, EPOCH) | wanted | {"since": stamp(EPOCH)}
        both = (stored.SIGNALS, stored.TOUCHPOINTS)
        signals, touchpoints = (self._store.rows(sql + stored.MINE, asked) for sql in both)
        known = self._store.rows(f"{stored.ACCOUNTS} WHERE true{stored.MINE}", wanted)
        pains: dict[str, dict[str, float]] = defaultdict(dict)
        for row in self._store.rows(rows.PAINS, wanted):
            pains[str(row["account_id"])][str(row["event_id"])] = float(str(row["pain"]))
        made = [
            rows.row_of(desk.account_id, one, pains[desk.account_id])
            for each in stored.desks_of(signals, touchpoints, known, self._lens, EPOCH)
            for desk in (each.changed(threads=threads.get(each.account_id, ())),)
            for one in listed(desk, self._lens, self._log, now)
        ]
        different = rows.changes(made, self._store.rows(rows.KEPT, wanted), now)
        if different:
            self._store.insert(rows.TABLE, rows.TYPES, rows.columns(different))
        return len(different)


def _slices(names: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    yield from (names[start : start + size] for start in range(0, len(names), size))
