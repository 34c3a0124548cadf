"""People at a glance: those against whose edges nothing can stand, which are nearly all.

A start derives a million edges, and looks closely only at what is not plain.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from schemas.touchpoints import Alias
from streams.identity.aliases import CONTACT, RANK, USER
from streams.identity.edges import KeptEdges, Seen

Plain = tuple[Alias, tuple[Alias, ...]]
"""What names a person, and all they are known by, in order."""

_NONE, _USER = 0, -RANK[USER]
"""Kinds up to user ids name people."""
_ONE_ONLY = frozenset({_USER, -RANK[CONTACT]})
"""Whoever has several is not plain."""


def plain(start: Alias, edges: Mapping[Alias, KeptEdges], most_ends: int) -> Plain | None:
    """Who hangs together with `start`; None where that needs a closer look, or edges have more ends than this."""
    found: dict[Alias, tuple[Seen, ...]] = {start: ()}
    waiting, ends = [start], 0
    for name in waiting:  # it grows on the way
        known = edges[name]
        if type(known) is Seen:
            known = (known,)
        elif type(known) is not tuple:
            return None
        found[name] = known
        ends += len(known)
        if ends > most_ends:
            return None
        for edge in known:
            if edge.typed:
                return None
            other = edge.a if edge.b == name else edge.b
            if other not in found:
                found[other] = ()
                waiting.append(other)
    return (start, (start,)) if len(waiting) == 1 else _named(found)


def _named(edges: Mapping[Alias, tuple[Seen, ...]]) -> Plain | None:
    in_order, before = [], _NONE
    for name in edges:
        in_order.append((-RANK.get(name.partition(":")[0], 0), name))
    in_order.sort()
    first = since = None
    for rank, name in in_order:
        if rank <= _USER:
            if rank == before and rank in _ONE_ONLY:
                return None
            before, seen = rank, _since(edges[name])
            if since is None or seen < since:  # of two at once the stronger one
                first, since = name, seen
    if first is None:
        first = min((_since(edges[name]), rank, name) for rank, name in in_order)[2]
    return first, tuple([name for _, name in in_order])


def _since(edges: tuple[Seen, ...]) -> datetime:
    return edges[0].since if len(edges) == 1 else min([edge.since for edge in edges])
