"""What the page of accounts shows."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from services.dashboard.reader import Reader
from services.dashboard.scope import Scope
from services.dashboard.store import AccountQuery
from services.dashboard.views import AccountRow, Population

LIST_LENGTH = 100
VISITORS_LENGTH = 20


@dataclass(frozen=True, slots=True)
class AccountsPage:
    """The most recent ones; `population`: how many were seen in the window."""

    accounts: tuple[AccountRow, ...]
    visitors: tuple[AccountRow, ...]
    population: Population

    @property
    def is_empty(self) -> bool:
        return not self.accounts and not self.visitors


async def ask(reader: Reader, scope: Scope) -> AccountsPage:
    """Raises StoreUnavailable."""
    span = await reader.span(scope, reader.clock())
    known, visitors, population = await asyncio.gather(
        reader.accounts(AccountQuery(identified=True, limit=LIST_LENGTH, scope=scope, span=span)),
        reader.accounts(AccountQuery(identified=False, limit=VISITORS_LENGTH, scope=scope, span=span)),
        reader.population(scope, span),
    )
    return AccountsPage(known.accounts, visitors.accounts, population)
