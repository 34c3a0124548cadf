"""Clusters among some edges: taken in their order, each joins what its ends are in, unless that must stay apart.

An edge does not join when that would put two ids of one unique space into one cluster, grow it past the limit, or
bring two addresses together of which one was only typed into a form.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from schemas.touchpoints import Alias
from streams.identity.aliases import USER, unique_space
from streams.identity.edges import Order, Seen, order_of

MAX_ALIASES = 50


@dataclass(frozen=True, slots=True)
class Traits:
    """What the edges of an alias that count say of it."""

    since: datetime | None
    """When it was first seen; None for what was only ever decided on."""
    unique: tuple[str, ...] = ()
    """Of what a cluster may hold one only: a CRM contact, and a user id of each source that was seen to use it."""
    until: Order | None = None
    """Of a user id that an alias call gives up for another: from this edge on it counts no more, so that what was
    handed on twice is still one person's."""


def traits_of(name: Alias, edges: Iterable[Seen]) -> Traits:
    """From the edges that count."""
    since = min((edge.since for edge in edges), default=None)
    space = unique_space(name)
    if space is None:
        return Traits(since)
    if space != USER:
        return Traits(since, (space,))
    given_up = (edge.order for edge in edges if edge.b == name != edge.a and unique_space(edge.a) == USER)
    sources = {edge.source for edge in edges}
    return Traits(since, tuple(f"{space} {source}" for source in sources), min(given_up, default=None))


@dataclass(slots=True)
class _Cluster:
    names: set[Alias]
    has_address: bool
    unique: dict[str, Order | None]
    """Space → until when its id counts; None: for ever."""


def clustered(
    names: Iterable[Alias], edges: Collection[Seen], traits: Callable[[Alias], Traits]
) -> dict[Alias, set[Alias]]:
    """The cluster of each of `names`, by edges among them that hold all of them together, or by none."""
    names = set(names)
    if nothing_parts(names, edges):
        return dict.fromkeys(names, names)
    clusters = {name: _cluster(name, traits) for name in names}
    for edge in sorted(edges, key=order_of):
        one, other = clusters[edge.a], clusters[edge.b]
        if one is other or _refuses(edge, one, other):
            continue
        if len(one.names) < len(other.names):
            one, other = other, one
        _join(one, other, edge)
        for name in other.names:
            clusters[name] = one
    return {name: cluster.names for name, cluster in clusters.items()}


def nothing_parts(names: Collection[Alias], edges: Collection[Seen]) -> bool:
    """Whether nothing can stand against any of the edges: nearly all people, at a glance."""
    if len(names) > MAX_ALIASES or len(edges) < len(names) - 1:
        return False
    unique = [space for name in names if (space := unique_space(name)) is not None]
    return len(unique) == len(set(unique)) and not any(edge.typed for edge in edges)


def _cluster(name: Alias, traits: Callable[[Alias], Traits]) -> _Cluster:
    unique: dict[str, Order | None] = {}
    if unique_space(name) is not None:
        found = traits(name)
        unique.update((space, found.until) for space in found.unique)
    return _Cluster({name}, name.startswith("email:"), unique)


def _refuses(edge: Seen, one: _Cluster, other: _Cluster) -> bool:
    if len(one.names) + len(other.names) > MAX_ALIASES:
        return True
    if edge.typed and one.has_address and other.has_address:
        return True
    if not one.unique or not other.unique:
        return False
    return any(_counts(one, space, edge) and _counts(other, space, edge) for space in one.unique)


def _counts(cluster: _Cluster, space: str, edge: Seen) -> bool:
    if space not in cluster.unique:
        return False
    until = cluster.unique[space]
    return until is None or edge.order < until


def _join(one: _Cluster, other: _Cluster, edge: Seen) -> None:
    one.names |= other.names
    one.has_address |= other.has_address
    one.unique |= {space: until for space, until in other.unique.items() if not _counts(one, space, edge)}
