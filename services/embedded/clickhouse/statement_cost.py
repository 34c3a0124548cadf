"""How long ClickHouse takes to find out what the names of a statement mean, before it looks at any clock.

The unit is a part, a node of the syntax tree: 0.02 to 0.1 ms of CPU. What takes longer counts as several, and what a
`WITH` names counts again wherever it is read, because ClickHouse resolves it anew there: in `c1 AS (SELECT x FROM c0
UNION ALL SELECT x FROM c0), c2 AS (… c1 … c1)` each line doubles the work, and a tree of 250 nodes took 9 s of CPU.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from services.embedded.clickhouse.tree import Node

MANY: Final = 1 << 40
"""Beyond any bound: doublings are not counted further."""
QUERY, LAMBDA = "query ", "lambda "
IN_FUNCTIONS: Final = frozenset(
    f"{scope}{kind}in{rest}"
    for scope in ("", "global")
    for kind in ("", "not", "null", "notnull")
    for rest in ("", "ignoreset")
)
DEEPEST: Final = 150
"""Names that read one another in a row; ClickHouse takes a hundred queries within each other."""
PARTS: Final[Mapping[str, int]] = {
    "SelectQuery": 4,
    "TableJoin": 40,
    "TableIdentifier": 20,
    "WindowDefinition": 25,
    "Function or": 10,
    "Function and": 10,
}
"""What counts as more than one: a query of its own, a join, a view; and a window or an OR among ANDs, since each is
compared with each.
"""
STARS: Final = frozenset(
    ["Asterisk", "QualifiedAsterisk", "ColumnsRegexpMatcher", "QualifiedColumnsRegexpMatcher"]
    + ["ColumnsListMatcher", "QualifiedColumnsListMatcher"]
)
COLUMNS: Final = 40
"""Parts of a star: all columns of a view."""
# In a text that ClickHouse has formatted. Strings and other quoted names are passed over whole.
_NAMED: Final = re.compile(
    r"""'(?:\\.|''|[^'\\])*+'|(`(?:\\.|``|[^`\\])*+`|"(?:\\.|""|[^"\\])*+"|[A-Za-z_]\w*+)"""
    r"""((?:\((?:[^()'`"]|`(?:\\.|``|[^`\\])*+`|"(?:\\.|""|[^"\\])*+")*+\))? AS (?:MATERIALIZED )?\()?""",
    re.S,
)


def weight(nodes: Sequence[Node], canonical: str) -> int:
    """Parts of a statement: ClickHouse has made the tree `nodes` and the text `canonical` of it."""
    names = list(_named(canonical))
    if len(names) != sum(node.kind == "WithElement" for node in nodes):
        return MANY  # not as we know it to be formatted, so nobody can say what reads what
    total, waiting = _Sum(), iter(names)
    whole = _Named("", -1)
    begun = [whole]
    columns = _columns(nodes)
    for node, reads in zip(nodes, _reads(nodes), strict=True):
        while begun[-1].depth >= node.depth:
            begun.pop()
        if node.kind == "WithElement":
            begun.append(total.add(_Named(QUERY + next(waiting), node.depth)))
        elif node.kind == "Function" and node.name == "lambda" and node.alias:
            begun.append(total.add(_Named(LAMBDA + node.alias, node.depth)))
        parts = columns if node.kind in STARS else PARTS.get(node.kind, PARTS.get(f"{node.kind} {node.name}", 1))
        for around in begun:
            around.parts += parts
            around.reads.update(reads)
    return total.parts_of(whole)


@dataclass(slots=True, eq=False)
class _Named:
    """What a WITH names, a query or a lambda: its own parts, and how often it reads which name."""

    name: str
    depth: int
    parts: int = 0
    reads: Counter[str] = field(default_factory=Counter)
    in_all: int = -1


class _Sum:
    """All of them by name. One name may be given in several places: the heaviest counts."""

    def __init__(self) -> None:
        self._named: dict[str, list[_Named]] = {}
        self._under_way: list[_Named] = []

    def add(self, one: _Named) -> _Named:
        self._named.setdefault(one.name, []).append(one)
        return one

    def parts_of(self, one: _Named) -> int:
        """With all that it reads. What reads itself round a corner, or through very many, is beyond any bound."""
        if one.in_all >= 0:
            return one.in_all
        if one in self._under_way or len(self._under_way) > DEEPEST:
            return MANY
        self._under_way.append(one)
        total = one.parts
        for name, times in one.reads.items():
            total += times * max(
                (self.parts_of(read) for read in self._named.get(name, ()) if read is not one), default=0
            )
        self._under_way.pop()
        one.in_all = min(total, MANY)
        return one.in_all


def _columns(nodes: Sequence[Node]) -> int:
    """What a star counts, at most: `SELECT *, *` has all columns twice, and what reads that as much twice again."""
    above: list[Node] = []
    stars: dict[int, Counter[str]] = {}
    for index, node in enumerate(nodes):
        del above[node.depth :]
        if node.kind in STARS and not (len(above) > 1 and above[-2].name.lower() == "count"):
            following = nodes[index + 1] if index + 1 < len(nodes) else node
            of = following.name if node.kind.startswith("Qualified") and following.depth > node.depth else ""
            query = next((id(one) for one in reversed(above) if one.kind == "SelectQuery"), 0)
            stars.setdefault(query, Counter())[of] += 1
        above.append(node)
    columns = COLUMNS
    for counted in stars.values():
        of_all = counted.pop("", 0)
        columns = min(columns * max(1, of_all + max(counted.values(), default=0)), MANY)
    return columns


def _named(canonical: str) -> Iterator[str]:
    """The names that WITH gives to queries, in their order."""
    for found in _NAMED.finditer(canonical):
        if found[2]:
            name = found[1]
            plain = name[1:-1] if name[0] in '`"' else name
            yield plain.partition(" (")[0]  # as EXPLAIN AST is read


def _reads(nodes: Sequence[Node]) -> Iterator[tuple[str, ...]]:
    """What a node may read of what is named: a table or the right side of IN a query, a function or one of its
    arguments a lambda.
    """
    above: list[Node] = []
    for node in nodes:
        del above[node.depth :]
        around = above[-2] if len(above) > 1 and above[-2].kind == "Function" else None
        if node.kind == "TableIdentifier":
            yield (QUERY + node.name,)
        elif node.kind == "Function":
            yield (LAMBDA + node.name,)
        elif node.kind == "Identifier" and around is not None:
            reads_table = around.name.lower() in IN_FUNCTIONS
            yield (LAMBDA + node.name, QUERY + node.name) if reads_table else (LAMBDA + node.name,)
        else:
            yield ()
        above.append(node)
