"""An account's history, read from ClickHouse: what a refold folds, and what it compares with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from schemas.touchpoints import AttributedTouchpoint
from streams.identity.directories import Directories
from streams.journey.corrections import Stored
from streams.journey.leaving import Left
from streams.journey.stored import signal_of
from streams.processors.waits import Waits

_EXISTING = """
SELECT DISTINCT account_id FROM histories WHERE account_id IN {accounts:Array(String)}
"""
_HISTORY = """
SELECT account_id, event_id, max(revision) AS newest, argMax(is_deleted, revision) AS gone,
       argMax(knowledge, revision) AS knowledge, argMax(digest, revision) AS digest,
       argMax(payload, revision) AS payload
FROM histories WHERE account_id IN {accounts:Array(String)} GROUP BY account_id, event_id
"""
_KNOWN = """
SELECT account_id, event_id, max(revision) AS newest, argMax(is_deleted, revision) AS gone,
       argMax(knowledge, revision) AS knowledge, toUInt64(0) AS digest, argMax(payload, revision) AS payload
FROM histories
WHERE account_id IN {accounts:Array(String)} AND event_id IN {events:Array(String)}
GROUP BY account_id, event_id
"""
_ELSEWHERE = """
SELECT account_id, event_id, argMax(is_deleted, revision) AS gone, argMax(payload, revision) AS payload
FROM histories WHERE event_id IN {events:Array(String)} GROUP BY account_id, event_id
"""
_LARGE = """
SELECT account_id FROM histories WHERE account_id IN {accounts:Array(String)}
GROUP BY account_id HAVING count() > {most:UInt32}
"""
_EVENTS = """
SELECT DISTINCT event_id FROM histories WHERE account_id = {account:String} ORDER BY event_id
"""
_PAGE = _HISTORY.replace("GROUP BY", "AND event_id BETWEEN {first:String} AND {last:String} GROUP BY")
_SIGNALS = """
SELECT * EXCEPT (written_at, is_deleted) FROM signals FINAL WHERE account_id IN {accounts:Array(String)}
"""
_ACCOUNTS = """
SELECT account_id, digest, revision, phase, segment, blueprint_version, blueprint_digest
FROM account_journeys FINAL WHERE account_id IN {accounts:Array(String)}
"""
_OVERDUE = """
SELECT account_id FROM account_journeys FINAL
WHERE next_deadline_at > toDateTime64(0, 3, 'UTC') AND next_deadline_at <= {as_of:DateTime64(3, 'UTC')}
ORDER BY next_deadline_at LIMIT {most:UInt32}
"""


PAGE = 5_000
_WHO = "histories"


@dataclass(slots=True)
class Copies:
    """The copies of some events, and by which mapping each has left an account at last."""

    items: list[AttributedTouchpoint] = field(default_factory=list)
    left: dict[str, int] = field(default_factory=dict)

    def leave(self, event_id: str, mapping: int) -> None:
        """An account is left."""
        self.left[event_id] = max(mapping, self.left.get(event_id, 1))


class Rows(Protocol):
    """The part of transport.clickhouse.Store that is used here; blocks."""

    def rows(self, sql: str, parameters: Mapping[str, object] | None = None) -> list[dict[str, Any]]: ...


class Histories:
    """Reads histories off the event loop, one query at a time. Raises StoreUnavailable.

    `waits` is told while ClickHouse takes long: it may hang, and that is no stall of ours.
    """

    def __init__(self, rows: Rows, directories: Directories | None = None, waits: Waits | None = None) -> None:
        self._rows = rows
        self._directories = directories or Directories()
        self._waits = Waits() if waits is None else waits
        self._lock = asyncio.Lock()

    async def existing(self, accounts: Sequence[str]) -> set[str]:
        """Which of these accounts the store has rows of."""
        return {row["account_id"] for row in await self._ask(_EXISTING, {"accounts": list(accounts)})}

    async def read(self, accounts: Sequence[str]) -> dict[str, Stored]:
        """All that is stored of these accounts."""
        parameters: dict[str, object] = {"accounts": list(accounts)}
        found = {account_id: Stored() for account_id in accounts}
        for row in await self._ask(_HISTORY, parameters):
            self._take_in(found[row["account_id"]], row)
        await self._read_conclusions(parameters, found)
        return found

    async def large(self, accounts: Sequence[str], most: int) -> set[str]:
        """Those of the accounts that may have more than `most` touchpoints."""
        rows = await self._ask(_LARGE, {"accounts": list(accounts), "most": most})
        return {row["account_id"] for row in rows}

    async def read_large(self, account_id: str) -> Stored:
        """`read` of one account, in pages off the event loop: others' questions are answered in between."""
        found = Stored()
        events = [row["event_id"] for row in await self._ask(_EVENTS, {"account": account_id})]
        for start in range(0, len(events), PAGE):
            ids = events[start : start + PAGE]
            page: dict[str, object] = {"accounts": [account_id], "first": ids[0], "last": ids[-1]}
            await asyncio.to_thread(self._take_in_all, found, await self._ask(_PAGE, page))
        await self._read_conclusions({"accounts": [account_id]}, {account_id: found})
        return found

    async def _read_conclusions(self, parameters: dict[str, object], found: dict[str, Stored]) -> None:
        for row in await self._ask(_SIGNALS, parameters):
            signal = signal_of(row)
            found[signal.account_id].signals[signal.signal_id] = signal
        for row in await self._ask(_ACCOUNTS, parameters):
            _take_in_account(found[row["account_id"]], row)

    async def known(self, items: Iterable[AttributedTouchpoint]) -> dict[tuple[str, str], Stored]:
        """What is stored of exactly these touchpoints, by (account, event)."""
        pairs = {(item.account_id, item.event_id) for item in items}
        parameters: dict[str, object] = {
            "accounts": sorted({account for account, _ in pairs}),
            "events": sorted({event for _, event in pairs}),
        }
        found: dict[tuple[str, str], Stored] = {}
        for row in await self._ask(_KNOWN, parameters):
            self._take_in(found.setdefault((row["account_id"], row["event_id"]), Stored()), row)
        return found

    async def copies(self, events: Iterable[str]) -> Copies:
        """The copies of these events that are stored, in whichever account."""
        found = Copies()
        for row in await self._ask(_ELSEWHERE, {"events": sorted(set(events))}):
            if row["gone"]:
                found.leave(row["event_id"], int(row["payload"] or 1))
            else:
                item = AttributedTouchpoint.decoded(row["payload"])
                found.items.append(self._directories.attributed(item))
        return found

    async def overdue(self, as_of: datetime, most: int = 1_000) -> list[str]:
        """Accounts whose silence should have become a signal by `as_of`."""
        rows = await self._ask(_OVERDUE, {"as_of": as_of.replace(tzinfo=None), "most": most})
        return [row["account_id"] for row in rows]

    def _take_in(self, stored: Stored, row: Mapping[str, Any]) -> None:
        stored.max_revision = max(stored.max_revision, row["newest"])
        if row["gone"]:
            stored.gone[row["event_id"]] = Left(row["knowledge"], int(row["payload"] or 1))
            return
        item = self._directories.attributed(AttributedTouchpoint.decoded(row["payload"]))
        stored.items[item.event_id] = item
        stored.touchpoint_digests[item.event_id] = row["digest"]

    def _take_in_all(self, stored: Stored, rows: Iterable[Mapping[str, Any]]) -> None:
        for row in rows:
            self._take_in(stored, row)

    async def _ask(self, sql: str, parameters: Mapping[str, object]) -> list[dict[str, Any]]:
        ask: Callable[..., list[dict[str, Any]]] = self._rows.rows
        async with self._lock:
            with self._waits.for_an_answer(_WHO, "ClickHouse"):
                return await asyncio.to_thread(ask, sql, parameters)


def _take_in_account(stored: Stored, row: Mapping[str, Any]) -> None:
    stored.account_digest = row["digest"]
    stored.max_revision = max(stored.max_revision, row["revision"])
    stored.phase, stored.segment = row["phase"], row["segment"]
    stored.blueprint_version, stored.blueprint_digest = row["blueprint_version"], row["blueprint_digest"]
