"""What the future state shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from schemas.blueprint import TouchpointType
from services.dashboard.numbers import HIGHER_IS_BETTER, numbers_of, performance, term_of
from services.dashboard.ranking_inputs import Weighed, weigh
from services.dashboard.reader import Reader
from services.dashboard.scope import Scope
from services.dashboard.views.figures import Gap, Severity, Term


@dataclass(frozen=True, slots=True)
class Wish:
    """A touchpoint type on its way. `short` is how far it is from what is wanted, times its importance; 0: there."""

    kind: TouchpointType
    phase_name: str
    severity: Severity
    felt: float | None
    statements: int
    promises: tuple[Gap, ...]
    term: Term
    short: float

    @property
    def is_known(self) -> bool:
        """Whether anything tells how far it is."""
        return (self.felt is not None and self.kind.desired_emotion is not None) or any(
            gap.measured is not None for gap in self.promises
        )


@dataclass(frozen=True, slots=True)
class FuturePage:
    """All of the page: what falls short, what is there, and what nothing is known of."""

    as_of: datetime
    touchpoints: int
    short: tuple[Wish, ...]
    there: tuple[Wish, ...]
    unknown: tuple[Wish, ...]

    @property
    def is_empty(self) -> bool:
        return not self.touchpoints


async def ask(reader: Reader, scope: Scope) -> FuturePage:
    """Raises StoreUnavailable."""
    weighed = await weigh(reader, scope)
    wanted = [
        kind
        for kind in reader.catalogue.types.values()
        if kind.on_map
        and (kind.desired_emotion is not None or kind.targets)
        and (not scope.types or kind.id in scope.types)
    ]
    wishes = [_wish(weighed, kind) for kind in wanted]
    known = [wish for wish in wishes if wish.is_known]
    short = sorted((wish for wish in known if wish.short > 0), key=lambda wish: (-wish.short, wish.kind.id))
    return FuturePage(
        as_of=weighed.as_of,
        touchpoints=weighed.now.total.volume,
        short=tuple(short),
        there=tuple(wish for wish in known if wish.short <= 0),
        unknown=tuple(wish for wish in wishes if not wish.is_known),
    )


def _wish(weighed: Weighed, kind: TouchpointType) -> Wish:
    counts = weighed.of(kind.id)
    numbers = numbers_of(counts, kind, weighed.now.total.accounts)
    promises = tuple(gap for gap in performance(kind, numbers, None) if gap.target != "emotion")
    gap = numbers["emotion_gap"]
    lacking = [max(0.0, -gap)] if gap is not None else []
    lacking += [_missed(promise) for promise in promises if promise.met is False]
    rule = max(
        ((key, each) for key, each in weighed.rules.items() if key[1] == kind.id),
        key=lambda one: (weighed.cell(one[0]).pain, one[0]),
        default=(None, ""),
    )[1]
    return Wish(
        kind=kind,
        phase_name=weighed.catalogue.phase_name(kind.phase),
        severity=weighed.kind(kind.id).severity,
        felt=numbers["emotion"],
        statements=counts.emotion_count,
        promises=promises,
        term=term_of(kind, weighed.catalogue.rule_efforts.get(rule)),
        short=max(lacking, default=0.0) * kind.importance / 5,
    )


def _missed(gap: Gap) -> float:
    """How far a promise is missed, as a part of it: at most 1."""
    if gap.gap is None or not gap.wanted:
        return 0.0
    missed = -gap.gap if gap.target in HIGHER_IS_BETTER else gap.gap
    return min(1.0, max(0.0, missed / abs(gap.wanted)))
