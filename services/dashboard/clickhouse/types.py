"""One touchpoint type in depth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from services.dashboard import queries
from services.dashboard.clickhouse.asking import Asking
from services.dashboard.clickhouse.parameters import of_scope
from services.dashboard.scope import Range, Scope
from services.dashboard.store import CellQuery, Row
from streams.friction.fields import REFERENCES


class TypeAnswers(Asking):
    """One touchpoint type in depth."""

    async def variants(self, scope: Scope, span: Range, by_definition: Sequence[str]) -> Sequence[Row]:
        asked = of_scope(scope, span) | {"by_definition": list(by_definition)}
        return await self.rows(queries.types.variants(scope.of_accounts), **asked)

    async def beside(self, scope: Scope, span: Range, by_definition: Sequence[str], *, after: bool) -> Sequence[Row]:
        asked = of_scope(scope, span) | {"by_definition": list(by_definition)}
        return await self.rows(queries.types.beside(scope.of_accounts, after), **asked)

    async def said(self, scope: Scope, span: Range, limit: int) -> Sequence[Row]:
        return await self.rows(queries.types.said(scope.of_accounts), **of_scope(scope, span), limit=limit)

    async def measures(self, query: CellQuery) -> Mapping[str, float]:
        scoped = of_scope(query.scope, query.span)
        asked: dict[str, Any] = {"phase": query.phase, "touchpoint_type": query.touchpoint_type}
        asked |= {"references": list(REFERENCES)}
        for side in ("opens", "closes"):
            names = [
                (name, number)
                for number, question in enumerate(query.questions, start=1)
                for name in (question.asked if side == "opens" else question.answered)
            ]
            asked |= {side: [name for name, _ in names] or [""], f"{side}_of": [n for _, n in names] or [0]}
        return {row["target"]: row["value"] for row in await self.rows(queries.types.MEASURES, **scoped, **asked)}

    async def shares(self, query: CellQuery) -> Sequence[Row]:
        scoped = of_scope(query.scope, query.span)
        return await self.rows(queries.types.SHARES, **scoped, phase=query.phase, touchpoint_type=query.touchpoint_type)
