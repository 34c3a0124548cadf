"""What a reader may send: one statement that reads, judged by ClickHouse's own parser.

Three locks, each shown in the tests to be needed: the canonical text of exactly one statement; its syntax tree, which
must be a kind of read from tables and table functions of a list; and the engine, where the session is `readonly=1`
and has the grants of the role `reader` only.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from services.embedded.clickhouse.errors import ACCESS_DENIED, TOO_BIG_AST, ClickHouseError
from services.embedded.clickhouse.statement_cost import IN_FUNCTIONS, MANY, weight
from services.embedded.clickhouse.tree import Node, tree

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
# Refused as words, since a function is also named where no call is written: `* APPLY file`, `arrayMap(file, …)`. In the
# first row what reads files and calls others whatever the grants, then what tells of this machine: its name, ports,
# disks, settings and code.
FORBIDDEN_NAMES: Final = frozenset(
    [
        *("file", "python", "logtrace", "showcertificate", "evalmlmethod", "catboostevaluate"),
        *("aigenerate", "aiclassify", "aiextract", "aitranslate", "aiembed", "aifilter", "airedact", "aisimilarity"),
        *("hostname", "fqdn", "fullhostname", "displayname", "serveruuid", "getserverport", "tcpport"),
        *("filesystemavailable", "filesystemcapacity", "filesystemunreserved", "filesystemfree"),
        *("getmacro", "getserversetting", "getmergetreesetting", "getmaxtablenamelengthfordatabase"),
        *("buildid", "getoskernelversion", "hasthreadfuzzer", "zookeepersessionuptime", "getclienthttpheader"),
        *("addresstoline", "addresstolinewithinlines", "addresstosymbol", "demangle", "mergetreepartinfo"),
        *("naivebayesclassifier", "naivebayesclassifierwithprob", "naivebayesclassifierwithallprobs"),
        # columns of the tables below, and of every MergeTree
        *("data_path", "data_paths", "metadata_path", "_disk_name"),
    ]
)
# One call of these compares each part of a value with each of another, or carries a whole value from step to step, and
# looks at no clock meanwhile: 400 pairs of texts of 30,000 signs were still compared 60 s after a limit of 3 s, and
# nothing but the end of the process stops it.
TIMELESS_NAMES: Final = frozenset(
    [
        *("editdistance", "editdistanceutf8", "levenshteindistance", "levenshteindistanceutf8"),
        *("dameraulevenshteindistance", "jarosimilarity", "jarowinklersimilarity"),
        *("arraylevenshteindistance", "arraylevenshteindistanceweighted", "arraysimilarity", "arrayfold"),
        *("arrayreduceinranges", "seriesdecomposestl"),
        *("multifuzzymatchany", "multifuzzymatchanyindex", "multifuzzymatchallindices"),
        *("polygonsequalscartesian", "polygonswithincartesian", "polygonswithinspherical"),
        *("polygonsintersectcartesian", "polygonsintersectspherical"),
        *("polygonsdistancecartesian", "polygonsdistancespherical"),
        *("polygonsintersectioncartesian", "polygonsintersectionspherical"),
        *("polygonssymdifferencecartesian", "polygonssymdifferencespherical"),
        *("polygonsunioncartesian", "polygonsunionspherical"),
    ]
)
_REFUSED: Final = FORBIDDEN_NAMES | TIMELESS_NAMES
#: Parts of a statement (see `weight`); a chart has some hundred. ClickHouse looks at no clock while it finds out what
#: names mean: as many parts as this take it up to two seconds of CPU, of whatever kind they are.
MAX_PARTS: Final = 10_000
# JDBC's list of tables asks whether a table has paths, not which.
_WHETHER: Final = re.compile(r"\bempty\((?:\w+\.)?data_paths\)")
# They have a column with a path, so their columns must be named.
WITH_PATHS: Final = frozenset(["databases", "tables"])
_MATCHERS: Final = re.compile(r"(Qualified)?(Asterisk|Columns\w*)")
# Strings and quoted names whole, words, and all that is between at once: a text of commas must not take long.
_WORD: Final = re.compile(
    r"""'(?:\\.|''|[^'\\])*+'|`((?:\\.|``|[^`\\])*+)`|"((?:\\.|""|[^"\\])*+)"|([A-Za-z_]\w*+)|[^'`"A-Za-z_]++|.""",
    re.S,
)


def check(sql: str, database: str, ask: Ask) -> str:
    """The canonical text of `sql` when a reader may run it; raises ClickHouseError otherwise.

    `ask` runs one query on a read-only connection of the reader and gives the raw text of the answer.
    """
    canonical = one_statement(sql, ask)
    # Only after the line above: EXPLAIN AST on text with two statements would run the second.
    nodes = list(tree(ask(f"EXPLAIN AST {canonical}")))
    _check_root(nodes)
    _check_weight(nodes, canonical)
    _check_names(canonical)
    _check_sources(nodes, database)
    return canonical


def one_statement(sql: str, ask: Ask) -> str:
    """The canonical text of the one statement in `sql`. Raises ClickHouseError where there are more, or none."""
    literal = "'" + sql.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return ask(f"SELECT formatQuerySingleLine({literal})").removesuffix("\n")


def _check_root(nodes: list[Node]) -> None:
    if not nodes or nodes[0].kind not in ROOTS:
        raise _denied("Only SELECT, SHOW, DESCRIBE and EXISTS are allowed")
    if any(node.kind == "Literal" and node.depth == 1 for node in nodes):
        raise _denied("INTO OUTFILE is not allowed")


def _check_weight(nodes: list[Node], canonical: str) -> None:
    if (parts := weight(nodes, canonical)) > MAX_PARTS:
        counted = f"{parts}" if parts < MANY else "countless"
        raise ClickHouseError.made(
            TOO_BIG_AST,
            f"reader: the statement has {counted} parts, at most {MAX_PARTS} are allowed: name fewer columns, join or "
            "unite less at once, put long lists of values into one IN (…), and read what WITH names once",
        )


def _check_names(canonical: str) -> None:
    previous = ""
    for found in _WORD.finditer(_WHETHER.sub("empty()", canonical)):
        word = (found[1] or found[2] or found[3] or "").lower()
        if word in _REFUSED:
            raise _denied(f"The name {word} is not allowed")
        if word == "outfile" and previous == "into":
            raise _denied("INTO OUTFILE is not allowed")
        previous = word or previous


def _check_words(name: str) -> None:
    if not _REFUSED.isdisjoint(name.lower().split(".")):
        raise _denied(f"The name {name} is not allowed")


def _check_sources(nodes: list[Node], database: str) -> None:
    """One pass: a text may have 50,000 nodes, nested in each other."""
    operands: list[list[int]] = []  # of each IN that is open here: its depth, and how many operands have begun
    parents = [Node(-1, "", ""), *nodes]
    for at, (before, node) in enumerate(zip(parents, nodes, strict=False)):
        while operands and operands[-1][0] >= node.depth:
            operands.pop()
        if node.kind == "TableIdentifier":
            _check_table(node.name, database)
        if node.kind == "Identifier" and not _asks_whether(nodes, at):  # a bound parameter may have named it
            _check_words(node.name)
        if before.kind == "TableExpression" and node.kind == "Function":
            _check_table_function(node.name)
        if operands and operands[-1][0] == node.depth - 2:
            operands[-1][1] += 1
            # `x IN name` reads a table too, though its node is a plain identifier
            if operands[-1][1] == 2 and node.kind == "Identifier":
                _check_table(node.name, database)
        if node.kind == "Function" and node.name.lower() in IN_FUNCTIONS:
            operands.append([node.depth, 0])
    _check_columns(nodes, database)


def _check_columns(nodes: list[Node], database: str) -> None:
    shown = {node.name for node in nodes if node.kind == "TableIdentifier" and _has_paths(node.name, database)}
    if shown and any(_MATCHERS.fullmatch(node.kind) and not _is_counted(nodes, at) for at, node in enumerate(nodes)):
        raise _denied(f"Name the columns that you need of {min(shown)}: others say where the data lies")


def _is_counted(nodes: list[Node], index: int) -> bool:
    """Whether the node is the star of `count(*)`."""
    around = nodes[index - 2] if index >= 2 else Node(0, "", "")
    return (around.kind, around.name.lower(), around.depth + 2) == ("Function", "count", nodes[index].depth)


def _asks_whether(nodes: list[Node], index: int) -> bool:
    """Whether the node is what `_WHETHER` lets through: the one argument of `empty`."""
    around, node = nodes[index - 2] if index >= 2 else Node(0, "", ""), nodes[index]
    is_argument = (around.kind, around.name, around.depth + 2) == ("Function", "empty", node.depth)
    return is_argument and node.name.rpartition(".")[2] == "data_paths"


def _has_paths(name: str, database: str) -> bool:
    owner, _, table = name.rpartition(".")
    return (owner or database) == "system" and table in WITH_PATHS


def _check_table_function(name: str) -> None:
    if name.lower() not in TABLE_FUNCTIONS:
        raise _denied(f"The table function {name} is not allowed")


def _check_table(name: str, database: str) -> None:
    owner, _, table = name.rpartition(".")
    owner = owner or database
    if owner == "system" and table not in SYSTEM_TABLES:
        raise _denied(f"Reading system.{table} is not allowed")


def _denied(what: str) -> ClickHouseError:
    return ClickHouseError.made(ACCESS_DENIED, f"reader: {what}")
