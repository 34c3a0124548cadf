"""The journey map: its cells, phases and totals, and one cell in depth."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.dashboard.views.figures import Figure, Gap, Level, Severity, Term, Trend
from services.dashboard.views.signals import SignalView
from services.dashboard.views.sources import Freshness, LeftOut


@dataclass(frozen=True, slots=True)
class Cell:
    """One touchpoint type in one phase. A rate or emotion without evidence is null, never 0.

    `severity` is what the pages say of it, in the words of one scale for everything; `level` is the pain index alone.
    `accounts_reached` are identified, `visitors_reached` are not yet; `damage` is the blueprint's risk, 1 to 5.
    """

    id: str
    name: str
    phase: str
    home_phase: str
    volume: int
    accounts_reached: int
    visitors_reached: int
    reach_percent: float | None
    frequency: float | None
    people: int
    friction_touchpoints: int
    friction_rate: float | None
    delight_touchpoints: int
    emotion: float | None
    emotion_touchpoints: int
    desired_emotion: float | None
    emotion_gap: float | None
    pain_index: float
    level: Level
    moment_of_truth: bool
    importance: int
    damage: int
    risk: float
    impact: float | None
    term: Term
    worst_rule: str
    owner: str
    performance: tuple[Gap, ...]
    trend: Trend
    spark: tuple[int, ...]
    explain: dict[str, Figure] | None = None
    severity: Severity | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A cell as something to improve."""

    id: str
    name: str
    phase: str
    phase_name: str
    impact: float
    owner: str
    moment_of_truth: bool


@dataclass(frozen=True, slots=True)
class Box:
    """One field of the grid of impact × term; `cells` have the largest impact first."""

    id: str
    name: str
    is_high: bool
    term: Term
    cells: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class PhaseView:
    """One column of the map; `types` are its cells, the blueprint's own first."""

    id: str
    name: str
    kind: str
    volume: int
    accounts: int
    visitors: int
    people: int
    friction_rate: float | None
    emotion: float | None
    types: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class RawType:
    """A vendor's event name that no touchpoint type of the blueprint matches."""

    source: str
    vendor_type: str
    volume: int


@dataclass(frozen=True, slots=True)
class Unmapped:
    """Touchpoints outside the blueprint's catalogue."""

    volume: int
    commonest: tuple[RawType, ...]


@dataclass(frozen=True, slots=True)
class Population:
    """Accounts seen in the window, whatever the filters. Visitors are accounts that are not identified yet."""

    accounts: int
    visitors: int
    at_risk: int


@dataclass(frozen=True, slots=True)
class Totals:
    """Of the whole map. `accounts`: identified ones that touched it, the base of reach; `visitors`: the others.

    `identified_accounts` and `not_yet_identified` count whoever was seen in the window, whatever the filters.
    """

    touchpoints: int
    accounts: int
    visitors: int
    people: int
    friction_touchpoints: int
    friction_rate: float | None
    emotion: float | None
    painful_types: int
    painful_moments_of_truth: int
    identified_accounts: int
    not_yet_identified: int
    accounts_at_risk: int


@dataclass(frozen=True, slots=True)
class MapView:
    """The current-state journey map. `unfed_rules`: no configured source can feed them, so they never fire.

    `left_out`: what is not counted because of who sent it; `traffic=all` counts it.
    """

    as_of: datetime
    window: str
    since: datetime
    until: datetime
    filters: dict[str, str]
    totals: Totals
    phases: tuple[PhaseView, ...]
    grid: tuple[Box, ...]
    unmapped: Unmapped
    unfed_rules: tuple[str, ...]
    freshness: Freshness
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True, slots=True)
class Share:
    """One slice of a cell: a persona, a channel, a rule."""

    id: str
    name: str
    volume: int
    friction_touchpoints: int


@dataclass(frozen=True, slots=True)
class CellDetails:
    """One card, in depth."""

    cell: Cell
    phase_name: str
    personas: tuple[Share, ...]
    channels: tuple[Share, ...]
    rules: tuple[Share, ...]
    signals: tuple[SignalView, ...]
