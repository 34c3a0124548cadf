"""Edges as a start reads them: a million of them are put to their ends as they come, and each is kept once."""

from __future__ import annotations

from operator import attrgetter
from typing import TypeAlias

from schemas.touchpoints import Alias
from streams.identity.edges import Seen

Ends: TypeAlias = "tuple[Alias, Alias, bool]"
"""Of an edge, the stronger one first, and whether one was typed."""
AtEnd: TypeAlias = "Seen | list[Seen]"
_ENDS, _EVIDENCE = attrgetter("a", "b", "typed"), attrgetter("since", "evidence")


class ReadEdges:
    """By alias. Of several with the same ends the one from the earliest evidence is kept; what is told anew stands
    before all of them.
    """

    def __init__(self) -> None:
        self._at: dict[Alias, AtEnd] = {}
        self._anew: dict[Ends, Seen | None] = {}
        self._count = 0

    def take(self, edge: Seen) -> None:
        """One more. The text of an alias that is known already is kept once."""
        is_alone = edge.a == edge.b
        self._count += 1
        edge.a = self._put(edge.a, edge)
        edge.b = edge.a if is_alone else self._put(edge.b, edge)

    def tell_anew(self, ends: Ends, edge: Seen | None) -> None:
        """This one stands in the place of all that are read of these ends; None: nothing does."""
        self._anew[ends] = edge

    def at_ends(self) -> tuple[dict[Alias, AtEnd], int]:
        """The edges of each alias, each once, in no order; and how many there are."""
        self._put_anew()
        for end, found in self._at.items():
            if type(found) is list and _may_repeat(found):
                kept = _each_once(found)
                self._count -= _at_first_ends(end, found) - _at_first_ends(end, kept)
                self._at[end] = kept if len(kept) > 1 else kept[0]
        return self._at, self._count

    def _put(self, name: Alias, edge: Seen) -> Alias:
        known = self._at.setdefault(name, edge)
        if known is edge:
            return name
        if type(known) is list:
            first: Seen = known[0]
            known.append(edge)
        else:
            first = known  # type: ignore[assignment]
            self._at[name] = [first, edge]
        return first.a if first.a == name else first.b

    def _put_anew(self) -> None:
        for end in {end for ends in self._anew for end in ends[:2]} & self._at.keys():
            found = self._at[end]
            before = found if isinstance(found, list) else [found]
            kept = [edge for edge in before if _ENDS(edge) not in self._anew]
            self._count -= _at_first_ends(end, before) - _at_first_ends(end, kept)
            if kept:
                self._at[end] = kept if len(kept) > 1 else kept[0]
            else:
                del self._at[end]
        for edge in self._anew.values():
            if edge is not None:
                self.take(edge)


def _may_repeat(found: list[Seen]) -> bool:
    """Whether two may have the same ends: there are fewer other ends than edges."""
    if len(found) == 2:
        one, other = found
        return one.a is other.a and one.b is other.b
    names = {edge.a for edge in found}
    names.update([edge.b for edge in found])
    return len(names) <= len(found)


def _each_once(found: list[Seen]) -> list[Seen]:
    best = dict[Ends, Seen]()
    for edge in found:
        known = best.setdefault(_ENDS(edge), edge)
        if known is not edge and _EVIDENCE(edge) < _EVIDENCE(known):
            best[_ENDS(edge)] = edge
    return list(best.values())


def _at_first_ends(end: Alias, edges: list[Seen]) -> int:
    """How many have this as their first end: each edge counts at one end."""
    return sum(edge.a == end for edge in edges)
