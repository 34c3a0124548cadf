"""A timeline day by day, pure: what hurt, pleased or was said stands by itself; plain use in between is one line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby

from schemas.policies import level_at
from services.dashboard.ranking import Severity
from services.dashboard.views import SignalView, TouchpointView


@dataclass(frozen=True, slots=True)
class Told:
    """A touchpoint that tells something. `severity`: of its worst sign of friction; `calm` where it pleased."""

    touchpoint: TouchpointView
    severity: Severity
    signs: tuple[SignalView, ...]

    @property
    def folded(self) -> tuple[TouchpointView, ...]:
        return ()


@dataclass(frozen=True, slots=True)
class Use:
    """Touchpoints in a row that tell nothing by themselves, the newest first."""

    folded: tuple[TouchpointView, ...]

    @property
    def kinds(self) -> tuple[tuple[int, str], ...]:
        """How often what happened, the commonest first."""
        counted = Counter(each.type_name for each in self.folded)
        return tuple((count, name) for name, count in sorted(counted.items(), key=lambda one: (-one[1], one[0])))

    @property
    def people(self) -> int:
        return len({each.person_id for each in self.folded} - {""})

    @property
    def lasted_s(self) -> float:
        return (self.folded[0].occurred_at - self.folded[-1].occurred_at).total_seconds()


@dataclass(frozen=True, slots=True)
class Day:
    """One day, the newest entry first."""

    day: date
    entries: tuple[Told | Use, ...]


def days_of(touchpoints: Sequence[TouchpointView]) -> tuple[Day, ...]:
    """`touchpoints`: newest first, as stored."""
    return tuple(
        Day(day, tuple(_entries(within))) for day, within in groupby(touchpoints, lambda each: each.occurred_at.date())
    )


def _entries(touchpoints: Iterable[TouchpointView]) -> Iterator[Told | Use]:
    for tells, run in groupby(touchpoints, _tells):
        if tells:
            yield from map(_told, run)
        else:
            yield Use(tuple(run))


def _tells(each: TouchpointView) -> bool:
    said = each.text or each.score is not None
    return bool(each.signals or each.clock_suspect or (each.on_map and (said or each.moment_of_truth)))


def _told(each: TouchpointView) -> Told:
    friction = [sign for sign in each.signals if sign.polarity == "friction"]
    signs = sorted(each.signals, key=lambda sign: (sign.polarity != "friction", -sign.severity, sign.signal_id))
    return Told(each, severity_of(max((sign.severity for sign in friction), default=None), each), tuple(signs))


def severity_of(worst: float | None, each: TouchpointView) -> Severity:
    """Of the worst sign; without one it is calm where something tells so, else not measured."""
    if worst is not None:
        return level_at(worst)
    return "calm" if each.signals or each.emotion is not None else "unmeasured"


def painful_at(days: Iterable[Day]) -> tuple[tuple[datetime, Severity], ...]:
    """When what hurt happened."""
    told = (entry for day in days for entry in day.entries if isinstance(entry, Told))
    return tuple(
        (each.touchpoint.occurred_at, each.severity)
        for each in told
        if any(sign.polarity == "friction" for sign in each.signs)
    )
