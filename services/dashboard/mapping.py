"""The journey map from the store's sums and the blueprint, pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from schemas.blueprint import Phase, TouchpointType
from schemas.capabilities import Capability
from services.dashboard import numbers
from services.dashboard.catalogue import Catalogue
from services.dashboard.grid import grid
from services.dashboard.numbers import Counts, ratio
from services.dashboard.scope import FILTERS, Range, Scope
from services.dashboard.store import CellKey, Cells
from services.dashboard.views.figures import Severity
from services.dashboard.views.journey_map import Cell, MapView, PhaseView, Population, RawType, Totals, Unmapped
from services.dashboard.views.sources import Freshness


@dataclass(frozen=True, slots=True)
class MapInputs:
    """Everything a map is made of; the same inputs make the same map."""

    scope: Scope
    span: Range
    as_of: datetime
    cells: Cells
    history: Mapping[CellKey, Sequence[tuple[int, int]]]
    raw_types: Sequence[Mapping[str, Any]]
    population: Population
    freshness: Freshness
    worst_rules: Mapping[CellKey, str] = field(default_factory=dict)
    measured: Mapping[CellKey, Mapping[str, float]] = field(default_factory=dict)
    fed_by: Collection[Capability] = ()
    explain: bool = False


def build_map(catalogue: Catalogue, inputs: MapInputs) -> MapView:
    """Every phase of the blueprint, every type at home in it, and whatever else happened there."""
    phases = tuple(_phase(catalogue, inputs, phase) for phase in phases_of(catalogue, inputs.cells))
    return MapView(
        as_of=inputs.as_of,
        window=inputs.scope.window,
        since=inputs.span.since,
        until=inputs.as_of,
        filters={name: getattr(inputs.scope, name) for name in FILTERS},
        totals=_totals(inputs, phases),
        phases=phases,
        grid=grid(phases, catalogue.verdicts),
        unmapped=unmapped_of(catalogue, inputs.cells, inputs.raw_types),
        unfed_rules=catalogue.unfed_rules(inputs.fed_by),
        freshness=inputs.freshness,
    )


def judged(found: MapView, severity: Callable[[CellKey], Severity]) -> MapView:
    """The map with the severity of each cell."""
    return replace(found, phases=tuple(replace(phase, types=_judged(phase, severity)) for phase in found.phases))


def _judged(phase: PhaseView, severity: Callable[[CellKey], Severity]) -> tuple[Cell, ...]:
    return tuple(replace(cell, severity=severity((phase.id, cell.id))) for cell in phase.types)


def unmapped_of(catalogue: Catalogue, cells: Cells, raw_types: Iterable[Mapping[str, Any]]) -> Unmapped:
    """What is in no type of the blueprint: how much, and the commonest of it."""
    volumes = (counts.volume for key, counts in cells.by_cell.items() if key[1] not in catalogue.types)
    return Unmapped(sum(volumes), tuple(RawType(row["source"], row["vendor_type"], row["volume"]) for row in raw_types))


def phases_of(catalogue: Catalogue, cells: Cells) -> list[Phase]:
    """The blueprint's, and behind them phases only the store knows (of an earlier blueprint)."""
    unknown = sorted(set(cells.by_phase) - set(catalogue.phases))
    return [*catalogue.phases.values(), *(Phase(id=phase, name=catalogue.phase_name(phase)) for phase in unknown)]


def _phase(catalogue: Catalogue, inputs: MapInputs, phase: Phase) -> PhaseView:
    home = catalogue.home_types(phase.id)
    here = {key[1] for key in inputs.cells.by_cell if key[0] == phase.id} - {kind.id for kind in home}
    away = [catalogue.types[kind] for kind in here if kind in catalogue.types]
    away.sort(key=lambda kind: (-inputs.cells.by_cell[phase.id, kind.id].volume, kind.id))
    counts = inputs.cells.by_phase.get(phase.id, Counts())
    return PhaseView(
        id=phase.id,
        name=phase.name,
        kind=phase.kind,
        volume=counts.volume,
        accounts=counts.accounts,
        visitors=counts.visitors,
        people=counts.people,
        friction_rate=ratio(counts.friction, counts.volume),
        emotion=ratio(counts.emotion_sum, counts.emotion_count),
        types=tuple(cell_of(catalogue, inputs, phase.id, kind) for kind in [*home, *away]),
    )


def cell_of(catalogue: Catalogue, inputs: MapInputs, phase: str, kind: TouchpointType) -> Cell:
    """One type in one phase; it takes nothing of population and freshness."""
    key = (phase, kind.id)
    counts = inputs.cells.by_cell.get(key, Counts())
    found = numbers.numbers_of(counts, kind, inputs.cells.total.accounts)
    worst_rule = inputs.worst_rules.get(key, "")
    return Cell(
        id=kind.id,
        name=kind.name,
        phase=phase,
        home_phase=kind.phase,
        volume=counts.volume,
        accounts_reached=counts.accounts,
        visitors_reached=counts.visitors,
        reach_percent=found["reach_percent"],
        frequency=found["frequency"],
        people=counts.people,
        friction_touchpoints=counts.friction,
        friction_rate=found["friction_rate"],
        delight_touchpoints=counts.delight,
        emotion=found["emotion"],
        emotion_touchpoints=counts.emotion_count,
        desired_emotion=kind.desired_emotion,
        emotion_gap=found["emotion_gap"],
        pain_index=found.sure("pain_index"),
        level=numbers.level_of(found.sure("pain_index"), counts.volume),
        moment_of_truth=kind.moment_of_truth,
        importance=kind.importance,
        damage=kind.risk,
        risk=found.sure("risk"),
        impact=found["impact"],
        term=numbers.term_of(kind, catalogue.rule_efforts.get(worst_rule)),
        worst_rule=worst_rule,
        owner=kind.owner.department if kind.owner else "",
        performance=numbers.performance(kind, found, inputs.measured.get(key)),
        trend=numbers.trend((counts.friction, counts.volume), inputs.history.get(key, ())),
        spark=counts.spark,
        explain={str(name): figure for name, figure in found.figures.items()} if inputs.explain else None,
    )


def _totals(inputs: MapInputs, phases: Iterable[PhaseView]) -> Totals:
    total = inputs.cells.total
    painful = [cell for phase in phases for cell in phase.types if cell.level == "painful"]
    return Totals(
        touchpoints=total.volume,
        accounts=total.accounts,
        visitors=total.visitors,
        people=total.people,
        friction_touchpoints=total.friction,
        friction_rate=ratio(total.friction, total.volume),
        emotion=ratio(total.emotion_sum, total.emotion_count),
        painful_types=len({cell.id for cell in painful}),
        painful_moments_of_truth=len({cell.id for cell in painful if cell.moment_of_truth}),
        identified_accounts=inputs.population.accounts,
        not_yet_identified=inputs.population.visitors,
        accounts_at_risk=inputs.population.at_risk,
    )
