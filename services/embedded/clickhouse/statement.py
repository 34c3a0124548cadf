"""A request's text and data as one statement for the engine. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from services.embedded.clickhouse.errors import SYNTAX_ERROR, ClickHouseError
from services.embedded.clickhouse.heads import HEADS

# Possessive: a body of comments alone must not be tried in every way of cutting it.
_SKIP: Final = rb"(?:\s|--[^\n]*\n|/\*(?>.*?\*/))*+"
_SKIP_OPEN: Final = _SKIP.replace(rb"\s", rb"[\s(]")
# Only these words may start a statement that answers with rows; BI tools write who asks into a comment before them.
_ASKS: Final = re.compile(
    _SKIP_OPEN + rb"(SELECT|WITH|SHOW|DESC|DESCRIBE|EXISTS|EXPLAIN|FROM|CHECK|EXECUTE|KILL)\b", re.I | re.S
)
_SELECTS: Final = re.compile(_SKIP_OPEN + rb"(SELECT|WITH|FROM)\b", re.I | re.S)
_KILLS: Final = re.compile(
    _SKIP + rb"KILL\s+QUERY\s+WHERE\s+query_id\s*=\s*'([\w.:-]{1,128})'(?:\s+A?SYNC)?[\s;]*\Z", re.I | re.S
)
_PIECEWISE: Final = HEADS.keys() | frozenset(
    ["Native", "RowBinary", "TabSeparated", "TSV", "TabSeparatedRaw", "CSV", "JSONEachRow", "JSONCompactEachRow"]
)
_DROPS: Final = re.compile(_SKIP + rb"DROP\b", re.I | re.S)
_INSERT: Final = re.compile(_SKIP + rb"INSERT\b", re.I | re.S)
# One token at a time, so that a FORMAT or SELECT inside a string, a quoted name or a comment is not taken for the word.
# What is not closed goes to the end: looking for its end again from every byte behind it would take hours.
_QUOTED: Final = (
    rb"""'(?:\\.|''|[^'\\])*+(?:'|\\?\Z)|`(?:\\.|``|[^`\\])*+(?:`|\\?\Z)|"(?:\\.|""|[^"\\])*+(?:"|\\?\Z)"""
    rb"""|--[^\n]*|/\*(?>.*?(?:\*/|\Z))"""
)
_TOKEN: Final = re.compile(_QUOTED + rb"|\w+|.", re.S)
_FIRST: Final = re.compile(rb"(?:[^;'`\"/-]++|" + _QUOTED + rb"|[/-])*+;", re.S)
_NOTHING: Final = re.compile(rb"(?:[\s;]|--[^\n]*+|/\*(?>.*?(?:\*/|\Z)))*+\Z", re.S)
"""After the statement: blanks, comments, semicolons, to the end."""
_FORMAT: Final = re.compile(rb"\s*(\w+)[ \t\f]*\r?\n?")
_TAIL_FORMAT: Final = re.compile(rb"\bFORMAT\s++(\w++)\s*+(?:SETTINGS\b.*)?;?\s*+\Z", re.I | re.S)
_HEAD_BYTES: Final = 1 << 20
# Who asks is said in a comment before the query, and no longer than this: a search is done in one go, while all wait.
_LEAD_BYTES: Final = 1 << 14


@dataclass(frozen=True, slots=True)
class Insert:
    """`INSERT … FORMAT x` cut in two: what the engine parses, and the rows in that format."""

    head: str
    format: str
    data: memoryview


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement with everything that shapes its run. `params` are the bound values without `param_`."""

    text: bytes
    database: str = ""
    default_format: str = "TabSeparated"
    query_id: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def sql(self) -> str:
        try:
            return self.text.decode()
        except UnicodeDecodeError as error:
            raise ClickHouseError.made(SYNTAX_ERROR, f"The query is not UTF-8: {error.reason}") from None

    @property
    def answers(self) -> bool:
        """Whether rows come back, be it none."""
        return _ASKS.match(self.text, 0, _LEAD_BYTES) is not None

    @property
    def changes(self) -> bool:
        """Whether it writes; a DROP does not, it makes room."""
        return not self.answers and _DROPS.match(self.text) is None

    @property
    def kills(self) -> str | None:
        """The id of the query that it asks to stop, as JDBC's `Statement.cancel` does; None for all else."""
        found = _KILLS.match(self.text) if len(self.text) <= _LEAD_BYTES else None
        return found[1].decode() if found else None

    @property
    def streams(self) -> bool:
        """Whether the answer may be sent in pieces: elsewhere each piece has a head and a foot."""
        return _SELECTS.match(self.text, 0, _LEAD_BYTES) is not None and self.format in _PIECEWISE

    @property
    def is_several(self) -> bool:
        """Whether more follows a semicolon. chdb would run all of it; a ClickHouse server refuses."""
        if b";" not in self.text.rstrip(b"; \r\n\t") or split_insert(self.text) is not None:
            return False
        first = _FIRST.match(self.text)
        return first is not None and _NOTHING.match(self.text, first.end()) is None

    @property
    def format(self) -> str:
        """The format of the answer: the text's own FORMAT, else the request's default."""
        found = _TAIL_FORMAT.search(self.text[-4096:])
        return found[1].decode() if found else self.default_format


def split_insert(text: bytes) -> Insert | None:
    """The insert in `text` when rows in a named format follow; None for every other statement.

    `INSERT … VALUES`, `… SELECT` and `… FROM INFILE` are plain statements: the engine reads them whole.
    """
    start = _INSERT.match(text)
    if start is None:
        return None
    for token in _TOKEN.finditer(text, start.end(), min(len(text), _HEAD_BYTES)):
        word = token[0].upper()
        if word in (b"SELECT", b"VALUES", b"WITH", b"WATCH", b"INFILE"):
            return None
        if word == b"FORMAT" and (name := _FORMAT.match(text, token.end())):
            head = text[: token.start()].decode()
            return (
                None if name[1].upper() == b"VALUES" else Insert(head, name[1].decode(), memoryview(text)[name.end() :])
            )
    return None
