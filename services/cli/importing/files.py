"""Reading files of any size row by row: encoding, delimiter and line numbers, without trusting any of them."""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from services.cli.console import UsageError
from services.cli.importing.findings import BadRow
from streams.connectors.lenient import decoded

DELIMITERS = ",;\t|"
JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")
_CHUNK_BYTES = 1 << 20
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_NOT_IN_CP1252 = b"\x81\x8d\x8f\x90\x9d"


@dataclass(frozen=True, slots=True)
class Row:
    """One row as it stands: column → text, or for JSON any value. `line` is where it begins, from 1."""

    line: int
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Survey:
    """What one look at the whole file tells. `note` is for people: a guess was made."""

    path: Path
    size_bytes: int
    digest: str
    encoding: str
    note: str = ""


@dataclass(slots=True)
class Opened:
    """A file being read; `position_bytes` for progress."""

    survey: Survey
    columns: tuple[str, ...] = ()
    _binary: BinaryIO | None = field(default=None, repr=False)

    @property
    def position_bytes(self) -> int:
        """How far it is read, about."""
        binary = self._binary
        return self.survey.size_bytes if binary is None or binary.closed else binary.tell()

    def rows(self) -> Iterator[Row | BadRow]:
        """Every row once, in order. Raises UsageError for a header or text nothing can be read with."""
        with self.survey.path.open("rb") as binary:
            self._binary = binary
            text = io.TextIOWrapper(binary, self.survey.encoding, newline="\n")
            lines = _Lines(text, self.survey.path)
            is_json = self.survey.path.suffix.lower() in JSON_SUFFIXES
            yield from _json_rows(lines) if is_json else self._csv(lines)

    def _csv(self, lines: _Lines) -> Iterator[Row | BadRow]:
        header = _header(lines, self.survey.path)
        if header is not None:
            self.columns = tuple(header[0])
            yield from _csv_rows(lines, *header)


class _Lines:
    """The lines of a text, counted; only a line feed ends one (a cell may hold U+2028)."""

    def __init__(self, text: TextIO, path: Path) -> None:
        self._text = text
        self._path = path
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        try:
            line = next(self._text)
        except UnicodeDecodeError as error:
            place = f"{self._path}: after line {self.number}"
            raise UsageError(f"{place}: not {error.encoding} ({error.reason}); say --encoding") from None
        self.number += 1
        return line


def survey(path: Path, encoding: str = "") -> Survey:
    """One pass over the bytes. Raises UsageError when the file cannot be read or `encoding` is none."""
    try:
        with path.open("rb") as file:
            return _surveyed(path, file, encoding)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None


def _surveyed(path: Path, file: BinaryIO, encoding: str) -> Survey:
    digest, size, bad_at, odd = hashlib.sha256(), 0, -1, False
    decoder, head = codecs.getincrementaldecoder("utf-8")(), b""
    for chunk in iter(lambda: file.read(_CHUNK_BYTES), b""):
        head = head or chunk[:4096]
        digest.update(chunk)
        if bad_at < 0:
            bad_at = _first_bad(decoder, chunk, size)
        odd = odd or len(chunk) != len(chunk.translate(None, _NOT_IN_CP1252))
        size += len(chunk)
    if bad_at < 0:
        bad_at = _first_bad(decoder, b"", size, final=True)
    name, note = (_known(encoding), "") if encoding else _encoding(head, bad_at, odd)
    return Survey(path, size, digest.hexdigest(), name, note)


def _first_bad(decoder: Any, chunk: bytes, before: int, *, final: bool = False) -> int:
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError as error:
        return before + error.start
    return -1


def _encoding(head: bytes, bad_at: int, odd: bool) -> tuple[str, str]:
    for bom, name in _BOMS:
        if head.startswith(bom):
            return name, ""
    if head[1:2] == b"\0" and head[:1] != b"\0":
        return "utf-16-le", "no byte-order mark; read as UTF-16"
    if head[:1] == b"\0" and head[1:2] not in (b"", b"\0"):
        return "utf-16-be", "no byte-order mark; read as UTF-16"
    if bad_at < 0:
        return "utf-8", ""
    name = "latin-1" if odd else "cp1252"
    return name, f"not UTF-8 (byte {bad_at}); read as {name}: check names with accents, or say --encoding"


def _known(encoding: str) -> str:
    try:
        return codecs.lookup(encoding).name
    except LookupError:
        raise UsageError(f"--encoding {encoding}: not known; utf-8, utf-16, cp1252, latin-1 are") from None


def _json_rows(lines: _Lines) -> Iterator[Row | BadRow]:
    for line in lines:
        if line.strip():
            yield _json_row(lines.number, line)


def _json_row(number: int, line: str) -> Row | BadRow:
    try:
        value = decoded(line)
    except ValueError as error:
        return BadRow(number, "", line.strip(), f"not JSON ({error})", "one JSON object a line, or name it .csv")
    if not isinstance(value, dict):
        return BadRow(number, "", value, "not a JSON object", "one JSON object a line")
    return Row(number, value)


def _header(lines: _Lines, path: Path) -> tuple[list[str], str] | None:
    """The columns and what parts them; None for an empty file. `sep=;`, as Excel writes it, is obeyed."""
    first = next((line for line in lines if line.strip()), "")
    delimiter = ""
    if first.lower().startswith("sep="):
        delimiter = first.rstrip("\r\n")[4:5]
        first = next((line for line in lines if line.strip()), "")
    if not first:
        return None
    delimiter = delimiter or _sniffed(first)
    try:
        names = [name.strip() for name in next(csv.reader([first], delimiter=delimiter, strict=True))]
    except csv.Error as error:
        raise UsageError(f"{path}:{lines.number}: the header is not CSV: {error}") from None
    while names and not names[-1]:
        names.pop()
    for number, name in enumerate(names, 1):
        if not name or names.index(name) != number - 1:
            what = f"is `{name}` again" if name else "has no name"
            raise UsageError(f"{path}:{lines.number}: column {number} {what}; give every column its own name")
    return names, delimiter


def _sniffed(header: str) -> str:
    """What parts the header's names most often, outside quotes; a comma when nothing does."""
    bare = "".join(header.split('"')[::2])
    return max(DELIMITERS, key=lambda mark: (bare.count(mark), -DELIMITERS.index(mark)))


def _csv_rows(lines: _Lines, names: list[str], delimiter: str) -> Iterator[Row | BadRow]:
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        start = lines.number + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield _unreadable(start, lines.number, str(error))
            continue
        if any(cells):
            yield _csv_row(start, names, cells)


def _csv_row(line: int, names: list[str], cells: list[str]) -> Row | BadRow:
    extra = [cell for cell in cells[len(names) :] if cell]
    if extra:
        fix = f"quote cells that hold the delimiter; the header has {len(names)} columns"
        return BadRow(line, "", extra[0], f"has {len(cells)} cells", fix)
    if len(cells) < len(names):
        return BadRow(line, "", None, f"has {len(cells)} cells", f"the header has {len(names)} columns: fill it up")
    return Row(line, dict(zip(names, cells, strict=False)))


def _unreadable(start: int, end: int, error: str) -> BadRow:
    through = f"; lines {start} to {end} were not read" if end > start else ""
    return BadRow(
        start, "", None, f"not CSV ({error}{through})", "double the quotes inside a quoted cell, and close it"
    )
