"""The edges of each alias, kept for ever; the first `MAX_EDGES` in their order count.

An edge counts when it is among the first of both its ends. An id of a browser or a device that has more is on its way
to be nobody's: each edge more takes `FADES` from those that count, until none does. A screen in a hall, or a word that
a page writes where an id should be (`web` from thousands of browsers), would give strangers' visits to whoever was
known there first. Which edges count is a function of the set of edges. What one changes by coming or going is a few
others at each end, never all those of a shared id at once.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from sys import intern
from typing import TypeAlias, TypeVar

from msgspec import Struct
from sortedcontainers import SortedList

from schemas.links import Edge
from schemas.touchpoints import Alias
from streams.identity.aliases import strength

MAX_EDGES = 100
"""Of one alias; a cluster cannot hold more anyway, and without a bound a shared device would cost every event."""

FADES = 10
"""Edges that count no more for each one too many at a browser or device: with ten too many, none counts."""

_SHAREABLE = ("anonymous:", "device:")
_T = TypeVar("_T", str, datetime)
Order: TypeAlias = "tuple[int, datetime, Alias, Alias, bool]"
Pair = tuple[Alias, Alias]


class Seen(Struct, eq=False, gc=False):
    """An edge as it is kept: a tenth of the memory of a record, made in a third of the time of a dataclass.

    It refers to nothing that refers to it, so the garbage collector need not look at a million of them.
    """

    a: Alias
    b: Alias
    typed: bool
    since: datetime
    evidence: str
    source: str
    strength: int
    """Of its weaker end."""
    beyond: int = 0
    """At how many of its ends it is not among the first; it counts when at none."""

    @property
    def order(self) -> Order:
        """Strong ones first, then by time."""
        return (-self.strength, self.since, self.a, self.b, self.typed)

    @property
    def pair(self) -> Pair:
        return pair_of(self.a, self.b)

    def __lt__(self, other: Seen) -> bool:
        return self.order < other.order

    def other(self, name: Alias) -> Alias:
        """The end that is not `name`."""
        return self.b if self.a == name else self.a

    def link(self) -> Edge:
        return Edge(a=self.a, b=self.b, typed=self.typed, since=self.since, evidence=self.evidence, source=self.source)


def seen(edge: Edge, same: Callable[[Alias], Alias] = lambda name: name) -> Seen:
    """As it is kept; `same` gives the text of an alias that is there already."""
    return seen_as(same(edge.a), same(edge.b), edge.typed, once(edge.since), edge.evidence, edge.source)


def seen_as(a: Alias, b: Alias, typed: bool, since: datetime, evidence: str, source: str) -> Seen:
    """The same from what an edge says; its ends in any order."""
    of_a, of_b = strength(a), strength(b)
    if of_a < of_b:
        a, b, of_b = b, a, of_a
    return Seen(a, b, typed, since, once(evidence), intern(source), of_b)


@lru_cache(maxsize=64)
def once(told: _T) -> _T:
    """The very object that was told a moment ago, if it is equal: links of one event share when and by what."""
    return told


def ends_of(a: Alias, b: Alias) -> Pair:
    """The ends of an edge, the stronger first; version 0.1 told some the other way round."""
    return (b, a) if strength(a) < strength(b) else (a, b)


_ENDS, _SINCE, _STRENGTH = attrgetter("a", "b", "typed"), attrgetter("since"), attrgetter("strength")


def order_of(edge: Seen) -> Order:
    """What edges are sorted by."""
    return edge.order


def pair_of(a: Alias, b: Alias) -> Pair:
    """Both, in one order."""
    return (a, b) if a <= b else (b, a)


@dataclass(slots=True)
class Moved:
    """Edges that count from now on, and edges that counted until now."""

    came: list[Seen] = field(default_factory=list)
    went: list[Seen] = field(default_factory=list)

    def comes(self, edge: Seen) -> None:
        """It counts; one that went a moment ago is where it was."""
        self.went.remove(edge) if edge in self.went else self.came.append(edge)

    def goes(self, edge: Seen) -> None:
        """It counts no more."""
        self.came.remove(edge) if edge in self.came else self.went.append(edge)


def counted_of(name: Alias, degree: int) -> int:
    """How many of an alias's edges count at most, if it has `degree` of them: the first ones."""
    too_many = degree - MAX_EDGES
    if too_many <= 0 or not name.startswith(_SHAREABLE):
        return MAX_EDGES
    return max(0, MAX_EDGES - too_many * FADES)


