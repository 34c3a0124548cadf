"""How much something hurts, pure: what pain weighs in a ranking, and the word for it (`docs/reference/numbers.md`).

Pain is the sum of what every painful touchpoint hurt. A complaint, a cancellation and an outage are pain whenever they
happen. A survey says how something else was: it never ranks. Of a type whose every event is friction by being there,
each account counts once, because its volume says only how much was recorded. What grows ranks higher than what shrinks.
In one phase a type has its part of what it weighs: never worse than the type, and the same where it is nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from schemas.policies import LEVELS, Level, level_of_load
from services.dashboard.catalogue import Catalogue
from services.dashboard.numbers import Counts
from services.dashboard.views.figures import Severity
from streams.incidents.judging import importance

HURTS: tuple[Level, ...] = LEVELS[::-1]
WEEK = timedelta(days=7)
BY_ITSELF_FROM = 0.9
"""A friction rate from which a type counts as friction by being there, when enough of it was seen."""
ENOUGH = 10
CHANGE_BOUNDS = (0.5, 2.0)


@dataclass(frozen=True, slots=True)
class Change:
    """Pain of a window against the one it is compared with; `before` is None when nothing is compared."""

    now: float
    before: float | None

    @property
    def ratio(self) -> float | None:
        return self.now / self.before if self.before else None

    @property
    def factor(self) -> float:
        """What a change counts in a ranking: half to twice."""
        low, high = CHANGE_BOUNDS
        if self.before is None or (not self.before and not self.now):
            return 1.0
        return min(high, max(low, self.ratio if self.ratio is not None else high))


@dataclass(frozen=True, slots=True)
class Measure:
    """What a type's pain counts, wherever it happened. `each`: pain of an account that it hurt, however often; None:
    the sum of its pain counts."""

    factor: float
    each: float | None


@dataclass(frozen=True, slots=True)
class Burden:
    """How one type (or one type in one phase) hurts. `weight` ranks it; 0 when it does not rank."""

    pain: float
    weight: float
    severity: Severity
    change: Change


def pain_of(catalogue: Catalogue, kind: str, counts: Counts) -> float:
    """The sum of pain; of a type that is pain by definition, how often it happened."""
    return float(counts.volume) if kind in catalogue.painful_by_definition else counts.pain_sum


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges by one scope: `active_accounts` identified ones in it, over a window of `length`."""

    catalogue: Catalogue
    active_accounts: int
    length: timedelta

    def measure(self, kind: str, now: Counts, before: Counts | None) -> Measure:
        """By the sums of a type over all phases."""
        change = self._change(kind, now, before)
        by_itself = self.is_by_itself(kind, now)
        return Measure(change.factor, change.now / max(now.friction, 1) if by_itself else None)

    def burden(
        self, kind: str, now: Counts, before: Counts | None, accounts_hurt: int, by: Measure | None = None
    ) -> Burden:
        """`before`: None when nothing is compared. `by`: how the type is measured, where this is a part of it."""
        change = self._change(kind, now, before)
        weight = self._weight(kind, change.now, accounts_hurt, by or self.measure(kind, now, before))
        return Burden(change.now, weight, self._severity(kind, now, change.now, weight), change)

    def _change(self, kind: str, now: Counts, before: Counts | None) -> Change:
        return Change(
            pain_of(self.catalogue, kind, now), None if before is None else pain_of(self.catalogue, kind, before)
        )

    def _weight(self, kind: str, pain: float, accounts_hurt: int, by: Measure) -> float:
        if kind in self.catalogue.verdicts or not pain:
            return 0.0
        pain = pain if by.each is None else accounts_hurt * by.each
        return pain * importance(self.catalogue.types.get(kind)) * by.factor

    def is_by_itself(self, kind: str, counts: Counts) -> bool:
        """Whether each of its events is friction, so that its rate says nothing."""
        if kind in self.catalogue.painful_by_definition:
            return False
        always = counts.volume >= ENOUGH and counts.friction >= BY_ITSELF_FROM * counts.volume
        return kind in self.catalogue.tautologies or always

    def _severity(self, kind: str, counts: Counts, pain: float, weight: float) -> Severity:
        if not counts.volume:
            return "unseen"
        if kind in self.catalogue.verdicts:
            return "verdict"
        weeks = max(self.length, timedelta(days=1)) / WEEK
        load = weight / max(self.active_accounts, 1) / weeks
        if level := level_of_load(load):
            return level
        is_measured = counts.emotion_count or counts.delight or counts.friction or pain
        return "calm" if is_measured else "unmeasured"
