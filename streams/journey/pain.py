"""The pain of one touchpoint. What a type, an account or a day sums up to is in `docs/reference/numbers.md`."""

from __future__ import annotations

from collections.abc import Iterable

from streams.friction.episodes import Signal


def pain_of(friction: Iterable[Signal]) -> float:
    """1 − Π(1 − severity) over the friction signals that a touchpoint carries: 0 without, never more than 1."""
    spared = 1.0
    for signal in friction:
        spared *= 1.0 - signal.severity
    return round(1.0 - spared, 6)