class _Shared:
    """The edges of an alias that has more than count, or had."""

    __slots__ = ("_by_ends", "_rest", "first", "name")

    def __init__(self, name: Alias, edges: Sequence[Seen]) -> None:
        """Edges in their order, of which nobody has said yet whether they count at this end."""
        self.name = name
        self._by_ends = {(edge.a, edge.b, edge.typed): edge for edge in edges}
        self.first = list(edges[: self._most])
        for edge in edges[self._most :]:
            edge.beyond += 1
        self._rest: SortedList[Seen] = SortedList(edges[self._most :])

    def __len__(self) -> int:
        return len(self._by_ends)

    def all(self) -> list[Seen]:
        return list(self._by_ends.values())

    def find(self, a: Alias, b: Alias, typed: bool) -> Seen | None:
        return self._by_ends.get((a, b, typed))

    def add(self, edge: Seen, moved: Moved) -> None:
        self._by_ends[edge.a, edge.b, edge.typed] = edge
        most = self._most
        self._cut_to(most, moved)
        if len(self.first) < most or (self.first and edge < self.first[-1]):
            self.first.insert(bisect_left(self.first, edge), edge)
            self._cut_to(most, moved)
            return
        edge.beyond += 1
        self._rest.add(edge)

    def remove(self, edge: Seen, moved: Moved) -> None:
        del self._by_ends[edge.a, edge.b, edge.typed]
        place = bisect_left(self.first, edge)
        if place < len(self.first):
            del self.first[place]
        else:
            self._rest.remove(edge)
        while self._rest and len(self.first) < self._most:
            promoted = self._rest.pop(0)
            self.first.append(promoted)
            promoted.beyond -= 1
            if not promoted.beyond:
                moved.comes(promoted)

    def any(self) -> Seen:
        """One of its edges."""
        return next(iter(self._by_ends.values()))

    @property
    def is_everybodys(self) -> bool:
        """Whether none of its edges counts."""
        return not self._most

    @property
    def _most(self) -> int:
        return counted_of(self.name, len(self))

    def _cut_to(self, most: int, moved: Moved) -> None:
        """Only so many count at this end from now on."""
        while len(self.first) > most:
            edge = self.first.pop()
            if not edge.beyond:
                moved.goes(edge)
            edge.beyond += 1
            self._rest.add(edge)


KeptEdges: TypeAlias = "Seen | tuple[Seen, ...] | _Shared"
"""Of one alias: most have one, few several, in their order."""


