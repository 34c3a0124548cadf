"""Accounts and people."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

from services.dashboard import queries
from services.dashboard.clickhouse.pain import PainAnswers
from services.dashboard.clickhouse.parameters import of_scope
from services.dashboard.store import AccountQuery, RankedQuery, Row


class AccountAnswers(PainAnswers):
    """Accounts and people."""

    async def accounts(self, query: AccountQuery) -> Sequence[Row]:
        after_key, after_id = query.after or ("", "")
        scoped = of_scope(query.scope, query.span) if query.scope and query.span and query.scope.is_filtered else {}
        return await self.rows(
            queries.accounts.accounts(query.sort, is_filtered=bool(scoped)),
            **scoped,
            phase=query.phase,
            identified=-1 if query.identified is None else int(query.identified),
            text=query.text,
            has_after=int(query.after is not None),
            after_key=after_key,
            after_id=after_id,
            limit=query.limit + 1,
        )

    async def ranked_accounts(self, query: RankedQuery) -> Sequence[Row]:
        key, seen, account_id = query.after or ("", 0, "")
        scope = query.scope
        gaps, others, asked = await self._hurting(scope, query.span, query.by_definition)
        return await self.rows(
            queries.accounts.ranked_accounts(
                query.sort, gaps, is_filtered=scope.is_filtered, of_accounts=scope.of_accounts, has_others=others
            ),
            **asked,
            phases=list(query.phases),
            kinds=list(query.kinds) or [""],
            kind_names=list(query.kinds.values()) or [""],
            has_after=int(query.after is not None),
            after_key=key,
            after_seen=seen,
            after_id=account_id,
            limit=query.limit,
        )

    async def account(self, account_id: str) -> Row | None:
        return next(iter(await self.rows(queries.accounts.ACCOUNT, account_id=account_id)), None)

    async def corrections(self, account_id: str, limit: int) -> Sequence[Row]:
        return await self.rows(queries.accounts.CORRECTIONS, account_id=account_id, limit=limit)

    async def people(self, text: str, since: datetime, limit: int) -> Sequence[Row]:
        return await self.rows(queries.people.PEOPLE, text=text, since=int(since.timestamp()), limit=limit)

    async def people_of(self, account_id: str) -> Sequence[Row]:
        rows, titles = await asyncio.gather(
            self.rows(queries.people.PEOPLE_OF_ACCOUNT, account_id=account_id),
            self.rows(queries.people.TITLES, accounts=[account_id]),
        )
        said = {row["person_id"]: row["title"] for row in titles}
        return [row | {"title": said.get(row["person_id"], "")} for row in rows]

    async def accounts_of(self, person_id: str) -> Sequence[Row]:
        rows = await self.rows(queries.people.ACCOUNTS_OF_PERSON, person_id=person_id)
        ids = [row["account_id"] for row in rows]
        names, titles = await asyncio.gather(
            self.rows(queries.accounts.ACCOUNT_NAMES, ids=ids), self.rows(queries.people.TITLES, accounts=ids[:20])
        )
        by_id = {row["account_id"]: row for row in names}
        unknown = {"name": "", "segment": "", "traits": ""}
        title = next((row["title"] for row in titles if row["person_id"] == person_id), "")
        return [unknown | row | by_id.get(row["account_id"], {}) | {"title": title} for row in rows]
