"""Today from what was weighed, pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from schemas.blueprint import TouchpointType
from services.dashboard.catalogue import Catalogue
from services.dashboard.hurt_accounts import HurtAccount, hurt_accounts
from services.dashboard.incidents import Found, IncidentView
from services.dashboard.numbers import ratio
from services.dashboard.ranking import HURTS, Burden, pain_of
from services.dashboard.ranking_inputs import Weighed
from services.dashboard.since import Since, since_when
from services.dashboard.store import CellKey, Cells, Hurt
from services.dashboard.views.figures import Severity
from services.dashboard.words import account_name

NAMED = 3
STRIP_HURTS = 4
HAPPENING = 5


@dataclass(frozen=True, slots=True)
class Named:
    """An account that can be opened."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Care:
    """Who takes care of a type's incidents that still hurt. `first`: the worst one's oldest evidence; empty: none."""

    open: int = 0
    taken: int = 0
    taken_by: tuple[str, ...] = ()
    first: str = ""


@dataclass(frozen=True, slots=True)
class HurtRow:
    """A touchpoint type that hurts, wherever it happened; `phase` is where it hurts most."""

    id: str
    name: str
    phase: str
    phase_name: str
    is_moment_of_truth: bool
    burden: Burden
    rule: str
    days: tuple[float, ...]
    since: Since
    accounts: int
    worst: tuple[Named, ...]
    owner: str
    care: Care


@dataclass(frozen=True, slots=True)
class Then:
    """A figure now and before; None: not known."""

    now: float | None
    before: float | None


@dataclass(frozen=True, slots=True)
class Figures:
    """The four figures. `failing`: moments of truth that hurt."""

    pain: Then
    accounts_hurt: Then
    active_accounts: int
    failing: tuple[str, ...]
    failing_before: int | None
    moments_of_truth: int
    felt: Then
    wanted: float | None
    statements: int


@dataclass(frozen=True, slots=True)
class StripHurt:
    """A line of a phase."""

    id: str
    name: str
    severity: Severity
    pain: float


@dataclass(frozen=True, slots=True)
class StripPhase:
    """A phase of the journey. `unmeasured`: seen, but nothing tells how it went."""

    id: str
    name: str
    accounts: int
    felt: float | None
    wanted: float | None
    statements: int
    hurts: tuple[StripHurt, ...]
    more: int
    calm: int
    unmeasured: int


@dataclass(frozen=True, slots=True)
class Todo:
    """What to do first: whose turn it is and what they aim for, and the incident to begin with; None: none is open."""

    words: str
    incident: IncidentView | None


@dataclass(frozen=True, slots=True)
class Today:
    """All of the page. `rows`: whatever had pain, the worst first; `hurts`: those of them that are more than calm."""

    as_of: datetime
    touchpoints: int
    window_days: int
    figures: Figures
    rows: tuple[HurtRow, ...]
    happening: tuple[IncidentView, ...]
    accounts: tuple[HurtAccount, ...]
    strip: tuple[StripPhase, ...]
    todo: Todo | None = None

    @property
    def hurts(self) -> tuple[HurtRow, ...]:
        return tuple(row for row in self.rows if row.burden.severity in HURTS)

    @property
    def is_empty(self) -> bool:
        return not self.touchpoints


def drawn(weighed: Weighed, found: Found, accounts: Sequence[Mapping[str, Any]]) -> Today:
    """`accounts`: rows of the most hurt ones, the worst first."""
    rows = _rows(weighed, found)
    return Today(
        as_of=weighed.as_of,
        touchpoints=weighed.now.total.volume,
        window_days=weighed.window_days,
        figures=_figures(weighed, rows),
        rows=rows,
        happening=happening(found),
        accounts=hurt_accounts(weighed.catalogue, accounts),
        strip=_strip(weighed),
        todo=_todo(weighed.catalogue, rows, found),
    )


def _todo(catalogue: Catalogue, rows: Sequence[HurtRow], found: Found) -> Todo | None:
    """For the worst type. Of its own incidents the worst that nobody has comes first, then anybody's."""
    worst = next((row for row in rows if row.burden.severity in HURTS), None)
    if worst is None:
        return None
    untaken = sorted(found.of("open"), key=lambda each: each.touchpoint_type != worst.id)
    return Todo(_aim(catalogue.types[worst.id]), untaken[0] if untaken else None)


def _aim(kind: TouchpointType) -> str:
    owner = f"{kind.owner.department} looks at it" if kind.owner else "Nobody owns it: name an owner in the blueprint"
    people = f" ({kind.owner.people[0]})" if kind.owner and kind.owner.people else ""
    return f"{owner}{people}.{f' Excellent would be: “{kind.excellent}”.' if kind.excellent else ''}"


def happening(found: Found) -> tuple[IncidentView, ...]:
    """Of the incidents that still hurt, those that hurt last."""
    current = found.of("open", "taken")
    return tuple(sorted(current, key=lambda each: each.pained_at, reverse=True)[:HAPPENING])


def _rows(weighed: Weighed, found: Found) -> tuple[HurtRow, ...]:
    kinds = sorted(kind for kind in weighed.cells_of if kind in weighed.catalogue.types)
    burdens = [(kind, weighed.kind(kind)) for kind in kinds]
    painful = [(kind, burden) for kind, burden in burdens if burden.weight]
    painful.sort(key=lambda each: (-each[1].weight, each[0]))
    cares = cares_of(found)
    return tuple(_row(weighed, kind, burden, cares.get(kind, Care())) for kind, burden in painful)


