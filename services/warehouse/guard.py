"""What a reader may send: one statement that reads, judged by ClickHouse's own parser.

Three locks, each shown in the tests to be needed: the canonical text of exactly one statement; its syntax tree, which
must be a kind of read from tables and table functions of a list; and the engine, where the session is `readonly=1`
and has the grants of the role `reader` only.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from services.warehouse.errors import ACCESS_DENIED, ClickHouseError

Ask = Callable[[str], str]

ROOTS: Final = frozenset(
    [
        "SelectWithUnionQuery",
        "SelectIntersectExceptQuery",
        "ShowTables",
        "ShowColumns",
        "ShowIndexes",
        "ShowFunctions",
        "ShowSetting",
        "ShowEngineQuery",
        "ShowCreateTableQuery",
        "ShowCreateViewQuery",
        "ShowCreateDatabaseQuery",
        "DescribeQuery",
        "ExistsTableQuery",
        "ExistsViewQuery",
        "ExistsDatabaseQuery",
    ]
)
# What BI clients ask for, filtered by grants. `processes`, `stack_trace`, `query_log` … would show others' work.
SYSTEM_TABLES: Final = frozenset(
    [
        "tables",
        "columns",
        "databases",
        "settings",
        "functions",
        "data_type_families",
        "formats",
        "one",
        "numbers",
        "numbers_mt",
        "table_engines",
        "table_functions",
        "aggregate_function_combinators",
        "collations",
        "keywords",
        "time_zones",
        "build_options",
        "contributors",
        "licenses",
        "data_skipping_indices",
        "dictionaries",
        "merge_tree_settings",
        "current_roles",
        "enabled_roles",
    ]
)
# JDBC writes VALUES in capitals; ClickHouse has no two functions that differ in case alone
TABLE_FUNCTIONS: Final = frozenset(
    ["numbers", "numbers_mt", "zeros", "zeros_mt", "one", "null", "values", "view", "generateseries", "generate_series"]
)
IN_FUNCTIONS: Final = frozenset(
    f"{scope}{kind}in{rest}"
    for scope in ("", "global")
    for kind in ("", "not", "null", "notnull")
    for rest in ("", "ignoreset")
)
# `file` reads any file whatever the grants, also where no call is written: `* APPLY file`, `arrayMap(file, …)`.
FORBIDDEN_NAMES: Final = re.compile(
    r"file|python|logtrace|showcertificate|evalmlmethod|ai(generate|classify|extract|translate|embed|filter|redact|similarity)",
    re.I,
)
_TOKEN: Final = re.compile(
    r"""'(?:\\.|''|[^'\\])*'|`((?:\\.|``|[^`\\])*)`|"((?:\\.|""|[^"\\])*)"|([A-Za-z_]\w*)|.""", re.S
)


@dataclass(frozen=True, slots=True)
class Node:
    """A line of EXPLAIN AST."""

    depth: int
    kind: str
    name: str


def check(sql: str, database: str, ask: Ask) -> str:
    """The canonical text of `sql` when a reader may run it; raises ClickHouseError otherwise.

    `ask` runs one query on a read-only connection of the reader and gives the raw text of the answer.
    """
    literal = "'" + sql.replace("\\", "\\\\").replace("'", "\\'") + "'"
    canonical = ask(f"SELECT formatQuerySingleLine({literal})").removesuffix("\n")
    # Only after the line above: EXPLAIN AST on text with two statements would run the second.
    nodes = list(tree(ask(f"EXPLAIN AST {canonical}")))
    _check_root(nodes)
    _check_names(canonical)
    _check_sources(nodes, database)
    return canonical


def tree(text: str) -> Iterator[Node]:
    """The nodes of an EXPLAIN AST answer, in order."""
    for line in text.splitlines():
        stripped = line.lstrip(" ")
        kind, _, rest = stripped.partition(" ")
        if kind:
            yield Node(len(line) - len(stripped), kind, rest.partition(" (")[0])


def _check_root(nodes: list[Node]) -> None:
    if not nodes or nodes[0].kind not in ROOTS:
        raise _denied("Only SELECT, SHOW, DESCRIBE and EXISTS are allowed")
    if any(node.kind == "Literal" and node.depth == 1 for node in nodes):
        raise _denied("INTO OUTFILE is not allowed")


def _check_names(canonical: str) -> None:
    tokens = (found for found in _TOKEN.finditer(canonical) if not found[0].isspace())
    words = [found[1] or found[2] or found[3] or "" for found in tokens]
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if FORBIDDEN_NAMES.fullmatch(word):
            raise _denied(f"The name {word} is not allowed")
        if word.upper() == "INTO" and following.upper() == "OUTFILE":
            raise _denied("INTO OUTFILE is not allowed")


def _check_sources(nodes: list[Node], database: str) -> None:
    for index, node in enumerate(nodes):
        if node.kind == "TableIdentifier":
            _check_table(node.name, database)
        if node.kind == "TableExpression":
            _check_table_function(nodes[index + 1 :])
        # `x IN name` reads a table too, though its node is a plain identifier
        if node.kind == "Function" and node.name.lower() in IN_FUNCTIONS:
            _check_in(nodes, index, database)


def _check_table_function(following: list[Node]) -> None:
    if following and following[0].kind == "Function" and following[0].name.lower() not in TABLE_FUNCTIONS:
        raise _denied(f"The table function {following[0].name} is not allowed")


def _check_in(nodes: list[Node], index: int, database: str) -> None:
    depth = nodes[index].depth
    below = itertools.takewhile(lambda node: node.depth > depth, nodes[index + 1 :])
    operands = [node for node in below if node.depth == depth + 2]
    if len(operands) > 1 and operands[1].kind == "Identifier":
        _check_table(operands[1].name, database)


def _check_table(name: str, database: str) -> None:
    owner, _, table = name.rpartition(".")
    owner = owner or database
    if owner == "system" and table not in SYSTEM_TABLES:
        raise _denied(f"Reading system.{table} is not allowed")


def _denied(what: str) -> ClickHouseError:
    return ClickHouseError.made(ACCESS_DENIED, f"reader: {what}")
