"""The numbers on the map, pure: each has one formula, and its text is shown with its inputs.

A number is null without evidence; none is ever guessed. `docs/reference/numbers.md` says what each means.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal, get_args

from schemas.blueprint import TouchpointType
from services.dashboard.views.figures import Direction, Figure, Gap, Level, Term, Trend, TrendBasis

MINIMUM_VOLUME = 20
"""Volume a window needs before its friction rate takes part in a trend; also the shrink of the pain index."""
MINIMUM_WINDOWS = 3
PAINFUL_AT = 10.0
WATCH_AT = 4.0
PREVIOUS_WINDOWS = 7
_MAD_TO_SIGMA = 1.4826

NumberName = Literal[
    "friction_rate", "reach_percent", "frequency", "emotion", "emotion_gap", "pain_index", "risk", "impact"
]
NUMBERS: tuple[NumberName, ...] = get_args(NumberName)
TREND_FORMULA = (
    "friction_rate against the median of the seven windows before it, which have at least 20 touchpoints each: "
    "a change is more than 2 × 1.4826 × MAD, 0.02 and median / 10"
)


@dataclass(frozen=True, slots=True)
class Counts:
    """A cell's sums as the store has them. `accounts` are identified; `visitors` are accounts that are not yet."""

    volume: int = 0
    visitor_volume: int = 0
    friction: int = 0
    delight: int = 0
    emotion_sum: float = 0.0
    emotion_count: int = 0
    pain_sum: float = 0.0
    accounts: int = 0
    visitors: int = 0
    people: int = 0
    spark: tuple[int, ...] = ()


def ratio(part: float, whole: float) -> float | None:
    """`part / whole`; None when there is no whole."""
    return part / whole if whole else None


def _friction_rate(friction_touchpoints: float, touchpoints: float) -> float | None:
    return ratio(friction_touchpoints, touchpoints)


def _reach_percent(accounts_reached: float, active_accounts: float) -> float | None:
    return ratio(100 * accounts_reached, active_accounts)


def _frequency(touchpoints_of_accounts: float, active_accounts: float) -> float | None:
    return ratio(touchpoints_of_accounts, active_accounts)


def _emotion(emotion_sum: float, touchpoints_with_emotion: float) -> float | None:
    return ratio(emotion_sum, touchpoints_with_emotion)


def _emotion_gap(emotion: float | None, desired_emotion: float | None) -> float | None:
    return None if emotion is None or desired_emotion is None else emotion - desired_emotion


def _pain_index(pain_sum: float, touchpoints: float, importance: float) -> float:
    if not touchpoints:
        return 0.0
    return 100 * pain_sum / touchpoints * importance / 5 * touchpoints / (touchpoints + MINIMUM_VOLUME)


def _risk(pain_index: float, damage: float) -> float:
    return pain_index * damage


def _impact(risk: float, reach_percent: float | None) -> float | None:
    return None if reach_percent is None else risk * reach_percent / 100


@dataclass(frozen=True, slots=True)
class _Number:
    formula: str
    of: Callable[..., float | None]


_NUMBERS: Mapping[NumberName, _Number] = {
    "friction_rate": _Number("friction_touchpoints / touchpoints", _friction_rate),
    "reach_percent": _Number("100 × accounts_reached / active_accounts", _reach_percent),
    "frequency": _Number("touchpoints_of_accounts / active_accounts", _frequency),
    "emotion": _Number("emotion_sum / touchpoints_with_emotion", _emotion),
    "emotion_gap": _Number("emotion − desired_emotion", _emotion_gap),
    "pain_index": _Number(
        "100 × pain_sum / touchpoints × importance / 5 × touchpoints / (touchpoints + 20)", _pain_index
    ),
    "risk": _Number("pain_index × damage", _risk),
    "impact": _Number("risk × reach_percent / 100", _impact),
}
"""A formula names its inputs as its function does; a test computes each text and compares."""


def _figure(name: NumberName, **inputs: float | None) -> Figure:
    number = _NUMBERS[name]
    return Figure(number.of(**inputs), number.formula, inputs)


@dataclass(frozen=True, slots=True)
class Numbers:
    """All numbers of one cell, each with what it is made of."""

    figures: Mapping[NumberName, Figure]

    def __getitem__(self, name: NumberName) -> float | None:
        return self.figures[name].value

    def sure(self, name: NumberName) -> float:
        """A number that always is one: pain index and risk; 0 where nothing happened."""
        return self.figures[name].value or 0.0


