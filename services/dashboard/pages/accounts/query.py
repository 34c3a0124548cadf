"""What the page of accounts shows."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, replace
from datetime import datetime

from services.dashboard import cursors, row_views
from services.dashboard.pages.account.crm_traits import revenue_of
from services.dashboard.pages.accounts.columns import CHOICE, Column, columns_of
from services.dashboard.reader import Reader
from services.dashboard.scope import DAY, USUAL_RANKING, Range, Ranking, Scope
from services.dashboard.store import AccountQuery, RankedQuery, Row
from services.dashboard.views.accounts import AccountRow
from services.dashboard.views.journey_map import Population

LIST_LENGTH = 200
VISITORS_LENGTH = 20


@dataclass(frozen=True, slots=True)
class Listed:
    """An account, and what hurt it in the window; `because` is empty where nothing did. `owner`: as its CRM says.

    `revenue_a_year` is in the currency that the CRM uses, 0: not told; `completeness`: of the buying committee, 0 to 1,
    null where the blueprint asks for nobody.
    """

    row: AccountRow
    pain: float
    because: str
    tier: str
    owner: str
    revenue: str
    revenue_a_year: float
    days_in_phase: int | None
    completeness: float | None
    open_incidents: int


@dataclass(frozen=True, slots=True)
class AccountsPage:
    """Sorted by `sort`; `population`: how many were seen in the window. `more`: where the next part begins; `is_first`:
    nothing stands before what is listed, and visitors are listed beside it."""

    accounts: tuple[Listed, ...]
    visitors: tuple[AccountRow, ...]
    population: Population
    sort: Ranking
    columns: tuple[Column, ...]
    more: str = ""
    is_first: bool = True
    choice: tuple[Column, ...] = CHOICE

    @property
    def is_empty(self) -> bool:
        return not self.accounts and not self.visitors

    @property
    def worst(self) -> Listed | None:
        """The most hurt of those that are listed; None: nobody was hurt."""
        hurt = [each for each in self.accounts if each.pain]
        return max(hurt, key=lambda each: each.pain, default=None)


async def ask(reader: Reader, scope: Scope) -> AccountsPage:
    """Raises StoreUnavailable."""
    span, sort = await reader.span(scope, reader.clock()), scope.sort or USUAL_RANKING
    asked = ranked(reader, scope, span, sort, LIST_LENGTH + 1)
    after = cursors.decode_ranked(scope.after, sort) if scope.after else None
    rows, visitors, population = await asyncio.gather(
        reader.store.ranked_accounts(replace(asked, after=after)),
        reader.accounts(AccountQuery(identified=False, limit=VISITORS_LENGTH, scope=scope, span=span)),
        reader.population(scope, span),
    )
    shown = rows[:LIST_LENGTH]
    accounts = tuple(listed(reader, row) for row in shown)
    more = cursors.encode_ranked(sort, place_of(shown[-1])) if len(rows) > LIST_LENGTH else ""
    return AccountsPage(
        accounts, visitors.accounts, population, sort, columns_of(scope), more=more, is_first=not scope.after
    )


def ranked(reader: Reader, scope: Scope, span: Range, sort: Ranking, limit: int) -> RankedQuery:
    """Its first rows."""
    catalogue = reader.catalogue
    names = {kind.id: kind.name for kind in catalogue.types.values()}
    return RankedQuery(scope, span, catalogue.painful_by_definition, tuple(catalogue.phases), names, sort, limit)


def place_of(row: Row) -> tuple[str, int, str]:
    """Of a row of the ranked ones: the next part begins behind it."""
    return row["sort_key"], row["seen_key"], row["account_id"]


def listed(reader: Reader, row: Row) -> Listed:
    """A row of the ranked ones."""
    account, share = row_views.account_row(reader.catalogue, row), row["committee_completeness"]
    return Listed(
        row=account,
        pain=row["pained"],
        because=reader.catalogue.type_name(row["worst_type"]) if row["worst_type"] else "",
        tier=row["tier"],
        owner=row["owner"],
        revenue=revenue_of(row_views.traits(row["traits"])),
        revenue_a_year=row["revenue"],
        days_in_phase=_days(account.phase_since or account.first_seen_at, reader.clock()),
        completeness=None if math.isnan(share) else share,
        open_incidents=row["open_incidents"],
    )


def _days(since: datetime | None, now: datetime) -> int | None:
    return None if since is None else max(0, (now - since) // DAY)
