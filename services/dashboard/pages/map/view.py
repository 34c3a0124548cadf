"""The current-state map from what was weighed, pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from services.dashboard.grid import boxed
from services.dashboard.mapping import phases_of
from services.dashboard.numbers import ratio, term_of
from services.dashboard.ranking import HURTS, Burden
from services.dashboard.ranking_inputs import Weighed
from services.dashboard.store import CellKey, Hurt
from services.dashboard.views.figures import Term
from services.dashboard.views.journey_map import Box, Candidate, Unmapped

TWO_FROM = 3
"""Painful cells from which a phase has two columns of them."""


@dataclass(frozen=True, slots=True)
class PainfulCell:
    """A cell that hurts, whole."""

    id: str
    name: str
    is_moment_of_truth: bool
    burden: Burden
    rule: str
    days: tuple[float, ...]
    accounts: int
    owner: str


@dataclass(frozen=True, slots=True)
class Line:
    """A cell that needs one line: how often it happened; of a survey, what people felt."""

    id: str
    name: str
    volume: int
    felt: float | None = None


@dataclass(frozen=True, slots=True)
class MapPhase:
    """A column. `unseen`: names of its own types that nobody touched in the window."""

    id: str
    name: str
    accounts: int
    visitors: int
    felt: float | None
    wanted: float | None
    statements: int
    painful: tuple[PainfulCell, ...]
    calm: tuple[Line, ...]
    unmeasured: tuple[Line, ...]
    verdicts: tuple[Line, ...]
    unseen: tuple[str, ...]
    owners: tuple[tuple[str, float], ...]

    @property
    def width(self) -> str:
        """`two`: painful cells side by side; `narrow`: nothing hurts."""
        return "two" if len(self.painful) >= TWO_FROM else "" if self.painful else "narrow"

    @property
    def pain(self) -> float:
        return sum(pain for _, pain in self.owners)


@dataclass(frozen=True, slots=True)
class MapPage:
    """`touchpoints`: of the whole scope, in whichever phase."""

    touchpoints: int
    unmapped: Unmapped
    phases: tuple[MapPhase, ...]
    window_days: int
    boxes: tuple[Box, ...]

    @property
    def is_empty(self) -> bool:
        return not self.touchpoints

    @property
    def worst(self) -> MapPhase | None:
        """The phase with the most pain, the sum that stands below its column."""
        hurting = [phase for phase in self.phases if phase.painful]
        return max(hurting, key=lambda phase: phase.pain, default=None)

    @property
    def owner(self) -> tuple[str, float] | None:
        """Who owns the largest part of the pain, and the part."""
        pains: dict[str, float] = {}
        for name, pain in (each for phase in self.phases for each in phase.owners):
            pains[name] = pains.get(name, 0.0) + pain
        total = sum(pains.values())
        return (
            None if not total else max(((name, pain / total) for name, pain in pains.items()), key=lambda one: one[1])
        )


def drawn(weighed: Weighed, unmapped: Unmapped) -> MapPage:
    """Every phase of the blueprint, in its order, and behind them phases of an earlier one."""
    phases = tuple(_phase(weighed, phase.id) for phase in phases_of(weighed.catalogue, weighed.now))
    return MapPage(weighed.now.total.volume, unmapped, phases, weighed.window_days, boxed(_candidates(weighed)))


def _candidates(weighed: Weighed) -> Iterator[tuple[Term, Candidate]]:
    """Whatever weighs something; its impact is the weight times the damage if it fails, of 5."""
    catalogue = weighed.catalogue
    for key in weighed.now.by_cell:
        kind, weight = catalogue.types.get(key[1]), weighed.cell(key).weight
        if kind and weight:
            owner = kind.owner.department if kind.owner else ""
            where = (key[0], catalogue.phase_name(key[0]))
            candidate = Candidate(kind.id, kind.name, *where, weight * kind.risk / 5, owner, kind.moment_of_truth)
            yield term_of(kind, catalogue.rule_efforts.get(weighed.rules.get(key, ""))), candidate


def _phase(weighed: Weighed, phase: str) -> MapPhase:
    catalogue, counts = weighed.catalogue, weighed.now.by_phase.get(phase)
    seen = [key for key in weighed.cells_in.get(phase, ()) if key[1] in catalogue.types]
    burdens = {key: weighed.cell(key) for key in seen}
    painful = sorted((key for key in seen if burdens[key].severity in HURTS), key=lambda k: (-burdens[k].weight, k))
    owners: dict[str, float] = {}
    for key in painful:
        owners[_owner(weighed, key)] = owners.get(_owner(weighed, key), 0.0) + burdens[key].pain
    said = [(catalogue.types[key[1]].desired_emotion, weighed.now.by_cell[key].emotion_count) for key in seen]
    wants = [(wanted, count) for wanted, count in said if wanted is not None]
    return MapPhase(
        id=phase,
        name=catalogue.phase_name(phase),
        accounts=counts.accounts if counts else 0,
        visitors=counts.visitors if counts else 0,
        felt=ratio(counts.emotion_sum, counts.emotion_count) if counts else None,
        wanted=ratio(sum(wanted * count for wanted, count in wants), sum(count for _, count in wants)),
        statements=counts.emotion_count if counts else 0,
        painful=tuple(_painful(weighed, key, burdens[key]) for key in painful),
        calm=_lines(weighed, [key for key in seen if burdens[key].severity == "calm"]),
        unmeasured=_lines(weighed, [key for key in seen if burdens[key].severity == "unmeasured"]),
        verdicts=_lines(weighed, [key for key in seen if burdens[key].severity == "verdict"]),
        unseen=tuple(kind.name for kind in catalogue.home_types(phase) if (phase, kind.id) not in weighed.now.by_cell),
        owners=tuple(sorted(owners.items(), key=lambda each: (-each[1], each[0]))),
    )


def _owner(weighed: Weighed, key: CellKey) -> str:
    owner = weighed.catalogue.types[key[1]].owner
    return owner.department if owner else "nobody"


def _painful(weighed: Weighed, key: CellKey, burden: Burden) -> PainfulCell:
    kind = weighed.catalogue.types[key[1]]
    return PainfulCell(
        id=kind.id,
        name=kind.name,
        is_moment_of_truth=kind.moment_of_truth,
        burden=burden,
        rule=weighed.rules.get(key, ""),
        days=weighed.pain_by_day(key),
        accounts=weighed.hurt.by_cell.get(key, Hurt()).accounts,
        owner=_owner(weighed, key),
    )


def _lines(weighed: Weighed, keys: list[CellKey]) -> tuple[Line, ...]:
    """The commonest first."""
    found = [(key, weighed.now.by_cell[key]) for key in keys]
    found.sort(key=lambda each: (-each[1].volume, each[0]))
    return tuple(
        Line(
            key[1], weighed.catalogue.type_name(key[1]), counts.volume, ratio(counts.emotion_sum, counts.emotion_count)
        )
        for key, counts in found
    )