def numbers_of(counts: Counts, kind: TouchpointType, active_accounts: int) -> Numbers:
    """`active_accounts`: identified accounts with a touchpoint on the map, in the same window and filters."""
    known = counts.volume - counts.visitor_volume
    found: dict[NumberName, Figure] = {
        "friction_rate": _figure("friction_rate", friction_touchpoints=counts.friction, touchpoints=counts.volume),
        "reach_percent": _figure("reach_percent", accounts_reached=counts.accounts, active_accounts=active_accounts),
        "frequency": _figure("frequency", touchpoints_of_accounts=known, active_accounts=active_accounts),
        "emotion": _figure("emotion", emotion_sum=counts.emotion_sum, touchpoints_with_emotion=counts.emotion_count),
        "pain_index": _figure(
            "pain_index", pain_sum=counts.pain_sum, touchpoints=counts.volume, importance=kind.importance
        ),
    }
    emotion, pain = found["emotion"].value, found["pain_index"].value
    found["emotion_gap"] = _figure("emotion_gap", emotion=emotion, desired_emotion=kind.desired_emotion)
    found["risk"] = _figure("risk", pain_index=pain, damage=kind.risk)
    found["impact"] = _figure("impact", risk=found["risk"].value, reach_percent=found["reach_percent"].value)
    return Numbers(found)


HIGHER_IS_BETTER = frozenset({"emotion"})
"""Targets that are a least; all others are a most."""
OF_COUNTS: frozenset[NumberName] = frozenset({"emotion", "friction_rate"})
"""Targets that the cell's own numbers answer; times are measured when a cell is asked for."""


def performance(kind: TouchpointType, numbers: Numbers, measured: Mapping[str, float] | None) -> tuple[Gap, ...]:
    """The gap to each target of a type. `measured`: what was measured of times; None: nobody has asked."""
    own: dict[str, float | None] = {name: numbers[name] for name in OF_COUNTS}
    return tuple(_gap_to(target, wanted, own, measured) for target, wanted in sorted(kind.targets.items()))


def _gap_to(target: str, wanted: float, own: Mapping[str, float | None], measured: Mapping[str, float] | None) -> Gap:
    found = own[target] if target in own else (measured or {}).get(target)
    if found is None:
        return Gap(
            target, wanted, None, None, None, "not asked" if target not in own and measured is None else "no data"
        )
    met = found >= wanted if target in HIGHER_IS_BETTER else found <= wanted
    return Gap(target, wanted, found, found - wanted, met, "measured")


def term_of(kind: TouchpointType, rule_effort: Term | None) -> Term:
    """How long it takes to improve: the owner's estimate, else that of the rule that hurts most here, else medium."""
    return kind.effort or rule_effort or "medium"


def level_of(pain: float, volume: int) -> Level:
    if not volume:
        return "quiet"
    return "painful" if pain >= PAINFUL_AT else "watch" if pain >= WATCH_AT else "good"


def trend(now: tuple[int, int], previous: Sequence[tuple[int, int]]) -> Trend:
    """(friction, volume) of this window against those before it, newest first.

    A change counts when it leaves the band of two robust standard deviations (MAD) around the median,
    and at least two percentage points and a tenth of the median. Needs three earlier windows with enough volume.
    """
    rates = tuple(friction / volume for friction, volume in previous if volume >= MINIMUM_VOLUME)
    rate = now[0] / now[1] if now[1] >= MINIMUM_VOLUME else None
    middle = median(rates) if len(rates) >= MINIMUM_WINDOWS else None
    basis = TrendBasis("friction_rate", rate, middle, rates, MINIMUM_VOLUME, TREND_FORMULA)
    if rate is None:
        return Trend(
            "unknown", None, basis, f"not enough: {now[1]} touchpoints in this window, {MINIMUM_VOLUME} needed"
        )
    if middle is None:
        why = f"not enough: earlier windows with {MINIMUM_VOLUME} touchpoints: {len(rates)}, {MINIMUM_WINDOWS} needed"
        return Trend("unknown", None, basis, why)
    spread = _MAD_TO_SIGMA * median(abs(each - middle) for each in rates)
    band = max(2 * spread, 0.02, 0.1 * middle)
    direction: Direction = "up" if rate - middle > band else "down" if middle - rate > band else "steady"
    return Trend(direction, ratio(rate, middle), basis)
