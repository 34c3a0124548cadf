"""What may stand around a reader's SELECT: EXPLAIN before it, SETTINGS behind it. Pure; on canonical text.

Neither is trusted: what is between them is judged again as a statement of its own, and settings are held to the same
list as those of the request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from services.embedded.clickhouse.errors import ACCESS_DENIED, ClickHouseError
from services.embedded.clickhouse.settings.statement import reader_settings

# Not ESTIMATE: it counts the rows of tables that the reader has no right on.
_EXPLAIN: Final = re.compile(
    r"EXPLAIN (?:(?:PLAN|SYNTAX|AST|PIPELINE|QUERY TREE) )?(?:[a-z_]{1,40} = [01](?:, [a-z_]{1,40} = [01]){0,9} )?"
    r"(?=[(]?(?:SELECT|WITH) )"
)
_VALUE: Final = r"(?:-?[0-9][0-9.]*+|'(?:\\.|[^'\\])*+'|true|false)"
# At the very end of a text that parses, this is in no string and no parenthesis.
_SETTINGS: Final = re.compile(
    rf" SETTINGS ((?:\w+ = {_VALUE}, ){{0,49}}\w+ = {_VALUE})((?: FORMAT \w+)?)\Z",
)
_FORMAT_FIRST: Final = re.compile(rf" (FORMAT \w+) SETTINGS ((?:\w+ = {_VALUE}, ){{0,49}}\w+ = {_VALUE})\Z")
_SETTING: Final = re.compile(rf"(\w+) = ({_VALUE})(?:, |\Z)")
_ESCAPED: Final = re.compile(r"\\(.)", re.S)


@dataclass(frozen=True, slots=True)
class Clauses:
    """A statement in three: `explain` is empty or ends with a blank; `settings` as they were written."""

    explain: str
    select: str
    settings: dict[str, str]


def parted(canonical: str) -> Clauses:
    """The parts of a canonical text. What has neither is all `select`."""
    found = _EXPLAIN.match(canonical)
    explain = found[0] if found else ""
    select = canonical[len(explain) :]
    last = max(select.rfind(" SETTINGS "), 0)
    # from the last SETTINGS on, so that no text is searched from each of its bytes
    start = select.rfind(" FORMAT ", 0, last)
    formatted = _FORMAT_FIRST.match(select, start) if start >= 0 else None
    if formatted:
        return Clauses(explain, f"{select[:start]} {formatted[1]}", _read(formatted[2]))
    ended = _SETTINGS.match(select, last)
    if ended is None:
        return Clauses(explain, select, {})
    return Clauses(explain, select[:last] + ended[2], _read(ended[1]))


def _read(text: str) -> dict[str, str]:
    return {name: _plain(value) for name, value in _SETTING.findall(text)}


def _plain(value: str) -> str:
    if value in ("true", "false"):
        return str(int(value == "true"))
    return _ESCAPED.sub(r"\1", value[1:-1]) if value.startswith("'") else value


def check_settings(settings: Mapping[str, str], limits: Mapping[str, str]) -> None:
    """Raises ClickHouseError for one that would not hold: what is written into a statement is not passed over."""
    held = reader_settings(settings, limits)
    for name, value in settings.items():
        if name not in held:
            raise ClickHouseError.made(
                ACCESS_DENIED, f"reader: The setting {name[:80]} = {value[:40]} is not allowed in a statement"
            )
