"""Edges put to their ends as they are read: the same as keeping one of each pair of ends, naively."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime

import pytest

from streams.identity.edges import Seen, seen_as
from streams.identity.read_edges import Ends, ReadEdges
from tests.journeys import at

NAMES = ("user:1", "user:2", "email:a@acme.com", "device:1", "device:2", "anonymous:1")
SEEDS = range(200)
Told = tuple[list[Seen], dict[Ends, Seen | None]]


def drawn(seed: int) -> Told:
    """Edges of which many have the same ends, alone and typed ones too, and some that are told anew."""
    dice = random.Random(seed)

    def edge(n: int) -> Seen:
        a, b = dice.choice(NAMES), dice.choice(NAMES)
        return seen_as(str(a), "".join(b), dice.random() < 0.3 and a != b, at(dice.randrange(5)), f"e{n}", "web")

    read = [edge(n) for n in range(dice.randrange(1, 25))]
    anew = [edge(100 + n) for n in range(dice.randrange(3))]
    return read, {(one.a, one.b, one.typed): dice.choice([one, None]) for one in anew}


def naively(told: Told) -> dict[Ends, tuple[datetime, str]]:
    read, anew = told
    best: dict[Ends, tuple[datetime, str]] = {}
    for edge in read:
        ends = (edge.a, edge.b, edge.typed)
        best[ends] = min((edge.since, edge.evidence), best.get(ends, (edge.since, edge.evidence)))
    for ends, one in anew.items():
        best.pop(ends, None)
        if one is not None:
            best[ends] = (one.since, one.evidence)
    return best


def mismatches(put: Callable[[ReadEdges, Told], None]) -> list[int]:
    found = []
    for seed in SEEDS:
        told, kept = drawn(seed), ReadEdges()
        put(kept, told)
        at_ends, count = kept.at_ends()
        expected = naively(told)
        known = {(e.a, e.b, e.typed): (e.since, e.evidence) for edges in at_ends.values() for e in _several(edges)}
        shared = {name: id(name) for name in at_ends}
        is_once = all(
            id(end) == shared[end] for edges in at_ends.values() for e in _several(edges) for end in (e.a, e.b)
        )
        places = sum(len({one.a, one.b}) for edges in at_ends.values() for one in _several(edges))
        both = sum(len({a, b}) ** 2 for a, b, _ in expected)
        if (known, count, places, is_once) != (expected, len(expected), both, True):
            found.append(seed)
    return found


def _several(edges: Seen | list[Seen]) -> list[Seen]:
    assert not isinstance(edges, list) or len(edges) > 1
    return edges if isinstance(edges, list) else [edges]


def everything(kept: ReadEdges, told: Told) -> None:
    for edge in told[0]:
        kept.take(edge)
    for ends, one in told[1].items():
        kept.tell_anew(ends, one)


def without_what_is_told_anew(kept: ReadEdges, told: Told) -> None:
    everything(kept, (told[0], {}))


def test_each_is_kept_once_and_what_is_told_anew_stands() -> None:
    assert mismatches(everything) == []


def test_else_it_is_seen() -> None:
    assert mismatches(without_what_is_told_anew)


def test_without_looking_for_repeats_there_would_be_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.identity.read_edges._may_repeat", lambda found: False)
    assert mismatches(everything)
