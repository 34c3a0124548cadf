"""Since when something hurts, and whether it is over, pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median

_MAD_TO_SIGMA = 1.4826
QUIET_DAYS = 3
"""After so many days without pain it is over."""
RARE_FROM_SHARE = 0.3
"""Of the days before; pain on fewer of them is not usual at all."""


@dataclass(frozen=True, slots=True)
class Since:
    """When it began, by days (UTC). `is_whole`: before all that is looked at; `over`: the last painful day, if so."""

    day: date | None
    is_whole: bool = False
    over: date | None = None


def since_when(days: Sequence[float], last_day: date, window_days: int) -> Since:
    """The first day above what was usual before the window; `days` are pain by day and end with `last_day`.

    The stretch may have begun before the window; gaps of two days do not end it. Without pain above what was usual
    there is no day.
    """
    start = len(days) - min(window_days, len(days))
    bound = _usual(days[:start])
    above = [index for index, pain in enumerate(days) if pain > bound]
    recent = [index for index in above if index >= start]
    if not recent:
        return Since(None)
    first = recent[0]
    for index in reversed([each for each in above if each < first]):
        if first - index >= QUIET_DAYS:
            break
        first = index
    day_of = [last_day - timedelta(days=len(days) - 1 - index) for index in range(len(days))]
    painful = [index for index, pain in enumerate(days) if pain > 0]
    is_over = len(days) - 1 - painful[-1] >= QUIET_DAYS
    return Since(day_of[first], first == 0, day_of[painful[-1]] if is_over else None)


def _usual(earlier: Sequence[float]) -> float:
    """The median and two robust standard deviations (MAD) above it; where pain is rare, the median of its days."""
    if not earlier:
        return 0.0
    middle = median(earlier)
    bound = middle + 2 * _MAD_TO_SIGMA * median(abs(each - middle) for each in earlier)
    painful = [each for each in earlier if each > 0]
    return bound if bound or len(painful) < RARE_FROM_SHARE * len(earlier) else median(painful)
