"""Records of the links topic, read quickly: what a worker begins with may be a million edges.

They were checked when they were written, so edges are made without a model between. Whatever looks unusual is left to
the contract (`LINKS`), which says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import orjson
from msgspec import MsgspecError, Struct
from msgspec.json import Decoder
from pydantic import TypeAdapter, ValidationError

from schemas.links import LINKS, AnyLink, Carried, Erasure, Link
from streams.identity.edges import Seen, seen_as

_EDGE: Final = "edge"
_LINKS: TypeAdapter[list[AnyLink]] = LINKS


class _Edge(Struct, tag_field="kind", tag=_EDGE, gc=False):
    """What is kept of an edge, and what tells an unusual one."""

    a: str
    b: str
    evidence: str
    source: str
    since: datetime
    scoped: bool
    typed: bool = False
    generation: int | None = None


class _UnusualError(Exception):
    """Not as this version writes it."""


_edges = Decoder(list[_Edge]).decode


def stored(value: bytes) -> list[Link | Seen | Erasure] | None:
    """The links of a record, edges as the graph keeps them; None when it needs a closer look."""
    try:
        return list(map(_seen, _edges(value)))
    except (MsgspecError, _UnusualError, ValueError, RecursionError):  # there are others among them
        return _mixed(value)


def _seen(edge: _Edge) -> Seen:
    if edge.generation is not None or not edge.scoped or edge.since.tzinfo is not UTC:
        raise _UnusualError
    return seen_as(edge.a, edge.b, edge.typed, edge.since, edge.evidence, edge.source)


def _mixed(value: bytes) -> list[Link | Seen | Erasure] | None:
    try:
        return list(_links(orjson.loads(value)))
    except (orjson.JSONDecodeError, ValidationError, _UnusualError, KeyError, ValueError, TypeError):
        return None


def _links(items: Any) -> Iterator[Link | Seen | Erasure]:
    if type(items) is not list:
        raise _UnusualError
    for item in items:
        if item["scoped"] is not True:  # written before ids carried their source: to be read with the configuration
            raise _UnusualError
        if item["kind"] == _EDGE and "generation" not in item:
            yield _seen(msgspec.convert(item, _Edge))
        else:
            yield from (link for link in _LINKS.validate_python([item]) if not isinstance(link, Carried))
