"""JSON as senders really write it. What the standard allows is read by orjson; this is for what it refuses.

| sent | by | read as |
|---|---|---|
| `NaN`, `Infinity`, `-Infinity` | Python's json, unless told otherwise | null: no value is known |
| half a surrogate pair, `"\\ud83d"` | a text that was cut in the middle of an emoji | U+FFFD, in values and in names |
| a byte-order mark before it | .NET, and editors on Windows | nothing |
| a line's end or a tab as such inside a text | templates of helpdesks and tag managers | as what it is |
| values nested deeper than 64 | objects that hold themselves, written out | null, only where no reader goes so deep |

What JSON allows but no double can hold (`1e400`) stays an error: it is a number, and not this one.
"""

from __future__ import annotations

import json
import re
from math import isfinite
from typing import Any

BOM = "\ufeff"
MAX_DEPTH = 64
_MARKS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|$)|[\[{\]}]', re.S)
"""Texts, and what opens and closes values; a text that does not end takes all that follows."""
_HALF = re.compile("[\ud800-\udfff]")
_INT64 = range(-(2**63), 2**64)


def decoded(text: str) -> Any:
    """The value of a JSON text. Raises ValueError."""
    text = without_bom(text)
    try:
        return _repaired(_DECODER.decode(text))
    except RecursionError:
        return _repaired(_DECODER.decode(shallow(text)))


def outline(text: str) -> Any:
    """The same for who asks only what kind of value it is: a number that no double can hold passes. ValueError."""
    text = without_bom(text)
    try:
        return _OUTLINE.decode(text)
    except RecursionError:
        return _OUTLINE.decode(shallow(text))


def shallow(text: str) -> str:
    """A JSON text with null for whatever is nested deeper than 64; in one pass, and without recursion."""
    kept: list[str] = []
    depth = start = 0
    for mark in _MARKS.finditer(text):
        if mark[0] in "[{":
            depth += 1
            if depth == MAX_DEPTH + 1:
                kept.append(text[start : mark.start()] + "null")
        elif mark[0] in "]}":
            depth -= 1
            start = mark.end() if depth == MAX_DEPTH else start
    return "".join(kept) + text[start:]


def without_bom(text: str) -> str:
    """The text behind its byte-order mark, if it has one."""
    return text.removeprefix(BOM)


def _repaired(value: Any) -> Any:
    """The value without halves of surrogate pairs, which no UTF-8 can hold; whole pairs have been joined before."""
    if isinstance(value, str):
        return _HALF.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_repaired(name): _repaired(one) for name, one in value.items()}
    return [_repaired(one) for one in value] if isinstance(value, list) else value


def _unknown(name: str) -> None:
    """A constant that is no number."""


def _double(text: str) -> float:
    found = float(text)
    if not isfinite(found):
        raise ValueError(f"number is infinity when parsed as double: {text[:40]}")
    return found


def _whole(text: str) -> int | float:
    """As orjson has it: beyond 64 bits a double."""
    return int(text) if len(text) <= 20 and int(text) in _INT64 else _double(text)


_DECODER = json.JSONDecoder(parse_constant=_unknown, parse_float=_double, parse_int=_whole, strict=False)
_OUTLINE = json.JSONDecoder(parse_int=lambda text: int(text) if len(text) <= 20 else float(text), strict=False)
