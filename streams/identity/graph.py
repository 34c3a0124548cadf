"""Clusters of aliases, derived from edges: who is the same person.

The clusters are a pure function of the edges, taken strong ones first, then by (since, a, b); so it does not matter
in which order they were learned, and a device that two people used never parts one of them from their own ids. What
does not join is kept, and asked about.

People decide over evidence: an `unlink`ed edge is as if it had never been seen, a `link` is laid over the clusters
that the evidence gives. So whatever is decided, taking it back leaves nothing behind.

A change is worked out where it matters: in the regions (see there) of the edges that count from now on, or no more.
Their size is bounded, and so is what an edge costs, whatever else is known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from uuid import NAMESPACE_URL

from msgspec import Struct

from schemas.links import Decision, Edge
from schemas.touchpoints import Alias, CleanTouchpoint
from streams.identity.aliases import NAMING_KINDS, kind_of, ordered, strength
from streams.identity.clusters import clustered
from streams.identity.edges import Edges, Moved, Pair, Seen, ends_of, pair_of, seen
from streams.identity.inherited_person_ids import Kept
from streams.identity.read_edges import ReadEdges
from streams.identity.regions import Region, Regions
from streams.identity.verdicts import Verdicts
from streams.ids import named_id

MAX_DECIDED = 200
"""Aliases of a person as decisions join them, several clusters; decisions that would join more join none of them."""

_NEVER = datetime.max.replace(tzinfo=UTC)
_Clusters = dict[Alias, set[Alias]]


class Person(Struct, frozen=True, gc=False):
    """One cluster of aliases."""

    name: str
    """What the id is made of."""
    aliases: tuple[Alias, ...]

    @property
    def person_id(self) -> str:
        """Not kept: of a hundred thousand people it would take ten megabytes."""
        return person_id_of(self.name)


@lru_cache(maxsize=16_384)
def person_id_of(name: Alias) -> str:
    """The id of a person who is named by this alias."""
    return named_id(NAMESPACE_URL, f"touchline:person:{name}")


def moved(before: Iterable[Person], now: Callable[[Alias], Person]) -> set[Alias]:
    """Aliases that came to others or left them. Of two that did not, both are together still, or still apart."""
    ways = [(name, (person.person_id, now(name).person_id)) for person in before for name in person.aliases]
    most = sorted(Counter(way for _, way in ways).items(), key=lambda counted: counted[::-1])
    goes_to = {old: new for (old, new), _ in most}
    comes_from = {new: old for (old, new), _ in most}
    return {name for name, (old, new) in ways if goes_to[old] != new or comes_from[new] != old}


class IdentityGraph:
    """Edges for ever, clusters derived."""

    def __init__(self) -> None:
        self.kept = Kept()
        self._edges = Edges()
        self._regions = Regions(self._edges)
        self._cut: dict[Pair, list[Seen]] = {}
        self._people: dict[Alias, Person] = {}
        self._by_evidence: dict[Alias, tuple[Alias, ...]] = {}
        self._decisions = Verdicts[Pair]()
        self._decided: dict[Alias, set[Alias]] = {}
        self._forced: dict[Alias, set[Alias]] = {}
        self.undone = set[Alias]()
        """Aliases that decisions do not join with others, because they would join too many."""
        self._read: ReadEdges | None = None
        self._count = 0
        self._recounted = set[Alias]()

    def __len__(self) -> int:
        return self._count

    @property
    def tangled(self) -> int:
        """How many aliases are in tangles: so many edges hang together there that only some may join."""
        return self._regions.tangled()

    @property
    def everybodys(self) -> int:
        """How many ids of browsers and devices are everybody's, and therefore nobody's."""
        return len(self._edges.everybodys)

    def is_tangled(self, name: Alias) -> bool:
        """Whether an alias is in a tangle."""
        return self._regions.is_tangled(name)

    def person(self, name: Alias) -> Person:
        """The person an alias belongs to; an alias without edges is its own person."""
        return self._people.get(name) or Person(self.kept.name(name), (name,))

    def person_id(self, name: Alias) -> str:
        """The id of a person (or a thing) who is named by this alias."""
        return person_id_of(self.kept.name(name))

    def has(self, name: Alias) -> bool:
        """Whether the alias was ever seen on an edge or decided on."""
        return name in self._edges or name in self._decided

    def known(self, a: Alias, b: Alias, *, typed: bool = False) -> Edge | None:
        """The edge as it is known."""
        found = self._find(*ends_of(a, b), typed)
        return found.link() if found else None

    def knows(self, edge: Edge) -> bool:
        """Whether this edge is known, from evidence at least as early."""
        found = self._find(*ends_of(edge.a, edge.b), edge.typed)
        return found is not None and (found.since, found.evidence) <= (edge.since, edge.evidence)

    def has_seen(self, pair: tuple[Alias, Alias, bool], touchpoint: CleanTouchpoint) -> bool:
        """The same of two ends, and whether one was typed, with a touchpoint as the evidence."""
        found = self._find(*pair)
        told = (touchpoint.ordered_at, touchpoint.event_id)
        return found is not None and (found.since, found.evidence) <= told

    def decision(self, a: Alias, b: Alias) -> Decision | None:
        """What was decided last on two aliases."""
        return self._decisions.last(pair_of(a, b))

    def knows_decision(self, decision: Decision) -> bool:
        """Whether this decision is known, be it the last word or not."""
        return self._decisions.knows(pair_of(decision.a, decision.b), decision)

    def decisions(self, name: Alias) -> Iterator[Decision]:
        """What was decided on an alias and others."""
        told = (self._decisions.last(pair_of(name, other)) for other in sorted(self._decided.get(name, ())))
        return (decision for decision in told if decision is not None)

    def aliases(self) -> Iterator[Alias]:
        """Every alias with edges or decisions."""
        yield from self._edges
        yield from (name for name in self._decided if name not in self._edges)

    def degree(self, name: Alias) -> int:
        """How many edges an alias has, counting or not."""
        return self._edges.degree(name)

    def edges(self, name: Alias) -> Iterator[Edge]:
        """The edges of an alias that count, earliest first; those that do not join are among them."""
        return (edge.link() for edge in self._edges.counting(name))

    def links(self, name: Alias) -> Iterator[Edge | Decision]:
        """Everything that was ever told of an alias and others."""
        yield from (edge.link() for edge in self._edges.all(name))
        yield from self.cut(name)
        for other in sorted(self._decided.get(name, ())):
            yield from self._decisions.all_of(pair_of(name, other))

    def cut(self, name: Alias) -> list[Edge]:
        """The edges of an alias that a decision took away."""
        pairs = (pair_of(name, other) for other in self._decided.get(name, ()))
        return [edge.link() for pair in pairs for edge in self._cut.get(pair, ())]

    def unresolved(self, name: Alias) -> Iterator[Edge]:
        """The edges of an alias that might join and do not, and nobody has decided on."""
        own = set(self.person(name).aliases)
        for edge in self._regions.joining(name):
            if edge.other(name) not in own and edge.pair not in self._decisions:
                yield edge.link()

    def regrouped(self) -> set[Alias]:
        """Ends of the edges that are `unresolved`, or were, since this was asked last; people who changed apart."""
        found, self._regions.regrouped = self._regions.regrouped, set()
        return found

    def recounted(self) -> set[Alias]:
        """Aliases of which other edges count than when this was asked last."""
        found, self._recounted = self._recounted, set()
        return found

    def defer(self) -> None:
        """From now on only collect what is told, while nothing is known yet; `derive_all` makes up for it."""
        self._read = ReadEdges()

    def collect(self, edge: Seen) -> None:
        """Take in an edge since `defer`."""
        assert self._read is not None
        self._read.take(edge)

    def derive_all(self) -> set[Alias]:
        """Derive the clusters of everything collected since `defer`; returns the aliases that something is asked of."""
        assert self._read is not None
        at_ends, self._count = self._read.at_ends()
        self._read = None
        self._edges.fill(at_ends)
        for pair in {pair_of(name, other) for name, others in self._decided.items() for other in others}:
            if self._is_unlinked(pair):
                self._cut[pair] = self._taken_away(pair, Moved())
        asked = set(self._decided)
        for region in self._regions.whole():
            if not isinstance(region, Region):
                first, aliases = region
                person = Person(self.kept.name(first), aliases)
                for name in aliases if len(aliases) > 1 else ():
                    self._people[name] = person
                continue
            clusters = clustered(region.names, region.edges, self._regions.traits)
            for cluster in {id(cluster): cluster for cluster in clusters.values()}.values():
                if len(cluster) > 1:
                    self._keep(cluster, clusters)
            asked.update(edge.a for edge in region.edges if clusters[edge.a] is not clusters[edge.b])
        if self._decided:
            self._settle(self._decided, {name: set(self._natural(name)) for name in self._decided})
        self._regions.regrouped.clear()
        return asked

    def add(self, edge: Edge) -> list[Person]:
        """Take in an edge; returns the people, as they were, whose cluster it changed."""
        if self._read is not None:
            self.collect(seen(edge))
            return []
        known = self._find(*ends_of(edge.a, edge.b), edge.typed)
        if known is not None and (known.since, known.evidence) <= (edge.since, edge.evidence):
            return []
        new, moved = seen(edge, self._edges.same), Moved()
        if new.pair in self._cut:
            self._cut[new.pair] = [kept for kept in self._cut[new.pair] if kept is not known] + [new]
            return []
        self._count += known is None
        if known is not None:
            self._edges.remove(known, moved)
        self._edges.add(new, moved)
        return self._rederive(moved)

    def retell(self, edge: Edge) -> list[Person]:
        """Put an edge in the place of what was known of it, or, retracted, nothing; returns the same as `add`."""
        if self._read is not None:
            self._read.tell_anew((*ends_of(edge.a, edge.b), edge.typed), None if edge.retracted else seen(edge))
            return []
        known, new, moved = self._find(*ends_of(edge.a, edge.b), edge.typed), seen(edge, self._edges.same), Moved()
        self._count += (not edge.retracted) - (known is not None)
        if new.pair in self._cut:
            rest = [kept for kept in self._cut[new.pair] if kept is not known]
            self._cut[new.pair] = rest if edge.retracted else [*rest, new]
            return []
        if known is not None:
            self._edges.remove(known, moved)
        if not edge.retracted:
            self._edges.add(new, moved)
        return self._rederive(moved)

    def decide(self, decision: Decision) -> list[Person]:
        """Take in a decision on two aliases; returns the people, as they were, whose cluster it changed."""
        pair = pair_of(decision.a, decision.b)
        return self._ruled(pair) if self._decisions.add(pair, decision) else []

    def undecide(self, decision: Decision) -> list[Person]:
        """A decision was never made; returns the same."""
        pair = pair_of(decision.a, decision.b)
        return self._ruled(pair) if self._decisions.drop(pair, decision) else []

    def _is_unlinked(self, pair: Pair) -> bool:
        last = self._decisions.last(pair)
        return last is not None and last.verdict == "unlink"

    def _ruled(self, pair: Pair) -> list[Person]:
        """Another decision on these two holds, or none any more."""
        last = self._decisions.last(pair)
        for one, other in (pair, pair[::-1]):
            _put(self._decided, one, other, holds=last is not None)
            _put(self._forced, one, other, holds=last is not None and last.verdict == "link")
        if self._read is not None:
            return []
        moved = Moved()
        if self._is_unlinked(pair):
            self._cut.setdefault(pair, []).extend(self._taken_away(pair, moved))
        else:
            for edge in self._cut.pop(pair, []):
                self._edges.add(edge, moved)
        return self._rederive(moved, pair)

    def _taken_away(self, pair: Pair, moved: Moved) -> list[Seen]:
        """The edges of two aliases, which are among the others no more."""
        cut = self._edges.between(*pair)
        for edge in cut:
            self._edges.remove(edge, moved)
        return cut

    def _find(self, a: Alias, b: Alias, typed: bool) -> Seen | None:
        found = self._edges.find(a, b, typed)
        if found is None and self._cut:
            return self._edges.find_in(self._cut.get(pair_of(a, b), ()), a, b, typed)
        return found

    # -- clusters

    def _rederive(self, moved: Moved, decided: Iterable[Alias] = ()) -> list[Person]:
        touched = {end for edge in (*moved.came, *moved.went) for end in (edge.a, edge.b)}.union(decided)
        self._recounted |= touched
        self._regions.regrouped |= {
            min(edge.a, edge.b, key=self._edges.degree) for edge in (*moved.came, *moved.went)
        }  # a shared alias has too many to look at each time
        clusters: _Clusters = {name: set(self._natural(name)) for name in decided}
        for region in self._regions.changed(moved):
            clusters |= self._changed(region, touched)
        return self._settle(clusters, clusters) if clusters else []

    def _changed(self, region: Region, touched: set[Alias]) -> _Clusters:
        """The clusters of a region that are not as they were, or of which some alias was seen at another time."""
        found = clustered(region.names, region.edges, self._regions.traits)
        changed: _Clusters = {}
        for name, cluster in found.items():
            if name not in changed and (not cluster.isdisjoint(touched) or cluster != set(self._natural(name))):
                changed |= dict.fromkeys(cluster, cluster)
        return changed

    def _natural(self, name: Alias) -> tuple[Alias, ...]:
        """The cluster of an alias by evidence alone."""
        return self._by_evidence.get(name) or self.person(name).aliases

    def _settle(self, region: Iterable[Alias], clusters: _Clusters) -> list[Person]:
        """Lay the decisions over the clusters; returns the people, as they were, that are no more as they were."""
        before = {person.name: person for person in map(self.person, region)}
        waiting = {name for person in before.values() for name in person.aliases}.union(region)
        after: dict[str, Person] = {}
        too_many = set[Alias]()
        while waiting:
            group = self._joined(waiting.pop(), clusters, before, too_many)
            waiting -= group
            person = self._keep(group, clusters)
            after[person.name] = person
        return [person for person in before.values() if person != after.get(person.name)]

    def _joined(self, start: Alias, clusters: _Clusters, before: dict[str, Person], too_many: set[Alias]) -> set[Alias]:
        """The cluster of `start` and those that decisions join it with; notes the people these were.

        Where that is more than a person may be, it is the cluster alone; notes those of whom that is known.
        """
        cluster = self._cluster(start, clusters)
        group, waiting = set[Alias](), {start}
        while waiting:
            name = waiting.pop()
            person = self.person(name)
            before.setdefault(person.name, person)
            members = self._cluster(name, clusters)
            group |= members
            decided = [self._forced[member] for member in members if member in self._forced]
            waiting = waiting.union(*(others for others in decided if len(others) <= MAX_DECIDED)) - group
            is_shared = any(len(others) > MAX_DECIDED for others in decided)
            if is_shared or len(group) + len(waiting) > MAX_DECIDED or not group.isdisjoint(too_many):
                too_many |= group
                self.undone |= cluster & self._decided.keys()
                return cluster
        if self.undone:
            self.undone -= group
        return group

    def _cluster(self, name: Alias, clusters: _Clusters) -> set[Alias]:
        return clusters.get(name) or set(self._natural(name))

    def _keep(self, group: set[Alias], clusters: _Clusters) -> Person:
        person = self._person(group)
        for name in person.aliases if self._decided or self._by_evidence else ():
            natural = self._cluster(name, clusters)
            if len(natural) < len(group):
                self._by_evidence[name] = tuple(sorted(natural))
            else:
                self._by_evidence.pop(name, None)
        if len(group) == 1:
            self._people.pop(person.aliases[0], None)  # what `person` says of it anyway
        else:
            self._people |= dict.fromkeys(person.aliases, person)
        return person

    def _person(self, aliases: set[Alias]) -> Person:
        """Named by its earliest naming alias (the older id survives a merge), else by its earliest alias."""
        naming = [name for name in aliases if kind_of(name) in NAMING_KINDS] or list(aliases)
        first = naming[0]
        if len(naming) > 1:
            first = min(naming, key=lambda name: (self._since(name), -strength(name), name))
        name, in_order = self.kept.name(first), ordered(aliases)
        known = self._people.get(first)
        if known is not None and known.aliases == in_order and known.name == name:
            return known
        return Person(self._edges.same(name), tuple(map(self._edges.same, in_order)))

    def _since(self, name: Alias) -> datetime:
        """When an alias was first seen; what was only ever decided on comes last."""
        if self._regions.is_tangled(name):
            return self._regions.traits(name).since or _NEVER
        return min((edge.since for edge in self._edges.counting(name)), default=_NEVER)


def _put(sets: dict[Alias, set[Alias]], name: Alias, other: Alias, *, holds: bool) -> None:
    """`other` is in the set of `name`, or is not; what is empty is not kept."""
    if holds:
        sets.setdefault(name, set()).add(other)
    elif name in sets:
        sets[name].discard(other)
        if not sets[name]:
            del sets[name]
