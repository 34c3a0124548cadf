"""How often a source is heard at each hour of the week, and how long it may be silent by that. Pure.

A silence is measured by what was to be heard in it: nights, weekends and days between two exports count for nothing,
an hour of rush counts for much. Measured so, the silences of one source are alike at all hours; of one that is heard by
chance they are longer than x with probability exp(-x).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from math import log
from statistics import median, quantiles
from typing import Final

SLOT_S: Final = 300
HOUR_S: Final = 3_600
OUTAGES: Final = 2
"""So many of the longest silences teach nothing: they may have been outages."""
_WEEK_H: Final = 168
_HOUR_SLOTS: Final = HOUR_S // SLOT_S
_EVEN: Final = 1.5
_TEN_YEARS: Final = 520
"""Weeks. So seldom may chance alone make a source late."""


class Pace:
    """How often something comes from a source, as far as slots of five minutes show it, by the hour of the week."""

    __slots__ = ("_until",)

    def __init__(self, heard: Sequence[int], blur_h: int, outages: Iterable[tuple[int, int]] = ()) -> None:
        """`heard`: slots (Unix time / SLOT_S), in order, one at least. `blur_h`: so much earlier or later is the same.

        `outages`: [from, until] of which nothing is learned.
        """
        counts, lived = [0.0] * _WEEK_H, [0] * _WEEK_H
        for slot in heard:
            counts[_hour(slot) % _WEEK_H] += 1
        for hour in range(_hour(heard[0]), _hour(heard[-1]) + 1):  # of a silence that goes on nothing is learned
            lived[hour % _WEEK_H] += 1
        for since, until in outages:
            for hour in range(_hour(since) + 1, _hour(until)):
                lived[hour % _WEEK_H] -= 1
        pace = [count / max(1, hours) / _HOUR_SLOTS for count, hours in zip(counts, lived, strict=True)]
        near = range(-blur_h, blur_h + 1)
        blurred = [sum(pace[(hour + by) % _WEEK_H] for by in near) / len(near) for hour in range(_WEEK_H)]
        # a slot without anything has probability exp(-what comes in it); that none is empty proves only so much
        most = [1 - 0.5 / (max(1, hours) * _HOUR_SLOTS) for hours in lived]
        came = (-log(1 - min(part, top)) * _HOUR_SLOTS for part, top in zip(blurred, most, strict=True))
        self._until = (0.0, *accumulate(came))

    def between(self, since_s: float, until_s: float) -> float:
        """How much comes as a rule from a time (Unix, seconds) to another; 0 where that is earlier."""
        return max(0.0, self._at(until_s) - self._at(since_s))

    def reached(self, since_s: float, amount: float) -> float:
        """When so much has come as a rule since a time. Unix, seconds."""
        weeks, rest = divmod(self._at(since_s) + amount, self._until[-1])
        hour = bisect_left(self._until, rest)
        before, after = self._until[max(0, hour - 1)], self._until[hour]
        part = (rest - before) / (after - before) if after > before else 1.0
        return (weeks * _WEEK_H + max(0, hour - 1) + part) * HOUR_S

    def along(self, slots: Iterable[int]) -> list[float]:
        """How much has come until each slot, since a time that does not matter; `between` for many at once."""
        until, whole = self._until, self._until[-1]
        found = []
        for slot in slots:
            weeks, in_week = divmod(slot, _WEEK_H * _HOUR_SLOTS)
            hour, in_hour = divmod(in_week, _HOUR_SLOTS)
            before = until[hour]
            found.append(weeks * whole + before + (until[hour + 1] - before) * in_hour / _HOUR_SLOTS)
        return found

    def _at(self, at_s: float) -> float:
        weeks, in_week = divmod(at_s / HOUR_S, _WEEK_H)
        hour = int(in_week)
        before, after = self._until[hour], self._until[hour + 1]
        return weeks * self._until[-1] + before + (in_week - hour) * (after - before)


def learned(heard: Sequence[int], usual_s: float) -> tuple[Pace, float]:
    """The pace of a source that was heard in these slots (in order, ten at least), and what a silence may leave out.

    `usual_s`: the middle of its gaps. Who comes seldom may come an eighth of that sooner or later.
    """
    blur_h = round(usual_s / HOUR_S / 8)
    outages = [place for _, place in sorted(_silences(Pace(heard, blur_h), heard))[-OUTAGES:]]
    pace = Pace(heard, blur_h, outages)
    lengths = [length for length, place in _silences(pace, heard) if place not in outages]
    weeks = (heard[-1] - heard[0]) / _HOUR_SLOTS / _WEEK_H
    return pace, _most(sorted(lengths), weeks, is_dense=usual_s <= 2 * SLOT_S)


def _silences(pace: Pace, heard: Sequence[int]) -> list[tuple[float, tuple[int, int]]]:
    """How much did not come in each silence, and from when until when it was."""
    ends = pairwise(zip(heard, pace.along(slot + 1 for slot in heard), pace.along(heard), strict=True))
    return [(until - since, (first, last)) for (first, since, _), (last, _, until) in ends]


def _most(silences: Sequence[float], weeks: float, *, is_dense: bool) -> float:
    """What is heard like a clock is late by a quarter; else a silence is longer than that by chance once in ten years.

    The longest tenth says how silences fall: as by chance, sooner, or later, as where visitors come in swarms. Where
    most are too short to be seen (`is_dense`) it does not say that they fall sooner. `silences`: the shortest first.
    """
    longest = 1.25 * silences[-1]
    if silences[-1] <= _EVEN * median(silences):
        return longest
    high = quantiles(silences, n=10)[8]
    tail = median(each - high for each in silences if each >= high) / log(2)
    so_many = len(silences) / weeks * _TEN_YEARS
    scale = max(high / log(10), 1.0 if is_dense else 0.0)
    return max(scale * log(so_many), high + tail * log(so_many / 10), longest)


def _hour(slot: int) -> int:
    return slot // _HOUR_SLOTS
