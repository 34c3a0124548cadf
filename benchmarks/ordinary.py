"""How much of what ordinary websites send the default blueprint understands: the lists of tests/data/ordinary."""

from __future__ import annotations

from benchmarks.figures import Figure, Pace, Say
from streams.journey.blueprints import load
from tests.unit.test_ordinary_events import GENERIC, LISTS, listed


def run(pace: Pace, say: Say) -> list[Figure]:
    """The share of each list that is unmapped, and that has another type than whoever wrote the list gave it."""
    blueprint, figures, total = load(), list[Figure](), [0, 0, 0]
    for name in LISTS:
        rows = [(kind, blueprint.type_of(touchpoint).id) for _, kind, touchpoint in listed(name)]
        unmapped = sum(found in GENERIC and kind not in GENERIC for kind, found in rows)
        other = sum(kind != found for kind, found in rows)
        total = [sum(pair) for pair in zip(total, (len(rows), unmapped, other), strict=True)]
        figures += _told(name, len(rows), unmapped, other)
    say(f"{total[1]} of {total[0]} are not understood")
    return [*figures, *_told("all lists", *total)]


def _told(name: str, texts: int, unmapped: int, other: int) -> list[Figure]:
    part = f"ordinary, {name}"
    return [
        Figure(part, "names and pages", str(texts)),
        Figure(part, "unmapped or generic", f"{unmapped / texts:.1%}", "≤ 5%"),
        Figure(part, "another type", f"{other / texts:.1%}", "≤ 5%"),
    ]
