"""Which edges decide together: regions, small enough to be clustered anew at every change.

Whether an edge joins depends on what earlier ones joined, and that on others in turn; so one edge may change what all
others decide that hang together with it. Where more than `MAX_REGION` edges do, that is a **tangle** (hot desks, a
kiosk of hundreds, somebody who plays with us): there an alias counts only with the stronger one it was seen with
first, which parts the tangle into trees. In a tree of more than `MAX_REGION` edges nothing joins.

All of it is a function of the set of edges: which hang together, and which of an alias's is the first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from schemas.touchpoints import Alias
from streams.identity import clusters
from streams.identity.clusters import Traits, traits_of
from streams.identity.edges import Edges, Moved, Seen
from streams.identity.plain import Plain, plain

MAX_REGION = 100
"""Edges: twice what holds a full cluster together. All of them are looked at again at every change, and as many people
may change by one edge."""


@dataclass(slots=True)
class Region:
    """Aliases whose clusters follow from these edges alone."""

    names: set[Alias]
    edges: set[Seen]


@dataclass(slots=True, eq=False)
class _Tangled:
    """An alias in a tangle: its edges in the tree, and what its edges say, which may be too many to look at again."""

    traits: Traits = Traits(None)
    first: Seen | None = None
    """The edge to the stronger alias it was seen with first."""
    others: set[Seen] = field(default_factory=set)
    """Those of which it is the stronger one."""
    is_lost: bool = False
    """Whether its tree is too large, too."""

    def edges(self) -> Iterable[Seen]:
        return self.others if self.first is None else (self.first, *self.others)


class Regions:
    """The regions of a graph, kept as its edges come and go. Only what is tangled takes memory."""

    def __init__(self, edges: Edges) -> None:
        self._edges = edges
        self._tangled: dict[Alias, _Tangled] = {}
        self.regrouped: set[Alias] = set()
        """Aliases of which other edges may join than before, until someone takes note."""

    def tangled(self) -> int:
        """How many aliases are in tangles."""
        return len(self._tangled)

    def is_tangled(self, name: Alias) -> bool:
        return name in self._tangled

    def traits(self, name: Alias) -> Traits:
        """What the counting edges of an alias say of it."""
        tangled = self._tangled.get(name)
        return traits_of(name, self._edges.counting(name)) if tangled is None else tangled.traits

    def joining(self, name: Alias) -> Iterable[Seen]:
        """The edges of an alias that join, unless something stands against it."""
        tangled = self._tangled.get(name)
        if tangled is None:
            return self._edges.counting(name)
        return () if tangled.is_lost else tangled.edges()

    def changed(self, moved: Moved) -> Iterator[Region]:
        """The regions whose clusters may differ, now that these edges count, or do not."""
        may_part = any(end in self._tangled for edge in moved.went for end in (edge.a, edge.b))
        done, tangled, left = set[Alias](), set[Alias](), set[Alias]()
        for name in {end for edge in (*moved.came, *moved.went) for end in (edge.a, edge.b)}:
            if name in done:
                continue
            if name in self._tangled and not may_part:
                tangled.add(name)
                continue
            region = self._hanging_together(name, may_part=may_part)
            if region is not None:
                done |= region.names
                left |= self._disentangle(region.names)
                yield region
            else:
                tangled |= self._entangle(name)
                done |= tangled
        yield from self._trees(tangled, left & self._tangled.keys())

    def whole(self) -> Iterator[Region | Plain]:
        """All the regions that there are: what a start begins with, once. Of people at a glance nothing but who they
        are.
        """
        done, edges, most_ends = set[Alias](), self._edges.kept, min(clusters.MAX_ALIASES, MAX_REGION)
        for name in edges:
            if name in done:
                continue
            if (found := plain(name, edges, most_ends)) is not None:
                done.update(found[1])
                yield found
                continue
            region = _everything(name, self._edges.first)
            done |= region.names
            if len(region.edges) <= MAX_REGION:
                yield region
            else:
                self._enter(region.names)
                yield from self._trees(region.names)

    # -- what hangs together

    def _hanging_together(self, name: Alias, *, may_part: bool) -> Region | None:
        """Everything that hangs together with an alias; None when it is a tangle, which it stays unless edges went."""
        known = self._tangled
        return _walk(name, self._edges.counting, (lambda other: False) if may_part else known.__contains__)

    def _entangle(self, start: Alias) -> set[Alias]:
        """Note that `start` is in a tangle, and everything around it that was not till now; returns these, to be
        planted.
        """
        if start in self._tangled:
            return {start}
        names = _reached(start, self._edges.counting, self._tangled.__contains__)
        self._enter(names)
        return names

    def _enter(self, names: Iterable[Alias]) -> None:
        for name in names:
            self._tangled[name] = _Tangled()
            self.regrouped.add(name)

    def _disentangle(self, names: Iterable[Alias]) -> set[Alias]:
        """Note that these are in no tangle; returns what they hung on in their trees."""
        left = set[Alias]()
        for name in names if self._tangled else ():
            tangled = self._tangled.pop(name, None)
            if tangled is not None:
                self.regrouped.add(name)
                left |= self._uproot(tangled)
        return left

    # -- trees

    def _trees(self, touched: set[Alias], left: Iterable[Alias] = ()) -> Iterator[Region]:
        """The trees of these, whose edges may be others now, and of those that something `left`."""
        starts, done = touched.union(left), set[Alias]()
        may_part = any(self._is_lost(name) for name in left)
        for name in touched:
            was_lost, first = self._is_lost(name), self._tangled[name].first
            starts |= self._plant(name)
            may_part |= was_lost and first is not None and self._tangled[name].first is not first
        for name in starts:
            tangled = self._tangled.get(name)
            if name in done or tangled is None:
                continue
            region = None
            if may_part or not tangled.is_lost:
                region = _walk(name, self._tree_edges, (lambda other: False) if may_part else self._is_lost)
            is_lost = region is None
            if region is None:
                names = {name} if tangled.is_lost else _reached(name, self._tree_edges, self._is_lost)
                region = Region(names, set())
            done |= region.names
            self._mark(region.names, is_lost=is_lost)
            yield region

    def _tree_edges(self, name: Alias) -> Iterable[Seen]:
        return self._tangled[name].edges()

    def _is_lost(self, name: Alias) -> bool:
        return self._tangled[name].is_lost

    def _mark(self, names: Iterable[Alias], *, is_lost: bool) -> None:
        for name in names:
            tangled = self._tangled[name]
            if tangled.is_lost != is_lost:
                tangled.is_lost = is_lost
                self.regrouped.add(name)

    def _plant(self, name: Alias) -> set[Alias]:
        """Look again at the edges of a tangled alias; returns those that it hung on in its tree, and hangs on now."""
        tangled = self._tangled[name]
        counting = self._edges.counting(name)
        tangled.traits, first = traits_of(name, counting), _first(name, counting)
        if first is tangled.first:
            return set()
        parted = self._uproot(tangled)
        tangled.first = first
        if first is not None:
            self._tangled[first.a].others.add(first)
            parted.add(first.a)
        self.regrouped |= {name, *parted}
        return parted

    def _uproot(self, tangled: _Tangled) -> set[Alias]:
        first, tangled.first = tangled.first, None
        if first is None or first.a not in self._tangled:
            return set()
        self._tangled[first.a].others.discard(first)
        return {first.a}


def _first(name: Alias, counting: Iterable[Seen]) -> Seen | None:
    """Its edge to the stronger alias it was seen with first, of those that count."""
    return next((edge for edge in counting if edge.b == name and edge.a != name), None)


def _walk(
    start: Alias, edges_of: Callable[[Alias], Iterable[Seen]], ends_at: Callable[[Alias], bool] = lambda name: False
) -> Region | None:
    """What hangs together with `start`; None when that is more than a region holds, as what it `ends_at` is."""
    names, edges, waiting = {start}, set[Seen](), [start]
    while waiting:
        name = waiting.pop()
        for edge in edges_of(name):
            edges.add(edge)
            other = edge.b if edge.a == name else edge.a
            if other not in names:
                if ends_at(other):
                    return None
                names.add(other)
                waiting.append(other)
        if len(edges) > MAX_REGION:
            return None
    return Region(names, edges)


def _everything(start: Alias, edges_of: Callable[[Alias], Iterable[Seen]]) -> Region:
    """What hangs together with `start`, however much that is."""
    names, edges, waiting = {start}, set[Seen](), [start]
    while waiting:
        for edge in edges_of(waiting.pop()):
            if edge.beyond or edge in edges:
                continue
            edges.add(edge)
            for end in (edge.a, edge.b):
                if end not in names:
                    names.add(end)
                    waiting.append(end)
    return Region(names, edges)


def _reached(
    start: Alias, edges_of: Callable[[Alias], Iterable[Seen]], but: Callable[[Alias], bool] = lambda name: False
) -> set[Alias]:
    """Everything that hangs together with `start`, not through those that are left out."""
    names, waiting = {start}, [start]
    while waiting:
        name = waiting.pop()
        for edge in edges_of(name):
            other = edge.b if edge.a == name else edge.a
            if other not in names and not but(other):
                names.add(other)
                waiting.append(other)
    return names
