"""A timeline day by day, pure: what hurt, pleased or was said stands by itself; plain use in between is one line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby

from schemas.policies import LEVELS, Level
from services.dashboard import row_views
from services.dashboard.catalogue import Catalogue
from services.dashboard.store import Row
from services.dashboard.views.accounts import TouchpointView
from services.dashboard.views.figures import Severity
from services.dashboard.views.signals import SignalView
from streams.incidents.intake import Lens, pain_by_definition
from streams.incidents.judging import level_of_sign


@dataclass(frozen=True, slots=True)
class Scale:
    """How bad what a timeline tells is: as an incident of it would be. `weights`: account → how much it counts."""

    lens: Lens
    weights: Mapping[str, float]

    def level_of(self, each: TouchpointView) -> Level | None:
        """Of its worst sign of friction, or as pain by definition; None: it did not hurt."""
        pains = [sign.severity for sign in each.signals if sign.polarity == "friction"]
        kind = self.lens.types.get(each.touchpoint_type)
        if kind is not None and kind.id in self.lens.pains and each.on_map:
            pains.append(pain_by_definition(kind))
        return level_of_sign(max(pains), kind, self.weights.get(each.account_id, 1.0)) if pains else None


def scale_of(catalogue: Catalogue, accounts: Iterable[Row]) -> Scale:
    """`accounts`: their rows, with segment and traits."""
    lens, trait = catalogue.lens, catalogue.lens.blueprint.tiers.trait
    return Scale(
        lens,
        {
            row["account_id"]: lens.weight_of(row_views.traits(row["traits"]).get(trait, ""), row["segment"])
            for row in accounts
        },
    )


@dataclass(frozen=True, slots=True)
class Notable:
    """A touchpoint that tells something. `severity`: how it hurt; `calm` where it pleased."""

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
    entries: tuple[Notable | Use, ...]


def days_of(touchpoints: Sequence[TouchpointView], scale: Scale) -> tuple[Day, ...]:
    """`touchpoints`: newest first, as stored."""
    return tuple(
        Day(day, tuple(_entries(within, scale)))
        for day, within in groupby(touchpoints, lambda each: each.occurred_at.date())
    )


def _entries(touchpoints: Iterable[TouchpointView], scale: Scale) -> Iterator[Notable | Use]:
    levels = ((each, scale.level_of(each)) for each in touchpoints)
    for is_notable, run in groupby(levels, lambda one: one[1] is not None or _is_notable(one[0])):
        if is_notable:
            yield from (_notable(*one) for one in run)
        else:
            yield Use(tuple(each for each, _ in run))


def _is_notable(each: TouchpointView) -> bool:
    said = each.text or each.score is not None
    return bool(each.signals or each.clock_suspect or (each.on_map and (said or each.moment_of_truth)))


def _notable(each: TouchpointView, level: Level | None) -> Notable:
    signs = sorted(each.signals, key=lambda sign: (sign.polarity != "friction", -sign.severity, sign.signal_id))
    calm: Severity = "calm" if each.signals or each.emotion is not None else "unmeasured"
    return Notable(each, level or calm, tuple(signs))


def painful_at(days: Iterable[Day]) -> tuple[tuple[datetime, Severity], ...]:
    """When what hurt happened."""
    notable = (entry for day in days for entry in day.entries if isinstance(entry, Notable))
    return tuple((each.touchpoint.occurred_at, each.severity) for each in notable if each.severity in LEVELS)
