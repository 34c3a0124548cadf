"""What a reader's names mean, where a name is both a column and an alias.

ClickHouse itself is asked: it resolves the statement once with columns before aliases and once with aliases before
columns. Where both give the same, the statement is clear and runs as it is; that is nearly every one, and no other
parser sees it. Elsewhere it gets the meaning of standard SQL (`aliases.py`), or fails and says which name to change.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from services.embedded.clickhouse.errors import AMBIGUOUS_IDENTIFIER, ClickHouseError

# A statement, and whether columns come before aliases → ClickHouse's own tree of it. Raises ClickHouseError.
Resolve = Callable[[str, bool], str]

_SELECTS: Final = re.compile(r"[\s(]*+(?:SELECT|WITH)\b")
_FORMAT: Final = re.compile(r" FORMAT \w+\Z")
_NAMED_BY_PARAMETER: Final = re.compile(r"\{\s*\w+\s*:\s*Identifier\s*\}")
# The value of a subquery, or of now(), may be another each time; its expression stands below it and is compared.
_VALUE: Final = re.compile(r"constant_value: .*")
_COLUMN: Final = re.compile(r"column_name: (.*?), result_type: ")
_ALIAS: Final = re.compile(r"\bAS (?:`((?:\\.|[^`\\])*+)`|(\w+))")


class Unclear(Exception):
    """What the names of a statement mean is not certain. `names`: which ones, where that is known."""

    def __init__(self, why: str, names: frozenset[str] = frozenset()) -> None:
        super().__init__(why)
        self._names = names

    def explained(self, columns: set[str], text: str) -> ClickHouseError:
        """As the reader is told, of whose statement these are the text and the columns it reads."""
        aliases = {quoted or plain for quoted, plain in _ALIAS.findall(text)}
        name = min(self._names or columns & aliases, default="a name")[:80]
        return ClickHouseError.made(
            AMBIGUOUS_IDENTIFIER,
            f"reader: {name} is a column and also an alias of something else, and what it means in each place is not "
            f"clear ({self}). Give the alias a name that no column has, such as {name}_2, or send the setting "
            "prefer_column_name_to_alias: 1 takes every such name for the column, 0 for the alias",
        )


def as_meant(canonical: str, resolve: Resolve, is_aggregate: Callable[[str], bool]) -> str:
    """The statement with each name as its writer means it. Raises ClickHouseError 207 where that is not certain.

    `is_aggregate`: whether a function of this name makes one value of many rows.
    """
    if " AS " not in canonical or _SELECTS.match(canonical) is None:
        return canonical
    text = _FORMAT.sub("", canonical)
    by_column, by_alias = _tree(text, True, resolve), _tree(text, False, resolve)
    if by_column == by_alias != "":
        return canonical
    try:
        written = _written(text, resolve, is_aggregate)
    except Unclear as error:
        if not by_column and not by_alias:
            return canonical  # it fails either way, in ClickHouse's own words
        raise error.explained(_columns(by_column or by_alias), text) from None
    return written + canonical[len(text) :]


def _tree(text: str, columns_first: bool, resolve: Resolve) -> str:
    """Empty where it cannot be resolved: what is wrong with it is said when it runs."""
    try:
        return _VALUE.sub("", resolve(text, columns_first))
    except ClickHouseError:
        return ""


def _written(text: str, resolve: Resolve, is_aggregate: Callable[[str], bool]) -> str:
    # 0.15 s and 17 MB, which a process pays with its first statement that needs it
    from services.embedded.clickhouse.parse import Unreadable
    from services.embedded.clickhouse.sql_aliases import written_out

    if _NAMED_BY_PARAMETER.search(text):
        raise Unclear("a parameter of type Identifier gives a name")
    try:
        written = written_out(text, is_aggregate)
    except Unreadable as error:
        raise Unclear(str(error)) from None
    tree = _tree(written.text, True, resolve)
    if unclear := written.elsewhere & _columns(tree):
        raise Unclear("it is defined in WITH or within an expression, or another alias stands for as much", unclear)
    return written.text if tree else text


def _columns(tree: str) -> set[str]:
    return set(_COLUMN.findall(tree))
