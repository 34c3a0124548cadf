"""What the blueprint shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from schemas.blueprint import Phase, TouchpointType
from services.dashboard.not_found import NotFound
from services.dashboard.numbers import numbers_of, performance, ratio
from services.dashboard.ranking import HURTS, Burden
from services.dashboard.ranking_inputs import Weighed, weigh
from services.dashboard.reader import Reader
from services.dashboard.scope import Scope
from services.dashboard.store import Hurt
from services.dashboard.views.figures import Gap

COLUMNS = 8
OWNED = 4


@dataclass(frozen=True, slots=True)
class Column:
    """A touchpoint type, and what stands behind it."""

    kind: TouchpointType
    phase_name: str
    is_first: bool
    burden: Burden
    accounts: int
    felt: float | None
    promises: tuple[Gap, ...]


@dataclass(frozen=True, slots=True)
class OwnerPain:
    """What an owner's touchpoints hurt; `share` of what the most hurting owner's do."""

    name: str
    pain: float
    share: float
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BlueprintPage:
    """All of the page. `shown`: the id of the phase whose types are all shown; empty: what matters most."""

    as_of: datetime
    reach: Scope
    touchpoints: int
    shown: str
    phases: tuple[Phase, ...]
    columns: tuple[Column, ...]
    hidden: int
    owners: tuple[OwnerPain, ...]
    version: int

    @property
    def is_empty(self) -> bool:
        return not self.touchpoints

    @property
    def called(self) -> str:
        """The title of the window."""
        return "Blueprint"

    @property
    def broken(self) -> tuple[Column, ...]:
        """Columns of which a promise is not kept."""
        return tuple(each for each in self.columns if any(gap.met is False for gap in each.promises))

    @property
    def nameless(self) -> tuple[Column, ...]:
        """Columns for which nobody is named."""
        return tuple(each for each in self.columns if not (each.kind.owner and each.kind.owner.people))


async def ask(reader: Reader, scope: Scope) -> BlueprintPage:
    """The subject is a phase, or nothing. Raises StoreUnavailable, NotFound."""
    shown, reach = scope.subject, replace(scope, subject="", before="")
    catalogue = reader.catalogue
    if shown and shown not in catalogue.phases:
        raise NotFound(f"no phase `{shown[:80]}`")
    weighed = await weigh(reader, reach)
    allowed = [kind for kind in catalogue.types.values() if kind.on_map and (not reach.types or kind.id in reach.types)]
    burdens = {kind.id: weighed.kind(kind.id) for kind in allowed}
    chosen = [kind for kind in allowed if kind.phase == shown] if shown else _foremost(allowed, burdens)
    order = {phase: place for place, phase in enumerate(catalogue.phases)}
    chosen.sort(key=lambda kind: order.get(kind.phase, len(order)))
    columns = [_column(weighed, kind, burdens[kind.id]) for kind in chosen]
    return BlueprintPage(
        as_of=weighed.as_of,
        reach=reach,
        touchpoints=weighed.now.total.volume,
        shown=shown,
        phases=tuple(catalogue.phases.values()),
        columns=tuple(
            replace(each, is_first=not number or columns[number - 1].phase_name != each.phase_name)
            for number, each in enumerate(columns)
        ),
        hidden=len(allowed) - len(chosen),
        owners=_owners(weighed, allowed, burdens),
        version=catalogue.version,
    )


def _foremost(kinds: list[TouchpointType], burdens: Mapping[str, Burden]) -> list[TouchpointType]:
    """What hurts and the moments of truth, those that weigh most first."""
    matter = [kind for kind in kinds if kind.moment_of_truth or burdens[kind.id].severity in HURTS]
    matter.sort(key=lambda kind: (-burdens[kind.id].weight, not kind.moment_of_truth, -kind.importance, kind.id))
    return matter[:COLUMNS]


def _column(weighed: Weighed, kind: TouchpointType, burden: Burden) -> Column:
    counts = weighed.of(kind.id)
    found = numbers_of(counts, kind, weighed.now.total.accounts)
    gaps = performance(kind, found, None)
    return Column(
        kind=kind,
        phase_name=weighed.catalogue.phase_name(kind.phase),
        is_first=False,
        burden=burden,
        accounts=weighed.hurt.by_type.get(kind.id, Hurt()).accounts,
        felt=ratio(counts.emotion_sum, counts.emotion_count),
        promises=tuple(gap for gap in gaps if gap.target != "emotion"),
    )


def _owners(weighed: Weighed, kinds: list[TouchpointType], burdens: Mapping[str, Burden]) -> tuple[OwnerPain, ...]:
    """Who answers for what, the most pain first; surveys are nobody's pain."""
    of: dict[str, list[TouchpointType]] = {}
    for kind in kinds:
        if kind.id not in weighed.catalogue.verdicts:
            of.setdefault(kind.owner.department if kind.owner else "nobody", []).append(kind)
    sums = {name: sum(burdens[kind.id].pain for kind in mine) for name, mine in of.items()}
    most = max(sums.values(), default=0.0)
    return tuple(
        OwnerPain(
            name,
            sums[name],
            sums[name] / most if most else 0.0,
            tuple(
                kind.name for kind in sorted(of[name], key=lambda kind: -burdens[kind.id].pain) if burdens[kind.id].pain
            )[:OWNED],
        )
        for name in sorted(sums, key=lambda name: (-sums[name], name))
    )
