"""What hurt, whom and how much."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from services.dashboard import nearby, queries
from services.dashboard.clickhouse.parameters import of_reading, of_scope, with_carriers
from services.dashboard.clickhouse.signals import SignalAnswers
from services.dashboard.scope import MINUTE, Range, Scope, floor_minute
from services.dashboard.store import CellKey, Hurt, Hurts, Near, PainQuery, Pains, Row
from streams.incidents import stored
from streams.incidents.intake import OUTRIGHT
from streams.runtime.clickhouse import stamp

MAX_REACHES = 64


class PainAnswers(SignalAnswers):
    """What hurt, whom and how much."""

    async def hurt(self, scope: Scope, span: Range, by_definition: Sequence[str], *, is_named: bool = True) -> Hurts:
        gaps, others, asked = await self._hurting(scope, span, by_definition)
        query = queries.hurts.hurt_whom if is_named else queries.hurts.hurt
        rows = await self.rows(query(gaps, scope.of_accounts, others), **asked)
        named = {account for row in rows if row["is_type"] for account in row["worst"]}
        known = await self._hashed(scope, span, named)

        def whom(row: Mapping[str, Any]) -> Hurt:
            named = (known[account]["account_id"] for account in row["worst"] if account in known)
            return Hurt(row["accounts"], tuple(named) if row["is_type"] else ())

        return Hurts(
            {(row["phase"], row["touchpoint_type"]): whom(row) for row in rows if not row["is_type"]},
            {row["touchpoint_type"]: whom(row) for row in rows if row["is_type"] and not row["is_total"]},
            next((whom(row) for row in rows if row["is_total"]), Hurt()),
            {row["account_id"]: row["name"] for row in known.values()},
        )

    async def hurt_accounts(self, scope: Scope, span: Range, by_definition: Sequence[str], limit: int) -> Sequence[Row]:
        gaps, others, asked = await self._hurting(scope, span, by_definition)
        rows = await self.rows(queries.hurts.hurt_accounts(gaps, scope.of_accounts, others), **asked, limit=limit)
        known = await self._hashed(scope, span, {row["account"] for row in rows})
        named = ("account_id", "name", "phase", "segment")
        found = [
            {name: row[name] for name in ("pained", "worst_type", "last_at")} | {name: one[name] for name in named}
            for row in rows
            if (one := known.get(row["account"]))
        ]
        return sorted(found, key=lambda row: (-row["pained"], row["account_id"]))[:limit]

    async def _hurting(
        self, scope: Scope, span: Range, by_definition: Sequence[str]
    ) -> tuple[int, bool, dict[str, object]]:
        """How many gaps, whether cells do not know of a type that is pain by definition, and the values to bind."""
        read = await self._reading(scope, span.since, span.until, span.whole_days)
        others = sorted({*by_definition} - OUTRIGHT)
        asked = of_scope(scope, span) | of_reading(read) | {"by_definition": list(by_definition), "others": others}
        return len(read.gaps), bool(others), asked

    async def _hashed(self, scope: Scope, span: Range, accounts: Collection[int]) -> Mapping[int, dict[str, Any]]:
        """Accounts by the hashes of their ids; of one that has no row of its own yet only the id."""
        if not accounts:
            return {}
        rows = await self.rows(queries.hurts.HASHED_ACCOUNTS, hashes=sorted(accounts))
        found = {row["hash"]: row for row in rows}
        if missing := sorted({*accounts} - found.keys()):
            asked = of_scope(scope, span) | {"hashes": missing}
            unknown = {"name": "", "phase": "", "segment": ""}
            found |= {row["hash"]: row | unknown for row in await self.rows(queries.hurts.HASHED_TOUCHPOINTS, **asked)}
        return found

    async def worst_rules(self, scope: Scope, span: Range, without: Sequence[str]) -> Mapping[CellKey, str]:
        asked = with_carriers(scope, span) | {"without": list(without)}
        rows = await self.rows(queries.hurts.worst_rules(scope.is_filtered), **asked)
        return {(row["phase"], row["touchpoint_type"]): row["rule"] for row in rows}

    async def population(self, scope: Scope, span: Range) -> Row:
        if scope.is_filtered:
            return (await self.rows(queries.hurts.POPULATION_OF_SCOPE, **with_carriers(scope, span)))[0]
        return (await self.rows(queries.hurts.POPULATION, since=stamp(span.since)))[0]

    async def pained(self, query: PainQuery) -> Sequence[Row]:
        """The newest so many often lie within hours: as far back as they lay is looked first, and only then further."""
        since, until = query.span.since, query.span.until
        key = (query.scope, query.limit)
        if (reach := self._reaches.get(key)) and (lately := until - 2 * reach) > since:
            rows = await self._pained(query, lately)
            if len(rows) == query.limit and rows[-1]["at"] >= lately:
                return rows
        rows = await self._pained(query, since)
        self._reaches.pop(key, None)
        if len(rows) == query.limit:
            self._reaches[key] = max(MINUTE, until - floor_minute(rows[-1]["at"]))
        while len(self._reaches) > MAX_REACHES:
            self._reaches.pop(next(iter(self._reaches)))
        return rows

    async def _pained(self, query: PainQuery, lately: datetime) -> list[dict[str, Any]]:
        """With the touchpoints of whole minutes from `lately` on."""
        scope = query.scope
        statement = queries.signals.pained(scope.is_filtered, scope.of_accounts, has_falls=_is_of_whole_accounts(scope))
        return await self.rows(
            statement,
            **with_carriers(scope, query.span),
            lately=int(lately.timestamp()),
            since_at=stamp(query.span.since),
            kinds=list(query.types),
            derived=list(query.derived),
            waits=list(query.waits),
            limit=query.limit,
        )

    async def pains(self, accounts: Sequence[str], asked: Mapping[str, object], near: Near | None = None) -> Pains:
        if not accounts:
            return Pains()
        wanted = {**asked, "accounts": list(accounts), "since": stamp(cast(datetime, asked["since"]))}
        standing = self.rows(f"{stored.ACCOUNTS} WHERE true {stored.MINE}", **wanted)
        if near is not None:
            (signals, touchpoints), found = await asyncio.gather(self._near(near, wanted), standing)
            return Pains(signals, touchpoints, found)
        both = (self.rows(each + stored.MINE, **wanted) for each in (stored.SIGNALS, stored.TOUCHPOINTS))
        signals, touchpoints, found = await asyncio.gather(*both, standing)
        return Pains(await self._with_people(signals), touchpoints, found)

    async def _near(self, near: Near, wanted: Mapping[str, Any]) -> tuple[Sequence[Row], Sequence[Row]]:
        """Signals, and touchpoints that are pain by definition."""
        signals = await self.rows(nearby.SIGNALS, **wanted, **nearby.asked(near))
        asked = nearby.touched(near, wanted["types"], signals)
        whole = {**wanted, "accounts": list(near.whole)}
        rows, others = await asyncio.gather(
            self.rows(nearby.TOUCHPOINTS, **wanted, **asked) if asked else _no_rows(),
            self.rows(stored.TOUCHPOINTS + stored.MINE, **whole) if near.whole else _no_rows(),
        )
        return signals, [*rows, *others]


async def _no_rows() -> list[dict[str, Any]]:
    return []


def _is_of_whole_accounts(scope: Scope) -> bool:
    """Whether nothing is asked of single touchpoints: a fall of the phase has no persona, channel or owner."""
    return not (scope.persona or scope.channel or scope.owner or scope.segment)
