"""A record's bytes as items. What cannot be read is cut out with its exact bytes; its neighbours go on. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import ValidationError

from schemas.base import Lists

WHOLE_RECORD = -1
"""The index of a refusal that is about the record itself: it is no JSON array."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Refused:
    """What can never be read or stored: `original` is the item's own bytes."""

    index: int
    reason: str
    message: str
    original: bytes


@dataclass(frozen=True, slots=True)
class Decoded(Generic[T]):
    """The items of a record by their position in it, and what was refused."""

    items: list[tuple[int, T]]
    refused: list[Refused]


def decode(value: bytes, model: Lists[T]) -> Decoded[T]:
    """The items of `value`, a JSON array. Never raises for bad input."""
    try:
        return Decoded(list(enumerate(model.validate_json(value))), [])
    except ValueError:
        return _one_by_one(value, model)


def item_bytes(value: bytes, index: int) -> bytes:
    """The exact bytes of one item of a record that `decode` could read."""
    return _slices(value)[index]


def items_bytes(value: bytes) -> list[bytes]:
    """The exact bytes of each item of such a record."""
    return _slices(value)


def _one_by_one(value: bytes, model: Lists[T]) -> Decoded[T]:
    try:
        slices = _slices(value)
    except (ValueError, RecursionError) as error:
        return Decoded([], [Refused(WHOLE_RECORD, "malformed", f"no JSON array: {error or 'nested too deep'}", value)])
    decoded: Decoded[T] = Decoded([], [])
    for index, original in enumerate(slices):
        try:
            decoded.items.append((index, model.validate_json(b"[" + original + b"]")[0]))
        except ValueError as error:
            decoded.refused.append(Refused(index, "undecodable", _said(error), original))
    return decoded


def _slices(value: bytes) -> list[bytes]:
    """The bytes of each element of a JSON array. Raises ValueError where it is none."""
    text = value.decode()
    decoder = json.JSONDecoder()
    at = _skip(text, 0)
    if text[at : at + 1] != "[":
        raise ValueError("it does not start with [")
    at = _skip(text, at + 1)
    found: list[bytes] = []
    while text[at : at + 1] != "]" or found:
        _, end = decoder.raw_decode(text, at)
        found.append(text[at:end].encode())
        at = _skip(text, end)
        if text[at : at + 1] != ",":
            break
        at = _skip(text, at + 1)
    if text[at:].strip() != "]":
        raise ValueError(f"it breaks off or goes on at character {at}")
    return found


def _skip(text: str, at: int) -> int:
    while text[at : at + 1] in (" ", "\t", "\r", "\n") and at < len(text):
        at += 1
    return at


def _said(error: ValueError) -> str:
    """Which field, then what is wrong with it."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(str(part) for part in first['loc'][1:])}: {first['msg']}"[:300]
    what, _, where = str(error).partition(" - at `$[0]")
    return f"{where.strip('`.')}: {what}"[:300]
