"""Signals, with whom they concern."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from schemas.base import EPOCH
from services.dashboard import queries
from services.dashboard.clickhouse.asking import Asking
from services.dashboard.clickhouse.parameters import FAR_FUTURE, filters_of
from services.dashboard.scope import Scope
from services.dashboard.store import Row, SignalQuery
from streams.runtime.clickhouse import stamp

_CARRIED = ("persona", "account_method", "account_confidence")


class SignalAnswers(Asking):
    """Signals, with whom they concern."""

    async def signals(self, query: SignalQuery) -> Sequence[Row]:
        before, before_id = query.after or (FAR_FUTURE, "")
        scope, since = query.scope or Scope(), query.since or EPOCH
        found = await self.rows(
            queries.signals.signals(scope.is_filtered),
            **filters_of(scope),
            polarity=query.polarity,
            since=stamp(since),
            since_s=int(since.timestamp()),
            until_s=int(FAR_FUTURE.timestamp()),
            account_id=query.account_id,
            phase=query.phase,
            touchpoint_type=query.touchpoint_type,
            rules=list(query.rules),
            without=list(query.without),
            cases=list(query.cases),
            before=stamp(before),
            before_id=before_id,
            limit=query.limit,
        )
        return await self._with_people(found)

    async def _with_people(self, signals: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Adds account_name, and persona and attribution of the carrying touchpoint, by key."""
        if not signals:
            return signals
        accounts = [row["account_id"] for row in signals]
        names, carriers = await asyncio.gather(
            self.rows(queries.accounts.ACCOUNT_NAMES, ids=sorted(set(accounts))),
            self.carriers(accounts, [row["event_id"] for row in signals]),
        )
        name_of = {row["account_id"]: row["name"] for row in names}
        carrier_of = {(row["account_id"], row["event_id"]): row for row in carriers}
        for row in signals:
            row["account_name"] = name_of.get(row["account_id"], "")
            carrier = carrier_of.get((row["account_id"], row["event_id"]), {})
            row |= {name: carrier[name] for name in _CARRIED if name in carrier}
        return signals

    async def carriers(self, accounts: Sequence[str], events: Sequence[str]) -> Sequence[Row]:
        return await self.rows(queries.signals.CARRIERS, accounts=list(accounts), events=list(events))

    async def figures(self, asked_for: Sequence[tuple[str, dict[str, Any]]]) -> Sequence[Sequence[Row]]:
        return [await self.rows(statement, **wanted) for statement, wanted in asked_for]
