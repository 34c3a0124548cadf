"""Formats that begin with names: chdb repeats them before every piece it gives, and only the first may go out. Pure."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final


def _lines(count: int, piece: bytes) -> int:
    """Bytes of the first lines. Only CSV lets a name break its line, between quotes."""
    end = 0
    for _ in range(count):
        start = end
        end = piece.index(b"\n", end) + 1
        while piece.count(b'"', start, end) % 2:
            end = piece.index(b"\n", end) + 1
    return end


def _plain_lines(count: int, piece: bytes) -> int:
    end = 0
    for _ in range(count):
        end = piece.index(b"\n", end) + 1
    return end


def _strings(per_column: int, piece: bytes) -> int:
    """Bytes of the number of columns and so many strings for each, as RowBinary writes them."""
    columns, at = _number(piece, 0)
    for _ in range(columns * per_column):
        size, at = _number(piece, at)
        at += size
    return at


def _number(piece: bytes, at: int) -> tuple[int, int]:
    """An unsigned LEB128 number and where it ends."""
    value = shift = 0
    while True:
        value |= (piece[at] & 0x7F) << shift
        at, shift, more = at + 1, shift + 7, piece[at] & 0x80
        if not more:
            return value, at


HEADS: Final[dict[str, Callable[[bytes], int]]] = {
    "CSVWithNames": partial(_lines, 1),
    "CSVWithNamesAndTypes": partial(_lines, 2),
    "JSONCompactEachRowWithNames": partial(_plain_lines, 1),
    "JSONCompactEachRowWithNamesAndTypes": partial(_plain_lines, 2),
    "RowBinaryWithNames": partial(_strings, 1),
    "RowBinaryWithNamesAndTypes": partial(_strings, 2),
    "TabSeparatedWithNames": partial(_plain_lines, 1),
    "TabSeparatedWithNamesAndTypes": partial(_plain_lines, 2),
    "TSVWithNames": partial(_plain_lines, 1),
    "TSVWithNamesAndTypes": partial(_plain_lines, 2),
}
"""Format → bytes of the head of a piece in it."""
