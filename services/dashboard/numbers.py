"""The numbers on the map, pure. Each is null without evidence; none is ever guessed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from services.dashboard.views import Direction, Explanation, Level, Trend, TrendBasis

MINIMUM_VOLUME = 20
"""Volume a window needs before its friction rate takes part in a trend; also the shrink of the pain index."""
PAINFUL_AT = 10.0
WATCH_AT = 4.0
PREVIOUS_WINDOWS = 7

PAIN_FORMULA = "100 × pain_sum / volume × importance / 5 × volume / (volume + 20)"
_MAD_TO_SIGMA = 1.4826


@dataclass(frozen=True, slots=True)
class Counts:
    """A cell's sums as the store has them."""

    volume: int = 0
    friction: int = 0
    delight: int = 0
    emotion_sum: float = 0.0
    emotion_count: int = 0
    pain_sum: float = 0.0
    accounts: int = 0
    people: int = 0
    spark: tuple[int, ...] = ()


def ratio(part: float, whole: float) -> float | None:
    """`part / whole`; None when there is no whole."""
    return part / whole if whole else None


def pain_index(counts: Counts, importance: int) -> float:
    """0–100: mean pain, times importance, shrunk so that three events cannot top the list."""
    if not counts.volume:
        return 0.0
    shrink = counts.volume / (counts.volume + MINIMUM_VOLUME)
    return 100 * counts.pain_sum / counts.volume * importance / 5 * shrink


def explain_pain(counts: Counts, importance: int) -> Explanation:
    inputs: dict[str, float] = {"pain_sum": counts.pain_sum, "volume": counts.volume, "importance": importance}
    return Explanation(PAIN_FORMULA, inputs)


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
    middle = median(rates) if len(rates) >= 3 else None
    basis = TrendBasis("friction_rate", rate, middle, rates, MINIMUM_VOLUME)
    if rate is None or middle is None:
        return Trend("unknown", None, basis)
    spread = _MAD_TO_SIGMA * median(abs(each - middle) for each in rates)
    band = max(2 * spread, 0.02, 0.1 * middle)
    direction: Direction = "up" if rate - middle > band else "down" if middle - rate > band else "steady"
    return Trend(direction, ratio(rate, middle), basis)
