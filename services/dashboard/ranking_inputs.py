"""What Today and the map are judged by: two windows' sums, whom they hurt, and pain by day."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from services.dashboard.catalogue import Catalogue
from services.dashboard.numbers import Counts
from services.dashboard.ranking import Burden, Judge, Measure
from services.dashboard.reader import Reader
from services.dashboard.scope import DAY, Range, Scope
from services.dashboard.store import CellKey, Cells, Daily, Hurt, Hurts
from services.dashboard.views.figures import Severity

CHART_DAYS = 30
NOTHING = Counts()
_NO_PAIN = (0.0,) * CHART_DAYS


@dataclass(frozen=True)
class Weighed:
    """`before` and `hurt_before` are None when there is nothing to compare with.

    `active`: identified accounts with any touchpoint of the scope, whatever its types; and so `active_before`.
    """

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
    active: int
    active_before: int = 0

    @cached_property
    def judge(self) -> Judge:
        return Judge(self.catalogue, self.active, self.span.length)

    @property
    def window_days(self) -> int:
        """Days of the chart that lie in the window, at least today."""
        return min(CHART_DAYS, max(1, -(-self.span.length // DAY)))

    def pain_by_day(self, *cells: CellKey) -> tuple[float, ...]:
        """Of the chart's days, the last is today; a type that is pain by definition counts how often it happened."""
        return tuple(map(sum, zip(_NO_PAIN, *[self._charts[key] for key in cells if key in self._charts], strict=True)))

    @cached_property
    def _charts(self) -> Mapping[CellKey, Sequence[float]]:
        """Each cell's pain by day of the chart: a cell is in the sums of its type, of its phase and of all."""
        today = self.as_of.date()
        index = {today - timedelta(days=CHART_DAYS - 1 - n): n for n in range(CHART_DAYS)}
        found = {}
        for key, days in self.daily.items():
            part = 1 if key[1] in self.catalogue.painful_by_definition else 0
            found[key] = pains = [0.0] * CHART_DAYS
            for day, sums in days.items():
                if day in index:
                    pains[index[day]] = sums[part]
        return found

    def cell(self, key: CellKey) -> Burden:
        """One type in one phase: its part of what the type weighs."""
        before = None if self.before is None else self.before.by_cell.get(key, NOTHING)
        hurt = self.hurt.by_cell.get(key, Hurt()).accounts
        return self.judge.burden(key[1], self.now.by_cell.get(key, NOTHING), before, hurt, self._measure(key[1]))

    def severity(self, key: CellKey) -> Severity:
        """The word for it, of the one scale."""
        return self.cell(key).severity

    def kind(self, kind: str) -> Burden:
        """One type wherever it happened."""
        hurt = self.hurt.by_type.get(kind, Hurt()).accounts
        return self.judge.burden(kind, self.of(kind), self._of_before(kind), hurt, self._measure(kind))

    def of(self, kind: str) -> Counts:
        """A type's sums over its phases. Accounts and people are not added up: one may be in several phases."""
        return self._sums.get(kind, NOTHING)

    @cached_property
    def cells_of(self) -> Mapping[str, Sequence[CellKey]]:
        """The cells of each type that was seen."""
        return _grouped(self.now.by_cell, 1)

    @cached_property
    def cells_in(self) -> Mapping[str, Sequence[CellKey]]:
        """The cells of each phase in which anything was seen."""
        return _grouped(self.now.by_cell, 0)

    @cached_property
    def daily_of(self) -> Mapping[str, Sequence[CellKey]]:
        """The cells of each type that was seen in the days of the chart."""
        return _grouped(self.daily, 1)

    def _measure(self, kind: str) -> Measure:
        if kind not in self._measures:
            self._measures[kind] = self.judge.measure(kind, self.of(kind), self._of_before(kind))
        return self._measures[kind]

    def _of_before(self, kind: str) -> Counts | None:
        return None if self.before is None else self._sums_before.get(kind, NOTHING)

    @cached_property
    def _measures(self) -> dict[str, Measure]:
        return {}

    @cached_property
    def _sums(self) -> Mapping[str, Counts]:
        return summed(self.now)

    @cached_property
    def _sums_before(self) -> Mapping[str, Counts]:
        return {} if self.before is None else summed(self.before)


def _grouped(keys: Iterable[CellKey], part: int) -> Mapping[str, Sequence[CellKey]]:
    found: defaultdict[str, list[CellKey]] = defaultdict(list)
    for key in keys:
        found[key[part]].append(key)
    return found


def summed(cells: Cells) -> Mapping[str, Counts]:
    """Each type's sums over its phases. Accounts and people are not added up: one may be in several phases."""
    found: defaultdict[str, list[Counts]] = defaultdict(list)
    for (_, kind), counts in cells.by_cell.items():
        found[kind].append(counts)
    return {kind: _summed(counts) for kind, counts in found.items()}


def _summed(counts: Sequence[Counts]) -> Counts:
    return Counts(
        volume=sum(each.volume for each in counts),
        visitor_volume=sum(each.visitor_volume for each in counts),
        friction=sum(each.friction for each in counts),
        delight=sum(each.delight for each in counts),
        emotion_sum=sum(each.emotion_sum for each in counts),
        emotion_count=sum(each.emotion_count for each in counts),
        pain_sum=sum(each.pain_sum for each in counts),
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
    now, daily, hurt, rules, active, (before, hurt_before, active_before) = await asyncio.gather(
        store.cells(scope, span, sparks=False, people=people),
        store.daily(scope, chart),
        store.hurt(scope, span, by_definition, is_named=named) if whom else _nobody(),
        store.worst_rules(scope, span, reader.catalogue.derived_rules) if whom else _no_rules(),
        reader.active_accounts(scope, span),
        reader.before(scope, compared, whom=whom) if compared else _nothing(),
    )
    if before is not None and not before.by_cell:  # nothing was told of that time: not that nothing hurt
        before = hurt_before = None
    return Weighed(
        reader.catalogue,
        scope,
        as_of,
        span,
        now,
        before,
        hurt,
        hurt_before,
        daily,
        rules,
        active=now.total.accounts if active is None else active,
        active_before=active_before,
    )


async def _nobody() -> Hurts:
    return Hurts({}, {}, Hurt(), {})


async def _no_rules() -> Mapping[CellKey, str]:
    return {}


async def _nothing() -> tuple[None, None, int]:
    return None, None, 0
