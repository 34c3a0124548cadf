"""What the page of a person shows."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from services.dashboard import cursors, row_views
from services.dashboard.days import Day, days_of, scale_of
from services.dashboard.not_found import NotFound
from services.dashboard.numbers import ratio
from services.dashboard.reader import Reader
from services.dashboard.scope import Scope
from services.dashboard.store import DaysQuery
from services.dashboard.words import account_name

TOUCHPOINTS = 300


@dataclass(frozen=True, slots=True)
class Membership:
    """What a person did at one account. `felt` is null where nothing was said."""

    account_id: str
    name: str
    touchpoints: int
    pain: float
    felt: float | None
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class PersonPage:
    """All of the page. `pain` and `felt` are of what `days` shows; `more`: where the earlier part begins.

    `accounts`: those seen last, of `accounts_in_all`.
    """

    reach: Scope
    person_id: str
    title: str
    persona_name: str
    buying_role: str
    accounts: tuple[Membership, ...]
    accounts_in_all: int
    pain: float
    felt: float | None
    statements: int
    methods: tuple[str, ...]
    days: tuple[Day, ...]
    more: str

    @property
    def is_empty(self) -> bool:
        return not self.days

    @property
    def called(self) -> str:
        """The title of the window."""
        return f"{self.title or self.persona_name} at {self.accounts[0].name}"

    def name_of(self, account_id: str) -> str:
        """Of one of its accounts."""
        return next((each.name for each in self.accounts if each.account_id == account_id), account_id)


async def ask(reader: Reader, scope: Scope) -> PersonPage:
    """Raises StoreUnavailable, NotFound."""
    person_id, reach = scope.subject, replace(scope, subject="", before="")
    span = await reader.span(reach, reader.clock())
    after = cursors.decode_time(scope.before) if scope.before else None
    asked = DaysQuery(reach, span.since, TOUCHPOINTS, person_id=person_id, after=after)
    (days, more), accounts = await asyncio.gather(reader.store.days(asked), reader.store.accounts_of(person_id))
    if not accounts:
        raise NotFound(f"no person `{person_id[:80]}`")
    rows = accounts
    found = [row_views.touchpoint_view(reader.catalogue, each) for each in days]
    felt = [each.emotion for each in found if each.emotion is not None]
    persona = next((row["persona"] for row in rows if row["persona"]), "")
    return PersonPage(
        reach=replace(reach, account=rows[0]["account_id"]) if not reach.account else reach,
        person_id=person_id,
        title=next((row["title"] for row in rows if row["title"]), ""),
        persona_name=reader.catalogue.persona_name(persona),
        buying_role=reader.catalogue.buying_role(persona),
        accounts=tuple(map(_membership, rows)),
        accounts_in_all=rows[0]["accounts"],
        pain=sum(each.pain for each in found),
        felt=ratio(sum(felt), len(felt)),
        statements=len(felt),
        methods=tuple(dict.fromkeys(each.method for each in found)),
        days=days_of(found, scale_of(reader.catalogue, rows)),
        more=cursors.encode_time(*more) if more else "",
    )


def _membership(row: Mapping[str, Any]) -> Membership:
    felt = ratio(row["emotion_sum"], row["statements"])
    name = account_name(row["account_id"], row["name"])
    return Membership(row["account_id"], name, row["touchpoints"], row["pain"], felt, row["first_at"], row["last_at"])