def _row(weighed: Weighed, kind: str, burden: Burden, care: Care) -> HurtRow:
    known = weighed.catalogue.types[kind]
    pains = {key: pain_of(weighed.catalogue, kind, weighed.now.by_cell[key]) for key in weighed.cells_of[kind]}
    worst = max(pains, key=lambda key: (pains[key], key))
    days = weighed.pain_by_day(*weighed.daily_of.get(kind, ()))
    hurt = weighed.hurt.by_type.get(kind, Hurt())
    return HurtRow(
        id=kind,
        name=known.name,
        phase=worst[0],
        phase_name=weighed.catalogue.phase_name(worst[0]),
        is_moment_of_truth=known.moment_of_truth,
        burden=burden,
        rule=weighed.rules.get(worst, ""),
        days=days,
        since=since_when(days, weighed.as_of.date(), weighed.window_days),
        accounts=hurt.accounts,
        worst=_named(weighed, hurt),
        owner=known.owner.department if known.owner else "",
        care=care,
    )


def cares_of(found: Found) -> Mapping[str, Care]:
    """By touchpoint type; `found` has the worst first."""
    current: defaultdict[str, list[IncidentView]] = defaultdict(list)
    for each in found.of("open", "taken"):
        current[each.touchpoint_type].append(each)
    return {kind: _care(mine) for kind, mine in current.items()}


def _care(mine: Sequence[IncidentView]) -> Care:
    taken = [each for each in mine if each.taken_by]
    by = tuple(dict.fromkeys(each.taken_by for each in taken))
    return Care(len(mine), len(taken), by, mine[0].event_id)


def _named(weighed: Weighed, hurt: Hurt) -> tuple[Named, ...]:
    ids = list(dict.fromkeys(hurt.worst))[:NAMED]
    return tuple(Named(each, account_name(each, weighed.hurt.names.get(each, ""))) for each in ids)


def _figures(weighed: Weighed, rows: Sequence[HurtRow]) -> Figures:
    now, before, hurt_before = weighed.now, weighed.before, weighed.hurt_before
    failing = tuple(row.name for row in rows if row.is_moment_of_truth and row.burden.severity in HURTS)
    return Figures(
        pain=Then(_all_pain(weighed, now), None if before is None else _all_pain(weighed, before)),
        accounts_hurt=Then(weighed.hurt.total.accounts, None if hurt_before is None else hurt_before.total.accounts),
        active_accounts=now.total.accounts,
        failing=failing,
        failing_before=None if before is None else _failing_before(weighed, before),
        moments_of_truth=len([kind for kind in weighed.catalogue.types.values() if kind.moment_of_truth]),
        felt=Then(_felt(now), None if before is None else _felt(before)),
        wanted=_wanted(weighed, [*now.by_cell]),
        statements=now.total.emotion_count,
    )


def _all_pain(weighed: Weighed, cells: Cells) -> float:
    """Of everything that is no verdict."""
    verdicts = weighed.catalogue.verdicts
    return sum(
        pain_of(weighed.catalogue, key[1], each) for key, each in cells.by_cell.items() if key[1] not in verdicts
    )


def _failing_before(weighed: Weighed, before: Cells) -> int:
    """Moments of truth that would have hurt, judged by the window before alone."""
    hurts = weighed.hurt_before
    earlier = replace(
        weighed, now=before, before=None, hurt=hurts or weighed.hurt, hurt_before=None, active=weighed.active_before
    )
    return len(
        [
            kind
            for kind in earlier.cells_of.keys() & weighed.catalogue.types.keys()
            if weighed.catalogue.types[kind].moment_of_truth and earlier.kind(kind).severity in HURTS
        ]
    )


def _felt(cells: Cells) -> float | None:
    return ratio(cells.total.emotion_sum, cells.total.emotion_count)


def _wanted(weighed: Weighed, keys: Sequence[CellKey]) -> float | None:
    """What the blueprint wants of what people spoke about, each statement counting once."""
    said = [
        (wanted, weighed.now.by_cell[key].emotion_count)
        for key in keys
        if (known := weighed.catalogue.types.get(key[1])) and (wanted := known.desired_emotion) is not None
    ]
    return ratio(sum(wanted * count for wanted, count in said), sum(count for _, count in said))


def _strip(weighed: Weighed) -> tuple[StripPhase, ...]:
    return tuple(_phase(weighed, phase) for phase in weighed.catalogue.phases)


def _phase(weighed: Weighed, phase: str) -> StripPhase:
    keys = [key for key in weighed.cells_in.get(phase, ()) if key[1] in weighed.catalogue.types]
    burdens = {key: weighed.cell(key) for key in keys}
    hurts = sorted((key for key in keys if burdens[key].severity in HURTS), key=lambda key: (-burdens[key].weight, key))
    counts = weighed.now.by_phase.get(phase)
    severities = [burdens[key].severity for key in keys]
    return StripPhase(
        id=phase,
        name=weighed.catalogue.phase_name(phase),
        accounts=counts.accounts if counts else 0,
        felt=ratio(counts.emotion_sum, counts.emotion_count) if counts else None,
        wanted=_wanted(weighed, keys),
        statements=counts.emotion_count if counts else 0,
        hurts=tuple(
            StripHurt(key[1], weighed.catalogue.type_name(key[1]), burdens[key].severity, burdens[key].pain)
            for key in hurts[:STRIP_HURTS]
        ),
        more=max(0, len(hurts) - STRIP_HURTS),
        calm=severities.count("calm"),
        unmeasured=severities.count("unmeasured"),
    )
