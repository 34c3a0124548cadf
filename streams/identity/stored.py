"""Records of the links topic, read quickly: what a worker begins with may be a million edges.

They were checked when they were written, so edges are made without a model between. Whatever looks unusual is left to
the contract (`LINKS`), which says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError

from schemas.links import LINKS, AnyLink, Carried, Erasure, Link
from streams.identity.edges import Seen, seen_as

_EDGE = "edge"
_LINKS: TypeAdapter[list[AnyLink]] = LINKS


def stored(value: bytes) -> list[Link | Seen | Erasure] | None:
    """The links of a record, edges as the graph keeps them; None when it needs a closer look."""
    try:
        return list(_links(orjson.loads(value)))
    except (orjson.JSONDecodeError, ValidationError, _UnusualError, KeyError, ValueError, TypeError):
        return None


_moment = lru_cache(maxsize=64)(datetime.fromisoformat)
"""Links of one event share it."""


class _UnusualError(Exception):
    """Not as this version writes it."""


def _links(items: Any) -> Iterator[Link | Seen | Erasure]:
    if type(items) is not list:
        raise _UnusualError
    for item in items:
        if item["scoped"] is not True:  # written before ids carried their source: to be read with the configuration
            raise _UnusualError
        if item["kind"] == _EDGE and "generation" not in item:
            yield _edge(item)
        else:
            yield from (link for link in _LINKS.validate_python([item]) if not isinstance(link, Carried))


def _edge(told: dict[str, Any]) -> Seen:
    a, b, evidence, source = told["a"], told["b"], told["evidence"], told["source"]
    typed, since = told.get("typed", False), _moment(told["since"])
    is_usual = type(a) is type(b) is type(evidence) is type(source) is str and type(typed) is bool
    if not is_usual or since.tzinfo is not UTC:
        raise _UnusualError
    return seen_as(a, b, typed, since, evidence, source)
