"""People at a glance, at a start: the same as link by link, and whoever is not plain gets a closer look."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from unittest.mock import patch

import pytest

from schemas.links import Edge
from streams.identity import regions as regions_module
from streams.identity.edges import MAX_EDGES, KeptEdges, Seen
from streams.identity.plain import plain
from streams.identity.regions import Region
from tests.journeys import at
from tests.unit.test_tangled_identities import loaded, told

KINDS = ("crm_contact", "email", "support_user", "user", "phone", "anonymous", "device")


def edge(a: str, b: str, n: int = 0, *, typed: bool = False) -> Edge:
    return Edge(a=a, b=b, typed=typed, since=at(n), evidence=f"e{n}", source="web")


def people(seed: int) -> list[Edge]:
    """Some people with a few ids each; some share one, or have two of what a person has one of."""
    drawn, found = random.Random(seed), list[Edge]()
    for n in range(12):
        names = sorted({f"{drawn.choice(KINDS)}:{n}-{m}" for m in range(drawn.randrange(1, 6))})
        names.sort(key=_strength)
        names += [f"device:{drawn.randrange(30)}"] if drawn.random() < 0.2 else []
        found += [edge(names[0], other, drawn.randrange(20), typed=drawn.random() < 0.05) for other in names[1:]]
        found += [edge(names[0], names[0], drawn.randrange(20))] if drawn.random() < 0.3 else []
    return found


def _strength(name: str) -> int:
    return KINDS.index(name.partition(":")[0])


def differs(seeds: Iterable[int]) -> list[int]:
    found = []
    for seed in seeds:
        links = people(seed)
        names = {end for link in links for end in (link.a, link.b)}
        one, other = loaded(links), told(links)
        if any(one.person(name) != other.person(name) for name in names):
            found.append(seed)
    return found


def test_a_start_knows_the_same_people() -> None:
    assert differs(range(60)) == []


def test_with_whatever_is_not_plain_taken_for_plain_it_does_not() -> None:
    """Known bad: nobody gets a closer look."""

    def careless(start: str, edges: Mapping[str, KeptEdges], most_ends: int) -> tuple[str, tuple[str, ...]]:
        names = {start}
        for _ in range(20):
            known = [edges[name] for name in names]
            ends = [one for some in known for one in ([some] if isinstance(some, Seen) else some)]  # type: ignore[union-attr]
            names |= {end for one in ends for end in (one.a, one.b)}
        in_order = tuple(sorted(names, key=lambda name: (_strength(name), name)))
        return in_order[0], in_order

    with patch.object(regions_module, "plain", careless):
        assert differs(range(20))


NOT_PLAIN = {
    "two user ids": [edge("email:a@x.com", "user:1"), edge("email:a@x.com", "user:2")],
    "two contacts": [edge("crm_contact:1", "device:d"), edge("crm_contact:2", "device:d")],
    "an address that was typed": [edge("email:a@x.com", "user:1", typed=True)],
    "more than are looked at": [edge("email:a@x.com", f"device:{n}") for n in range(40)],
    "more edges than count": [edge("email:a@x.com", f"device:{n}") for n in range(MAX_EDGES + 1)],
}


@pytest.mark.parametrize("what", NOT_PLAIN)
def test_these_get_a_closer_look(what: str) -> None:
    graph = told(NOT_PLAIN[what])
    for name in graph.aliases():
        assert plain(name, graph._edges.kept, 50) is None
    assert all(isinstance(found, Region) for found in loaded(NOT_PLAIN[what])._regions.whole())
