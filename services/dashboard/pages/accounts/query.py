"""What the page of accounts shows."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.dashboard.reader import Reader
from services.dashboard.scope import Range, Scope
from services.dashboard.store import AccountQuery
from services.dashboard.views import AccountRow, Population

LIST_LENGTH = 200
VISITORS_LENGTH = 20


@dataclass(frozen=True, slots=True)
class Pained:
    """An account, and what hurt it in the window; `because` is empty where nothing did."""

    row: AccountRow
    pain: float
    share: float
    because: str


@dataclass(frozen=True, slots=True)
class AccountsPage:
    """The most hurt first, then the most recent; `population`: how many were seen in the window."""

    accounts: tuple[Pained, ...]
    visitors: tuple[AccountRow, ...]
    population: Population

    @property
    def is_empty(self) -> bool:
        return not self.accounts and not self.visitors


async def ask(reader: Reader, scope: Scope) -> AccountsPage:
    """Raises StoreUnavailable."""
    span = await reader.span(scope, reader.clock())
    by_definition = reader.catalogue.painful_by_definition
    known, visitors, population, hurt = await asyncio.gather(
        reader.accounts(AccountQuery(identified=True, limit=LIST_LENGTH, scope=scope, span=span)),
        reader.accounts(AccountQuery(identified=False, limit=VISITORS_LENGTH, scope=scope, span=span)),
        reader.population(scope, span),
        reader.store.hurt_accounts(scope, span, by_definition, LIST_LENGTH),
    )
    pains = {row["account_id"]: row for row in hurt}
    missing = set(pains) - {row.account_id for row in known.accounts}
    older = await _rows(reader, scope, span, missing)
    most = max((row["pained"] for row in pains.values()), default=0.0)
    found = [_pained(reader, row, pains.get(row.account_id), most) for row in (*known.accounts, *older)]
    found.sort(key=lambda each: -each.pain)
    return AccountsPage(tuple(found[:LIST_LENGTH]), visitors.accounts, population)


async def _rows(reader: Reader, scope: Scope, span: Range, ids: set[str]) -> list[AccountRow]:
    """Hurt accounts that are not among the most recent."""
    if not ids:
        return []
    query = AccountQuery(identified=True, sort="friction", limit=LIST_LENGTH, scope=scope, span=span)
    return [row for row in (await reader.accounts(query)).accounts if row.account_id in ids]


def _pained(reader: Reader, row: AccountRow, hurt: Mapping[str, Any] | None, most: float) -> Pained:
    if hurt is None:
        return Pained(row, 0.0, 0.0, "")
    because = reader.catalogue.type_name(hurt["worst_type"])
    return Pained(row, hurt["pained"], hurt["pained"] / most if most else 0.0, because)
