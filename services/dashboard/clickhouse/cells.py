"""What the map sums up."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from services.dashboard import queries
from services.dashboard.clickhouse.asking import Asking
from services.dashboard.clickhouse.parameters import day_of, filters_of, of_reading, of_scope
from services.dashboard.numbers import Counts
from services.dashboard.scope import BUCKETS, MINUTE, Range, Reading, Scope, reading
from services.dashboard.store import CellKey, Cells, Daily, Row


class CellAnswers(Asking):
    """What the map sums up."""

    async def cells(self, scope: Scope, span: Range, *, sparks: bool = True, people: bool = True) -> Cells:
        read = await self._reading(scope, span.since, span.until, span.whole_days)
        asked = of_scope(scope, span) | of_reading(read)
        gaps, of_accounts = len(read.gaps), scope.of_accounts
        rows, drawn = await asyncio.gather(
            self.rows(queries.cells.cells(gaps, of_accounts, people), **asked),
            self._sparks(queries.cells.sparks(gaps, of_accounts), span, asked) if sparks else _no_sparks(),
        )
        sets: dict[int, dict[CellKey, Counts]] = {0: {}, 1: {}, 2: {}}
        for row in rows:
            key = (row["phase"], row["touchpoint_type"])
            sets[row["missing"]][key] = _counts(row, drawn.get(key, ()))
        by_phase = {phase: counts for (phase, _), counts in sets[1].items()}
        return Cells(sets[0], by_phase, sets[2].get(("", ""), Counts()))

    async def active_accounts(self, scope: Scope, span: Range) -> int:
        read = await self._reading(scope, span.since, span.until, span.whole_days)
        asked = of_scope(scope, span) | of_reading(read)
        rows = await self.rows(queries.cells.active_accounts(len(read.gaps), scope.of_accounts), **asked)
        return int(rows[0]["accounts"])

    async def _sparks(self, query: str, span: Range, asked: dict[str, Any]) -> Mapping[CellKey, Sequence[int]]:
        origin = int(span.spark_origin.timestamp())
        found: defaultdict[CellKey, list[int]] = defaultdict(lambda: [0] * BUCKETS)
        for row in await self.rows(query, **asked, origin=origin, step_s=span.step_s):
            found[row["phase"], row["touchpoint_type"]][min(row["bucket"], BUCKETS - 1)] += row["n"]
        return found

    async def history(self, scope: Scope, span: Range, windows: int) -> Mapping[CellKey, Sequence[tuple[int, int]]]:
        length_s = int(span.length.total_seconds())
        days = span.whole_days_before(windows)
        read = await self._reading(scope, span.since - span.length * windows, span.since - MINUTE, days)
        asked = of_scope(scope, span) | of_reading(read)
        found: defaultdict[CellKey, list[tuple[int, int]]] = defaultdict(lambda: [(0, 0)] * windows)
        for row in await self.rows(
            queries.cells.history(len(read.gaps), scope.of_accounts), **asked, length_s=length_s
        ):
            found[row["phase"], row["touchpoint_type"]][row["ago"]] = (row["frictions"], row["n"])
        return found

    async def daily(self, scope: Scope, span: Range) -> Daily:
        settled = {} if scope.of_accounts else await self._settled(span.whole_days)
        read, asked = reading(span.since, span.until, settled), of_scope(scope, span)
        rest = asked | of_reading(replace(read, days=()))
        past, lately = await asyncio.gather(
            self._past_days(asked, {day: settled[day] for day in read.days}),
            self._by_day(queries.cells.daily(len(read.gaps), scope.of_accounts), rest),
        )
        return {**past, **{key: {**past.get(key, {}), **days} for key, days in lately.items()}}

    async def _past_days(self, asked: Mapping[str, Any], settled: Mapping[date, str]) -> Daily:
        """Of settled days: asked again only when one of them was made anew, or another one is settled."""
        filters = tuple((name, repr(value)) for name, value in asked.items() if name not in ("since", "until"))
        values = {**asked, **of_reading(Reading(tuple(settled), ()))}
        if not settled:
            return {}
        return await self._past.of((filters, *settled.items()), lambda: self._by_day(queries.cells.daily(0), values))

    async def _by_day(self, query: str, asked: dict[str, Any]) -> Daily:
        found: dict[CellKey, dict[date, tuple[float, int]]] = {}
        for row in await self.rows(query, **asked):
            sums = zip(row["pains"], row["volumes"], strict=True)
            found[row["phase"], row["touchpoint_type"]] = dict(zip(map(day_of, row["days"]), sums, strict=True))
        return found

    async def last_minute(self, scope: Scope) -> datetime | None:
        row = (await self.rows(queries.cells.last_minute(scope.of_accounts), **filters_of(scope)))[0]
        return row["last"] if row["n"] else None

    async def tiers(self) -> Sequence[str]:
        return [row["tier"] for row in await self.rows(queries.cells.TIERS)]

    async def unmapped(self, scope: Scope, span: Range, known: Sequence[str]) -> Sequence[Row]:
        return await self.rows(queries.cells.unmapped(scope.of_accounts), **of_scope(scope, span), known=list(known))

    async def channels(self) -> Sequence[str]:
        return [row["channel"] for row in await self.rows(queries.cells.CHANNELS)]

    async def kept_off(self, scope: Scope, span: Range, records: Sequence[str]) -> Sequence[Row]:
        asked = of_scope(scope, span) | {"records": list(records)}
        if scope.of_accounts:
            return await self.rows(queries.cells.KEPT_OFF_OF_ACCOUNTS, **asked)
        read = await self._reading(scope, span.since, span.until, span.whole_days)
        return await self.rows(queries.cells.kept_off(len(read.gaps)), **asked, **of_reading(read))


async def _no_sparks() -> Mapping[CellKey, Sequence[int]]:
    return {}


def _counts(row: Mapping[str, Any], spark: Sequence[int]) -> Counts:
    return Counts(
        volume=row["n"],
        visitor_volume=row["visits"],
        friction=row["frictions"],
        delight=row["delights"],
        emotion_sum=row["emotion_total"],
        emotion_count=row["emotions"],
        pain_sum=row["pain_total"],
        accounts=row["account_count"],
        visitors=row["visitor_count"],
        people=row["people_count"],
        spark=tuple(spark),
    )
