"""Clusters of aliases, derived from edges: who is the same person.

The clusters are a pure function of the edges, taken strong ones first, then by (since, a, b); so it does not matter
in which order they were learned, and a device that two people used never parts one of them from their own ids. An
edge does not join when that would put two CRM contacts or two user ids of one source into one cluster, grow it past
the limit, or bring two addresses together of which one was only typed into a form: it is kept, and asked about. An
alias with very many edges is shared (a kiosk, a placeholder we do not know): its first ones count.

People decide over evidence: an `unlink`ed edge is as if it had never been seen, a `link` is laid over the clusters
that the evidence gives. So whatever is decided, taking it back leaves nothing behind.

A change is worked out where it matters: the clusters it touches, and the edges at their borders.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from sys import intern
from typing import TypeAlias
from uuid import NAMESPACE_URL

from schemas.links import Decision, Edge
from schemas.touchpoints import Alias, CleanTouchpoint
from streams.ids import named_id
from streams.resolve.aliases import kind_of, strength, unique_space
from streams.resolve.kept import Kept

NAMING_KINDS = frozenset({"crm_contact", "email", "support_user", "user"})
MAX_ALIASES = 50
FEW_EDGES = 8
MAX_EDGES = 100
"""Of one alias; a cluster cannot hold more anyway, and without a bound a shared device would cost every event."""

_Order = tuple[int, datetime, Alias, Alias, bool]
_Pair = tuple[Alias, Alias]


@dataclass(frozen=True, slots=True)
class Person:
    """One cluster of aliases."""

    person_id: str
    aliases: tuple[Alias, ...]


@dataclass(slots=True, eq=False)
class _Seen:
    """An edge as it is kept: a tenth of the memory of a record."""

    a: Alias
    b: Alias
    typed: bool
    since: datetime
    evidence: str
    source: str

    @property
    def order(self) -> _Order:
        return (-strength(self.b), self.since, self.a, self.b, self.typed)

    def link(self) -> Edge:
        return Edge(a=self.a, b=self.b, typed=self.typed, since=self.since, evidence=self.evidence, source=self.source)


_Edges: TypeAlias = "_Seen | tuple[_Seen, ...] | list[_Seen]"
"""Of one alias: most have one, few several, a shared one very many, in their order."""
_Clusters = dict[Alias, set[Alias]]


def _order(edge: _Seen) -> _Order:
    return edge.order


@lru_cache(maxsize=16_384)
def person_id_of(name: Alias) -> str:
    """The id of a person who is named by this alias."""
    return named_id(NAMESPACE_URL, f"touchline:person:{name}")


def pair_of(a: Alias, b: Alias) -> _Pair:
    """Both, in one order."""
    return (a, b) if a <= b else (b, a)


class IdentityGraph:
    """Edges for ever, clusters derived."""

    def __init__(self) -> None:
        self.kept = Kept()
        self._edges: dict[Alias, _Edges] = {}
        self._cut: dict[_Pair, list[_Seen]] = {}
        self._people: dict[Alias, Person] = {}
        self._by_evidence: dict[Alias, tuple[Alias, ...]] = {}
        self._decisions: dict[_Pair, Decision] = {}
        self._decided: dict[Alias, set[Alias]] = {}
        self._forced: dict[Alias, set[Alias]] = {}
        self._deferred: set[Alias] | None = None
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def person(self, name: Alias) -> Person:
        """The person an alias belongs to; an alias without edges is its own person."""
        return self._people.get(name) or Person(self.person_id(name), (name,))

    def person_id(self, name: Alias) -> str:
        """The id of a person (or a thing) who is named by this alias."""
        return person_id_of(self.kept.name(name))

    def has(self, name: Alias) -> bool:
        """Whether the alias was ever seen on an edge or decided on."""
        return name in self._edges or name in self._decided

    def known(self, a: Alias, b: Alias, *, typed: bool = False) -> Edge | None:
        """The edge as it is known."""
        found = self._find(a, b, typed)
        return found.link() if found else None

    def knows(self, edge: Edge) -> bool:
        """Whether this edge is known, from evidence at least as early."""
        found = self._find(edge.a, edge.b, edge.typed)
        return found is not None and (found.since, found.evidence) <= (edge.since, edge.evidence)

    def has_seen(self, pair: tuple[Alias, Alias, bool], touchpoint: CleanTouchpoint) -> bool:
        """The same of two ends, and whether one was typed, with a touchpoint as the evidence."""
        found = self._find(*pair)
        told = (touchpoint.ordered_at, touchpoint.event_id)
        return found is not None and (found.since, found.evidence) <= told

    def decision(self, a: Alias, b: Alias) -> Decision | None:
        """What was decided last on two aliases."""
        return self._decisions.get(pair_of(a, b))

    def decisions(self, name: Alias) -> Iterator[Decision]:
        """What was decided on an alias and others."""
        return (self._decisions[pair_of(name, other)] for other in sorted(self._decided.get(name, ())))

    def aliases(self) -> Iterator[Alias]:
        """Every alias with edges or decisions."""
        yield from self._edges
        yield from (name for name in self._decided if name not in self._edges)

    def degree(self, name: Alias) -> int:
        """How many edges an alias has, counting or not."""
        return len(self._all(name))

    def edges(self, name: Alias) -> Iterator[Edge]:
        """The edges of an alias that count, earliest first; those that do not join are among them."""
        return (edge.link() for edge in sorted(self._counting(name), key=_order))

    def cut(self, name: Alias) -> list[Edge]:
        """The edges of an alias that a decision took away."""
        return [edge.link() for pair, edges in self._cut.items() if name in pair for edge in edges]

    def unresolved(self, name: Alias) -> Iterator[Edge]:
        """The edges of an alias that count, do not join, and nobody has decided on."""
        own = self.person(name)
        for edge in self._counting(name):
            other = edge.b if edge.a == name else edge.a
            if other not in own.aliases and pair_of(name, other) not in self._decisions:
                yield edge.link()

    def defer(self) -> None:
        """From now on only collect what changes; `derive_all` makes up for it."""
        self._deferred = set()

    def derive_all(self) -> None:
        """Derive the clusters of everything collected since `defer`."""
        waiting, self._deferred = self._deferred or set(), None
        while waiting:
            component, reached = set[Alias](), [waiting.pop()]
            while reached:
                name = reached.pop()
                if name not in component:
                    component.add(name)
                    reached += [end for edge in self._counting(name) for end in (edge.a, edge.b)]
            waiting -= component
            self._rederive(component)

    def add(self, edge: Edge) -> list[Person]:
        """Take in an edge; returns the people, as they were, whose cluster it changed."""
        if self.knows(edge):
            return []
        known = self._find(edge.a, edge.b, edge.typed)
        a, b = self._same(edge.a), self._same(edge.b)
        seen = _Seen(a, b, edge.typed, edge.since, edge.evidence, intern(edge.source))
        pair = pair_of(a, b)
        if pair in self._cut:
            self._cut[pair] = [kept for kept in self._cut[pair] if kept is not known] + [seen]
            return []
        self._count += known is None
        touched = self._detach(known) if known else set()
        touched |= self._attach(seen)
        return self._rederive(touched) if touched else []

    def decide(self, decision: Decision) -> list[Person]:
        """Take in a decision on two aliases; returns the people, as they were, whose cluster it changed."""
        pair = pair_of(decision.a, decision.b)
        known = self._decisions.get(pair)
        if known is not None and not decision.outdoes(known):
            return []
        self._decisions[pair] = decision
        touched = {*pair}
        for one, other in (pair, pair[::-1]):
            self._decided.setdefault(one, set()).add(other)
            joined = self._forced.setdefault(one, set())
            (joined.add if decision.verdict == "link" else joined.discard)(other)
        if decision.verdict == "unlink":
            self._cut.setdefault(pair, [])
            for edge in [edge for edge in self._all(pair[0]) if pair_of(edge.a, edge.b) == pair]:
                touched |= self._detach(edge)
                self._cut[pair].append(edge)
        for edge in self._cut.pop(pair, []) if decision.verdict == "link" else ():
            touched |= self._attach(edge)
        return self._rederive(touched)

    # -- edges, by alias; those of a shared one in their order

    def _all(self, name: Alias) -> tuple[_Seen, ...] | list[_Seen]:
        known = self._edges.get(name, ())
        return (known,) if isinstance(known, _Seen) else known

    def _same(self, name: Alias) -> Alias:
        """The very text that is known already, so that it is kept once."""
        for edge in self._all(name)[:1]:
            return edge.a if edge.a == name else edge.b
        return name

    def _find(self, a: Alias, b: Alias, typed: bool) -> _Seen | None:
        place = self._all(a)
        if len(place) > FEW_EDGES and len(other := self._all(b)) < len(place):
            place = other
        for edge in place if not self._cut else (*place, *self._cut.get(pair_of(a, b), ())):
            if edge.a == a and edge.b == b and edge.typed == typed:
                return edge
        return None

    def _attach(self, edge: _Seen) -> set[Alias]:
        """Count the edge in; returns the aliases whose counting edges changed."""
        touched: set[Alias] = set()
        for end in {edge.a, edge.b}:
            known = self._all(end)
            if len(known) >= MAX_EDGES:
                ordered = known if isinstance(known, list) else sorted(known, key=_order)
                last = ordered[MAX_EDGES - 1]
                touched |= {last.a, last.b} if edge.order < last.order else set()
                insort(ordered, edge, key=_order)
                self._edges[end] = ordered
            elif isinstance(known, list):
                insort(known, edge, key=_order)
            else:
                self._edges[end] = (*known, edge) if known else edge
        return touched | {edge.a, edge.b} if touched or self._counts(edge) else set()

    def _detach(self, edge: _Seen) -> set[Alias]:
        touched = {edge.a, edge.b}
        for end in {edge.a, edge.b}:
            known = self._all(end)
            if isinstance(known, list):
                del known[bisect_left(known, edge.order, key=_order)]
                if len(known) >= MAX_EDGES:
                    touched |= {known[MAX_EDGES - 1].a, known[MAX_EDGES - 1].b}
                continue
            rest = tuple(kept for kept in known if kept is not edge)
            if rest:
                self._edges[end] = rest[0] if len(rest) == 1 else rest
            else:
                del self._edges[end]
        return touched

    def _counts(self, edge: _Seen) -> bool:
        """Whether it is among the earliest edges of both its ends."""
        for end in (edge.a, edge.b):
            known = self._edges[end]
            if isinstance(known, list) and len(known) > MAX_EDGES and edge.order > known[MAX_EDGES - 1].order:
                return False
        return True

    def _counting(self, name: Alias) -> list[_Seen]:
        return [edge for edge in self._all(name)[:MAX_EDGES] if self._counts(edge)]

    # -- clusters

    def _rederive(self, touched: set[Alias]) -> list[Person]:
        if self._deferred is not None:
            self._deferred |= touched
            return []
        region = {name for start in touched for name in self._natural(start)}
        while True:
            clusters, beyond = self._replay(region)
            if not beyond:
                return self._settle(region, clusters)
            region.update(name for start in beyond for name in self._natural(start))

    def _natural(self, name: Alias) -> tuple[Alias, ...]:
        """The cluster of an alias by evidence alone."""
        return self._by_evidence.get(name) or self.person(name).aliases

    def _replay(self, region: set[Alias]) -> tuple[_Clusters, list[Alias]]:
        """The clusters among `region`, and aliases outside that one of them would now join."""
        edges = {edge for name in region for edge in self._counting(name)}
        clusters: _Clusters = {name: {name} for name in region}
        beyond: list[Alias] = []
        for edge in sorted(edges, key=_order):
            if edge.a in region and edge.b in region:
                self._join(edge, clusters)
                continue
            inside, outside = (edge.a, edge.b) if edge.a in region else (edge.b, edge.a)
            if not self._refuses(edge, clusters[inside], {outside}) and not self._refuses(
                edge, clusters[inside], self._cluster_before(outside, edge.order)
            ):
                beyond.append(outside)
        return clusters, beyond

    def _cluster_before(self, name: Alias, order: _Order) -> set[Alias]:
        """The cluster an alias was in when the edge of this order was taken. What it refused had no effect on it."""
        inside = set(self._natural(name))
        clusters: _Clusters = {member: {member} for member in inside}
        edges = {edge for member in inside for edge in self._counting(member) if edge.order < order}
        for edge in sorted(edges, key=_order):
            if edge.a in inside and edge.b in inside:
                self._join(edge, clusters)
        return clusters[name]

    def _join(self, edge: _Seen, clusters: _Clusters) -> None:
        one, other = clusters[edge.a], clusters[edge.b]
        if one is other or self._refuses(edge, one, other):
            return
        if len(one) < len(other):
            one, other = other, one
        one |= other
        for name in other:
            clusters[name] = one

    def _refuses(self, edge: _Seen, one: set[Alias], other: set[Alias]) -> bool:
        if len(one) + len(other) > MAX_ALIASES or (edge.typed and _two_addresses(one, other)):
            return True
        taken = {key for name in one for key in self._unique(name, edge.order)}
        return bool(taken) and any(key in taken for name in other for key in self._unique(name, edge.order))

    def _unique(self, name: Alias, order: _Order) -> Iterable[str]:
        """Of what a cluster may hold one only: a CRM contact, and a user id of each source that was seen to use it.

        Between two user ids there is only what an alias call says: that the second is given up for the first. From
        then on it counts no more, so that what was handed on twice is still one person's.
        """
        if name.startswith("user:"):
            edges = self._counting(name)
            if any(edge.b == name and edge.a.startswith("user:") and edge.order <= order for edge in edges):
                return ()
            return {edge.source for edge in edges}
        space = unique_space(name)
        return (space,) if space else ()

    def _settle(self, region: set[Alias], clusters: _Clusters) -> list[Person]:
        """Lay the decisions over the clusters; returns the people, as they were, that are no more as they were."""
        before = {person.person_id: person for person in map(self.person, region)}
        waiting = {name for person in before.values() for name in person.aliases} | region
        after: list[Person] = []
        while waiting:
            group = self._joined(waiting.pop(), clusters, before)
            waiting -= group
            after.append(self._keep(group, clusters))
        return [person for person in before.values() if person not in after]

    def _joined(self, start: Alias, clusters: _Clusters, before: dict[str, Person]) -> set[Alias]:
        """The cluster of `start` and those that decisions join it with; notes the people these were."""
        group, waiting = set[Alias](), [start]
        while waiting:
            name = waiting.pop()
            if name in group:
                continue
            person = self.person(name)
            before.setdefault(person.person_id, person)
            cluster = clusters.get(name) or set(self._natural(name))
            group |= cluster
            waiting += [other for member in cluster for other in self._forced.get(member, ())]
        return group

    def _keep(self, group: set[Alias], clusters: _Clusters) -> Person:
        person = self._person(group)
        for name in person.aliases:
            natural = clusters.get(name) or set(self._natural(name))
            if len(natural) < len(group):
                self._by_evidence[name] = tuple(sorted(natural))
            else:
                self._by_evidence.pop(name, None)
        for name in person.aliases:
            self._people[name] = person
        return person

    def _person(self, aliases: set[Alias]) -> Person:
        """Named by its earliest naming alias (the older id survives a merge), else by its earliest alias."""
        naming = [name for name in aliases if kind_of(name) in NAMING_KINDS] or list(aliases)
        if len(naming) > 1:
            naming.sort(key=lambda name: (*self._since(name), -strength(name), name))
        known = self.person(naming[0])
        ordered = tuple(sorted(aliases, key=lambda name: (-strength(name), name)))
        if known.aliases == ordered and known.person_id == self.person_id(naming[0]):
            return known
        return Person(self.person_id(naming[0]), tuple(map(self._same, ordered)))

    def _since(self, name: Alias) -> tuple[bool, datetime | None]:
        """When an alias was first seen; what was only ever decided on comes last."""
        times = [edge.since for edge in self._counting(name)]
        return (False, min(times)) if times else (True, None)


def _two_addresses(one: Iterable[Alias], other: Iterable[Alias]) -> bool:
    return any(name.startswith("email:") for name in one) and any(name.startswith("email:") for name in other)
