"""Clusters of aliases, derived from edges: who is the same person.

The clusters of a connected component are a pure function of its edges, taken in the order
(since, link_id); so it does not matter in which order the edges were learned. An edge that would
put two values of a unique kind into one cluster, or grow it past the limit, is *proposed*: kept,
listed for a human, not applied.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import NAMESPACE_URL, uuid5

from schemas.links import Edge
from schemas.touchpoints import Alias
from streams.resolve.aliases import kind_of, strength

UNIQUE_KINDS = frozenset({"crm_contact", "user"})
NAMING_KINDS = frozenset({"crm_contact", "email", "support_user", "user"})
MAX_ALIASES = 50


@dataclass(frozen=True, slots=True)
class Person:
    """One cluster of aliases."""

    person_id: str
    aliases: tuple[Alias, ...]


def person_id_of(name: Alias) -> str:
    """The id of a person who is named by this alias."""
    return str(uuid5(NAMESPACE_URL, f"touchline:person:{name}"))


class IdentityGraph:
    """Edges for ever, clusters derived."""

    def __init__(self) -> None:
        self._edges: dict[str, Edge] = {}
        self._touching: dict[Alias, list[str]] = {}
        self._people: dict[Alias, Person] = {}
        self.proposed: set[str] = set()

    def __len__(self) -> int:
        return len(self._edges)

    def person(self, name: Alias) -> Person:
        """The person an alias belongs to; an alias without edges is its own person."""
        return self._people.get(name) or Person(person_id_of(name), (name,))

    def knows(self, edge: Edge) -> bool:
        """Whether this edge is known, from evidence at least as early."""
        known = self._edges.get(edge.link_id)
        return known is not None and known.since <= edge.since

    def add(self, edge: Edge) -> list[Person]:
        """Take in an edge; returns the people, as they were, whose cluster it changed."""
        if self.knows(edge):
            return []
        if edge.link_id not in self._edges:
            for end in (edge.a, edge.b):
                self._touching.setdefault(end, []).append(edge.link_id)
        self._edges[edge.link_id] = edge
        component = self._component(edge.a)
        aliases = {end for known in component for end in (known.a, known.b)}
        before = {person.person_id: person for person in map(self.person, aliases)}
        clusters, refused = derive(component)
        self.proposed.difference_update(known.link_id for known in component)
        self.proposed.update(refused)
        for cluster in clusters:
            for name in cluster.aliases:
                self._people[name] = cluster
        return [person for person in before.values() if person not in clusters]

    def _component(self, start: Alias) -> list[Edge]:
        seen, waiting, found = {start}, [start], set()
        while waiting:
            for link_id in self._touching.get(waiting.pop(), ()):
                found.add(link_id)
                for end in (self._edges[link_id].a, self._edges[link_id].b):
                    if end not in seen:
                        seen.add(end)
                        waiting.append(end)
        return [self._edges[link_id] for link_id in found]


def derive(edges: Iterable[Edge]) -> tuple[list[Person], list[str]]:
    """The clusters of a component, and the link ids of edges that are only proposed."""
    clusters: dict[Alias, set[Alias]] = {}
    since: dict[Alias, datetime] = {}
    refused: list[str] = []
    for edge in sorted(edges, key=lambda e: (e.since, e.link_id)):
        for end in (edge.a, edge.b):
            clusters.setdefault(end, {end})
            since.setdefault(end, edge.since)
        one, other = clusters[edge.a], clusters[edge.b]
        if one is other:
            continue
        if len(one) + len(other) > MAX_ALIASES or _clash(one, other):
            refused.append(edge.link_id)
            continue
        one |= other
        for name in other:
            clusters[name] = one
    distinct = {id(cluster): cluster for cluster in clusters.values()}
    return [_person(cluster, since) for cluster in distinct.values()], refused


def _clash(one: set[Alias], other: set[Alias]) -> bool:
    """Whether both hold a value of the same unique kind."""
    kinds = {kind_of(name) for name in one} & UNIQUE_KINDS
    return any(kind_of(name) in kinds for name in other)


def _person(aliases: set[Alias], since: dict[Alias, datetime]) -> Person:
    """Named by its earliest naming alias (the older id survives a merge), else by its earliest alias."""
    naming = [name for name in aliases if kind_of(name) in NAMING_KINDS] or list(aliases)
    name = min(naming, key=lambda n: (since[n], -strength(n), n))
    return Person(person_id_of(name), tuple(sorted(aliases, key=lambda n: (-strength(n), n))))
