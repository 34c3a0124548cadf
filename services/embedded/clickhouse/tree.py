"""ClickHouse's syntax tree of a statement, as EXPLAIN AST tells it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_CHILDREN: Final = re.compile(r" \(children \d+\)$")
_ALIAS: Final = re.compile(r"\(alias (.*)\)$", re.S)


@dataclass(frozen=True, slots=True)
class Node:
    """A line of EXPLAIN AST."""

    depth: int
    kind: str
    name: str
    alias: str = ""


def tree(text: str) -> Iterator[Node]:
    """The nodes of an EXPLAIN AST answer, in order."""
    for line in text.splitlines():
        stripped = line.lstrip(" ")
        kind, _, rest = stripped.partition(" ")
        if kind:
            aliased = _ALIAS.search(_CHILDREN.sub("", rest)) if "(alias " in rest else None
            yield Node(len(line) - len(stripped), kind, rest.partition(" (")[0], aliased[1] if aliased else "")
