"""What Today and the map are judged by: two windows' sums, whom they hurt, and pain by day."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.dashboard.catalogue import Catalogue
from services.dashboard.numbers import Counts
from services.dashboard.ranking import Burden, Judge
from services.dashboard.reader import Reader
from services.dashboard.scope import DAY, Range, Scope
from services.dashboard.store import CellKey, Cells, Daily, Hurt, Hurts

CHART_DAYS = 30


@dataclass(frozen=True, slots=True)
class Weighed:
    """`before` and `hurt_before` are None when there is nothing to compare with."""

    catalogue: Catalogue
    scope: Scope
    as_of: datetime
    span: Range
    now: Cells
    before: Cells | None
    hurt: Hurts
    hurt_before: Hurts | None
    daily: Daily
    rules: Mapping[CellKey, str]

    @property
    def judge(self) -> Judge:
        return Judge(self.catalogue, self.now.total.accounts, self.span.length)

    @property
    def window_days(self) -> int:
        """Days of the chart that lie in the window, at least today."""
        return min(CHART_DAYS, max(1, -(-self.span.length // DAY)))

    def pain_by_day(self, *cells: CellKey) -> tuple[float, ...]:
        """Of the chart's days, the last is today; a type that is pain by definition counts how often it happened."""
        today = self.as_of.date()
        sums = [0.0] * CHART_DAYS
        for key in cells:
            for day, (pain, volume) in self.daily.get(key, {}).items():
                index = CHART_DAYS - 1 - (today - day).days
                if 0 <= index < CHART_DAYS:
                    sums[index] += volume if key[1] in self.catalogue.painful_by_definition else pain
        return tuple(sums)

    def cell(self, key: CellKey) -> Burden:
        """One type in one phase."""
        before = None if self.before is None else self.before.by_cell.get(key, Counts())
        hurt = self.hurt.by_cell.get(key, Hurt()).accounts
        return self.judge.burden(key[1], self.now.by_cell.get(key, Counts()), before, hurt)

    def kind(self, kind: str) -> Burden:
        """One type wherever it happened."""
        before = None if self.before is None else summed(self.before, kind)
        return self.judge.burden(kind, summed(self.now, kind), before, self.hurt.by_type.get(kind, Hurt()).accounts)


def summed(cells: Cells, kind: str) -> Counts:
    """A type's sums over its phases. Accounts and people are not added up: one may be in several phases."""
    mine = [counts for (_, each), counts in cells.by_cell.items() if each == kind]
    return Counts(
        volume=sum(each.volume for each in mine),
        visitor_volume=sum(each.visitor_volume for each in mine),
        friction=sum(each.friction for each in mine),
        delight=sum(each.delight for each in mine),
        emotion_sum=sum(each.emotion_sum for each in mine),
        emotion_count=sum(each.emotion_count for each in mine),
        pain_sum=sum(each.pain_sum for each in mine),
    )


async def weigh(
    reader: Reader, scope: Scope, *, whom: bool = True, named: bool = False, people: bool = False
) -> Weighed:
    """Without `whom` nobody is asked whom it hurt and by which rule: of one account that is clear.

    With `named` it is told who was hurt most, not only how many were. People are counted where `people` says so. What
    it is compared with is asked once a minute, as only late events change it. Raises StoreUnavailable.
    """
    as_of, store = reader.clock(), reader.store
    span = await reader.span(scope, as_of)
    compared = None if scope.window == "all" else span.compared(scope.compare)
    by_definition = reader.catalogue.painful_by_definition
    midnight = span.until.replace(hour=0, minute=0)
    chart = Range(midnight - timedelta(days=CHART_DAYS - 1), span.until, 3600)
    now, daily, hurt, rules, (before, hurt_before) = await asyncio.gather(
        store.cells(scope, span, sparks=False, people=people),
        store.daily(scope, chart),
        store.hurt(scope, span, by_definition, is_named=named) if whom else _nobody(),
        store.worst_rules(scope, span, reader.catalogue.derived_rules) if whom else _no_rules(),
        reader.before(scope, compared, whom=whom) if compared else _nothing(),
    )
    if before is not None and not before.by_cell:  # nothing was told of that time: not that nothing hurt
        before = hurt_before = None
    return Weighed(reader.catalogue, scope, as_of, span, now, before, hurt, hurt_before, daily, rules)


async def _nobody() -> Hurts:
    return Hurts({}, {}, Hurt(), {})


async def _no_rules() -> Mapping[CellKey, str]:
    return {}


async def _nothing() -> tuple[None, None]:
    return None, None
