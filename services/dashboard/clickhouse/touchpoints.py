"""Single touchpoints, and days of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from schemas.base import EPOCH
from services.dashboard import queries
from services.dashboard.clickhouse.asking import Asking
from services.dashboard.clickhouse.parameters import FAR_FUTURE, filters_of, last_key
from services.dashboard.scope import Scope, floor_minute
from services.dashboard.store import DaysQuery, Row, TimeKey
from streams.runtime.clickhouse import stamp


class TouchpointAnswers(Asking):
    """Single touchpoints, and days of them."""

    async def timeline(self, account_id: str, limit: int, after: TimeKey | None) -> Sequence[Row]:
        before, before_id = after or (FAR_FUTURE, "")
        keys = await self.rows(
            queries.touchpoints.TIMELINE_KEYS,
            account_id=account_id,
            since=stamp(EPOCH),
            before=stamp(before),
            before_id=before_id,
            limit=limit + 1,
        )
        return await self._touchpoints(account_id, [(row["occurred_at"], row["event_id"]) for row in keys])

    async def _touchpoints(
        self, account_id: str, keys: Sequence[TimeKey], scope: Scope | None = None
    ) -> list[dict[str, Any]]:
        if not keys:
            return []
        minutes = [int(floor_minute(at).timestamp()) for at, _ in keys]
        events = [event_id for _, event_id in keys]
        filters = filters_of(scope or Scope())
        rows = self.rows(queries.touchpoints.TIMELINE, account_id=account_id, minutes=minutes, events=events, **filters)
        return await self._with_signals(await rows)

    async def _with_signals(self, touchpoints: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Adds the signals each carries, and those it is evidence of."""
        accounts = sorted({row["account_id"] for row in touchpoints})
        events = [row["event_id"] for row in touchpoints]
        signals = (
            await self.rows(queries.signals.SIGNALS_OF_EVENTS, accounts=accounts, events=events) if touchpoints else []
        )
        for row in touchpoints:
            mine = [each for each in signals if each["account_id"] == row["account_id"]]
            row["signals"] = [each for each in mine if each["event_id"] == row["event_id"]]
            row["evidence_of"] = [each for each in mine if row["event_id"] in each["evidence"]]
        return touchpoints

    async def days(self, query: DaysQuery) -> tuple[Sequence[Row], TimeKey | None]:
        before, before_id = query.after or (FAR_FUTURE, "")
        bounds = {"since": stamp(query.since), "before": stamp(before), "before_id": before_id}
        if query.person_id:
            asked = filters_of(query.scope) | bounds | {"person_id": query.person_id, "limit": query.limit + 1}
            rows = await self.rows(queries.people.PERSON_TIMELINE, **asked)
            shown, key = rows[: query.limit], last_key(rows, query.limit)
            return await self._with_signals(shown), key
        keys = await self.rows(
            queries.touchpoints.TIMELINE_KEYS, account_id=query.account_id, **bounds, limit=query.limit + 1
        )
        found = [(row["occurred_at"], row["event_id"]) for row in keys[: query.limit]]
        return await self._touchpoints(query.account_id, found, query.scope), last_key(keys, query.limit)

    async def events(self, account_id: str, events: Sequence[str]) -> Sequence[Row]:
        keys = await self.rows(queries.touchpoints.KEYS_OF_EVENTS, account_id=account_id, events=list(events))
        return await self._touchpoints(account_id, [(row["occurred_at"], row["event_id"]) for row in keys])

    async def owners_of(self, events: Sequence[str]) -> Mapping[str, str]:
        found = await self.rows(queries.touchpoints.OWNERS_OF_EVENTS, events=list(events))
        return {row["event_id"]: row["account_id"] for row in found}

    async def touchpoint(self, event_id: str) -> Row | None:
        kept = next(iter(await self.rows(queries.touchpoints.HISTORY_OF_EVENT, event_id=event_id)), None)
        if kept is None:
            return None
        found = await self._touchpoints(kept["account_id"], [(kept["occurred_at"], event_id)])
        return found[0] | {"payload": kept["payload"]} if found else None

    async def erasure(self, erasure_id: str) -> Row:
        return next(iter(await self.rows(queries.touchpoints.ERASURE, erasure_id=erasure_id)))
