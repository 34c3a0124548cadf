"""Records of a partition as a file: one after the other, each with its offset, time, key, value and headers."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from services.cli.backup.copying import Damaged

_HEAD: Final = struct.Struct(">qqiii")
"""Offset, time in ms, bytes of key and value (-1: there is none), number of headers."""
_LENGTH: Final = struct.Struct(">i")
FILLER_KEY, FILLER_VALUE = b"nothing", b"[]"
"""As the reader of links fills a log that lost its tail: an array of no items, which every stage passes over."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record of Kafka's."""

    offset: int
    at_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


def write(file: BinaryIO, record: Record) -> None:
    """Append it."""
    sizes = (len(part) if part is not None else -1 for part in (record.key, record.value))
    file.write(_HEAD.pack(record.offset, record.at_ms, *sizes, len(record.headers)))
    file.write(record.key or b"")
    file.write(record.value or b"")
    for name, value in record.headers:
        for part in (name.encode(), value):
            file.write(_LENGTH.pack(len(part)))
            file.write(part)


def read(file: BinaryIO) -> Iterator[Record]:
    """All of them, in their order. Raises Damaged."""
    while head := file.read(_HEAD.size):
        if len(head) < _HEAD.size:
            raise Damaged(f"{file.name} ends within a record")
        offset, at_ms, key_bytes, value_bytes, headers = _HEAD.unpack(head)
        key, value = _part(file, key_bytes), _part(file, value_bytes)
        named = tuple(((_field(file)).decode(), _field(file)) for _ in range(headers))
        yield Record(offset, at_ms, key, value, named)


def without_holes(records: Iterator[Record], since: int, end: int) -> Iterator[Record]:
    """Offsets `since` up to `end`, each with its record or, where there is none any more, a filler."""
    due, at_ms = since, 0
    for record in records:
        at_ms = record.at_ms
        yield from _fillers(due, min(record.offset, end), at_ms)
        due = max(due, min(record.offset, end))
        if record.offset == due and due < end:
            yield record
            due += 1
    yield from _fillers(due, end, at_ms)


def _fillers(since: int, until: int, at_ms: int) -> Iterator[Record]:
    return (Record(offset, at_ms, FILLER_KEY, FILLER_VALUE) for offset in range(since, until))


def _field(file: BinaryIO) -> bytes:
    (size,) = _LENGTH.unpack(_exactly(file, _LENGTH.size))
    return _exactly(file, size)


def _part(file: BinaryIO, size: int) -> bytes | None:
    return None if size < 0 else _exactly(file, size)


def _exactly(file: BinaryIO, size: int) -> bytes:
    found = file.read(size)
    if len(found) < size:
        raise Damaged(f"{file.name} ends within a record")
    return found
