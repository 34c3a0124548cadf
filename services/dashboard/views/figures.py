"""Words and numbers that views are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from schemas import policies

Severity = policies.Level | Literal["calm", "unmeasured", "verdict", "unseen"]
"""The words are those of incidents; a type's is how much it weighs on the accounts, an incident's how much on one."""

Level = Literal["good", "watch", "painful", "quiet"]

Direction = Literal["up", "down", "steady", "unknown"]

Term = Literal["quick", "medium", "long"]


@dataclass(frozen=True, slots=True)
class TrendBasis:
    """What a trend was judged by; `previous` holds the earlier windows' values, newest first."""

    measure: str
    now: float | None
    median: float | None
    previous: tuple[float, ...]
    minimum_volume: int
    formula: str = ""


@dataclass(frozen=True, slots=True)
class Trend:
    """The friction rate against the median of the previous seven windows. `up` is worse; `note`: why it is unknown."""

    direction: Direction
    ratio: float | None
    basis: TrendBasis
    note: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """A number, and how it comes about. A null input has no evidence."""

    value: float | None
    formula: str
    inputs: dict[str, float | None]


@dataclass(frozen=True, slots=True)
class Gap:
    """What was promised against what was measured. `gap`: measured − wanted; `basis`: measured, no data, not asked."""

    target: str
    wanted: float
    measured: float | None
    gap: float | None
    met: bool | None
    basis: str
