"""The exact text of each message inside a JSON body, so that a dead letter holds what was sent, not a re-print."""

from __future__ import annotations

import re
from collections.abc import Iterator
from json import JSONDecoder

_DECODER = JSONDecoder(parse_int=str, strict=False)
_SPACE = re.compile(r"[ \t\n\r]*")


def slices(body: str, batch_key: str) -> tuple[str, list[str]]:
    """(the envelope without its batch, the text of each message); ValueError when the body is not JSON.

    A top-level array holds the messages itself. An object holds them at the dotted path `batch_key`, the last of
    them when a key is repeated, as every JSON reader here does; else the object is the one message.
    """
    start = _skip(body, 0)
    if body[start : start + 1] == "[":
        return "{}", [body[a:b] for a, b in _elements(body, start)]
    if body[start : start + 1] != "{":
        raise ValueError("neither an object nor an array")
    batch, rest = _members(body, start, batch_key.split(".") if batch_key else [])
    if batch is None:
        return "{}", [body[start:].rstrip(" \t\n\r")]
    return "{" + ",".join(rest) + "}", [body[a:b] for a, b in _elements(body, batch)]


def _members(body: str, start: int, path: list[str]) -> tuple[int | None, list[str]]:
    """Where the array at `path` begins, and the text of every other member."""
    batch: int | None = None
    rest: list[str] = []
    at = _skip(body, start + 1)
    while body[at : at + 1] != "}":
        key, after = _DECODER.raw_decode(body, at)
        value_at = _skip(body, _expect(body, _skip(body, after), ":"))
        _, end = _DECODER.raw_decode(body, value_at)
        if path == [key] and body[value_at] == "[":
            batch = value_at
        elif path[1:] and key == path[0] and body[value_at] == "{":
            batch, inner = _members(body, value_at, path[1:])
            rest.append(body[at:value_at] + "{" + ",".join(inner) + "}")
        else:
            rest.append(body[at:end])
        at = _after_comma(body, end, "}")
    return batch, rest


def _elements(body: str, start: int) -> Iterator[tuple[int, int]]:
    at = _skip(body, start + 1)
    while body[at : at + 1] != "]":
        _, end = _DECODER.raw_decode(body, at)
        yield at, end
        at = _after_comma(body, end, "]")


def _after_comma(body: str, at: int, closing: str) -> int:
    at = _skip(body, at)
    return at if body[at : at + 1] == closing else _skip(body, _expect(body, at, ","))


def _expect(body: str, at: int, mark: str) -> int:
    if body[at : at + 1] != mark:
        raise ValueError(f"`{mark}` expected at {at}")
    return at + 1


def _skip(body: str, at: int) -> int:
    found = _SPACE.match(body, at)
    return found.end() if found else at