class Edges:
    """Edges by alias."""

    def __init__(self) -> None:
        self._of: dict[Alias, KeptEdges] = {}
        self.everybodys = set[Alias]()
        """Ids of browsers and devices that more use than one may have edges."""

    def __contains__(self, name: Alias) -> bool:
        return name in self._of

    def __iter__(self) -> Iterator[Alias]:
        return iter(self._of)

    @property
    def kept(self) -> Mapping[Alias, KeptEdges]:
        """As they are kept, for those who look at all of them."""
        return self._of

    def degree(self, name: Alias) -> int:
        """How many an alias has, counting or not."""
        known = self._of.get(name, ())
        return 1 if isinstance(known, Seen) else len(known)

    def counting(self, name: Alias) -> list[Seen]:
        """Those that count, in their order."""
        return [edge for edge in self.first(name) if not edge.beyond]

    def first(self, name: Alias) -> tuple[Seen, ...] | list[Seen]:
        """The first MAX_EDGES of an alias, in their order; they may be beyond those of their other end."""
        known = self._of.get(name, ())
        if isinstance(known, tuple):
            return known
        return (known,) if isinstance(known, Seen) else known.first

    def all(self, name: Alias) -> list[Seen]:
        """Every edge of an alias, counting or not."""
        known = self._of.get(name, ())
        if isinstance(known, _Shared):
            return known.all()
        return [known] if isinstance(known, Seen) else list(known)

    def between(self, a: Alias, b: Alias) -> list[Seen]:
        """Every edge of these two, typed or not."""
        found = (self.find(*ends, typed) for ends in {(a, b), (b, a)} for typed in (False, True))
        return [edge for edge in found if edge is not None]

    def find(self, a: Alias, b: Alias, typed: bool) -> Seen | None:
        """The edge of these ends."""
        place, other = self._of.get(a), self._of.get(b)
        if place is None or other is None:
            return None
        if isinstance(place, _Shared) and isinstance(other, _Shared):
            return place.find(a, b, typed)
        few = other if isinstance(place, _Shared) else place
        return self.find_in((few,) if isinstance(few, Seen) else few, a, b, typed)  # type: ignore[arg-type]

    @staticmethod
    def find_in(edges: Iterable[Seen], a: Alias, b: Alias, typed: bool) -> Seen | None:
        """The one of these ends among some."""
        for edge in edges:
            if edge.a == a and edge.b == b and edge.typed == typed:
                return edge
        return None

    def same(self, name: Alias) -> Alias:
        """The very text that is known already, so that it is kept once."""
        known = self._of.get(name)
        if known is None:
            return name
        edge = known if isinstance(known, Seen) else known[0] if isinstance(known, tuple) else known.any()
        return edge.a if edge.a == name else edge.b

    def fill(self, at_ends: dict[Alias, Seen | list[Seen]]) -> None:
        """Take in all at once, by their ends, where there are none yet. Each is there once; the dict is kept."""
        kept: dict[Alias, KeptEdges] = at_ends  # type: ignore[assignment]
        for end, found in at_ends.items():
            if type(found) is list:
                several = kept[end] = _sorted(end, found)
                if isinstance(several, _Shared):
                    self._note(several)
        self._of = kept

    def add(self, edge: Seen, moved: Moved) -> None:
        """Take it in; notes which edges count from now on, and which no more."""
        edge.beyond = 0
        for end in {edge.a, edge.b}:
            known = self._of.get(end, ())
            if isinstance(known, Seen):
                known = (known,)
            if isinstance(known, tuple) and len(known) >= MAX_EDGES:
                known = self._of[end] = _Shared(end, known)
            if isinstance(known, _Shared):
                known.add(edge, moved)
                self._note(known)
            else:
                self._of[end] = _inserted(known, edge) if known else edge
        if not edge.beyond:
            moved.comes(edge)

    def remove(self, edge: Seen, moved: Moved) -> None:
        """Take it away."""
        if not edge.beyond:
            moved.goes(edge)
        for end in {edge.a, edge.b}:
            known = self._of[end]
            if isinstance(known, _Shared):
                known.remove(edge, moved)
                self._note(known)
                if not len(known):
                    del self._of[end]
                continue
            rest = tuple(kept for kept in self.first(end) if kept is not edge)
            if rest:
                self._of[end] = rest[0] if len(rest) == 1 else rest
            else:
                del self._of[end]

    def _note(self, known: _Shared) -> None:
        (self.everybodys.add if known.is_everybodys else self.everybodys.discard)(known.name)


def _sorted(end: Alias, found: list[Seen]) -> tuple[Seen, ...] | _Shared:
    """In their order: by each part of it, the last first, which costs half of what the whole does."""
    if len(found) == 2:
        one, other = found
        return (one, other) if _is_before(one, other) else (other, one)
    found.sort(key=_ENDS)
    found.sort(key=_SINCE)
    found.sort(key=_STRENGTH, reverse=True)
    return tuple(found) if len(found) <= MAX_EDGES else _Shared(end, found)


def _is_before(one: Seen, other: Seen) -> bool:
    """The same as `one < other`, in a third of the time."""
    if one.strength != other.strength:
        return one.strength > other.strength
    return one.since < other.since if one.since != other.since else one < other


def _inserted(known: tuple[Seen, ...], edge: Seen) -> tuple[Seen, ...]:
    if known[-1] < edge:
        return (*known, edge)
    place = bisect_left(known, edge)
    return (*known[:place], edge, *known[place:])
