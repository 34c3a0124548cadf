"""`touchline export parquet`: reads the views, puts the files where they belong, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, cast

import orjson
from clickhouse_connect.driver.client import Client

from schemas.errors import StoreUnavailable, did_you_mean
from services.cli.console import UsageError
from services.cli.exporting.plan import (
    DAY,
    FILE,
    FORMAT,
    MANIFEST,
    Known,
    Piece,
    View,
    due,
    gone,
    marks,
    pieces,
    rows_of,
)
from services.sink.views import load_views
from streams.runtime.clickhouse import query_rows, store_errors

PART: Final = ".part"
_CHUNK_BYTES: Final = 1 << 20
_MAGIC: Final = b"PAR1"
"""The end of every whole file."""
#: Said here, so that another default of another ClickHouse changes no file.
_SETTINGS: Final[dict[str, Any]] = {
    "output_format_parquet_string_as_string": 1,
    "output_format_parquet_compression_method": "zstd",
    "output_format_parquet_datetime_as_uint32": 0,
}
_COLUMNS: Final = """
SELECT table, name, type FROM system.columns WHERE database = {bi:String} ORDER BY table, position
"""


@dataclass(frozen=True, slots=True)
class Export:
    """One run. `days`: of the views with days these alone, as 2026-11-30; none: all. `asker`: VIEWER hides people."""

    client: Client
    bi: str
    folder: Path
    days: Collection[str] = ()
    asker: str = ""

    def run(self, names: Collection[str], say: Callable[[str], None]) -> Iterator[dict[str, object]]:
        """A line for each file written or removed. Raises UsageError, StoreUnavailable; may be run again.

        `names`: these views; none: all.
        """
        views = self._views(names)
        self.folder.mkdir(parents=True, exist_ok=True)
        for number, view in enumerate(views, start=1):
            say(f"export      {view.name} ({number} of {len(views)})")
            yield from self._view(view)

    def _view(self, view: View) -> Iterator[dict[str, object]]:
        folder = self.folder / view.name
        _tidy(folder)
        known = _known(folder, view)
        if not view.has_days:
            if not self.days:
                yield self._put(view, Piece(view.name, ""), known)
            return
        wanted = list(pieces(view, query_rows(self.client, marks(self.bi, view) + self._as_asked())))
        for piece in due((one for one in wanted if not self.days or one.day in self.days), known):
            yield self._put(view, piece, known)
        for day in gone(wanted, known):
            if not self.days or day in self.days:
                yield self._take_away(view, Piece(view.name, day), known)

    def _put(self, view: View, piece: Piece, known: dict[str, str]) -> dict[str, object]:
        path = self.folder / piece.path
        path.parent.mkdir(parents=True, exist_ok=True)
        size_bytes = self._write(view, piece, path.with_name(path.name + PART))
        os.replace(path.with_name(path.name + PART), path)
        known[piece.day] = piece.mark
        _remember(self.folder / view.name, view, known)
        return {"wrote": str(path), "rows": piece.rows if piece.mark else None, "bytes": size_bytes}

    def _write(self, view: View, piece: Piece, part: Path) -> int:
        parameters = {"day": piece.day} if piece.day else {}
        sql, size_bytes, end = rows_of(self.bi, view) + self._as_asked(), 0, b""
        with store_errors(), part.open("wb") as file:
            answer = cast(IO[bytes], self.client.raw_stream(sql, parameters, _SETTINGS, "Parquet"))
            with closing(answer):
                while chunk := answer.read(_CHUNK_BYTES):
                    size_bytes += file.write(chunk)
                    end = (end + chunk)[-len(_MAGIC) :]
            file.flush()
            os.fsync(file.fileno())
        if end != _MAGIC:
            raise StoreUnavailable(f"{piece.path}: the answer broke off after {size_bytes} bytes; run the export again")
        return size_bytes

    def _as_asked(self) -> str:
        return f" SETTINGS log_comment = '{self.asker}'" if self.asker else ""

    def _take_away(self, view: View, piece: Piece, known: dict[str, str]) -> dict[str, object]:
        path = self.folder / piece.path
        path.unlink(missing_ok=True)
        path.parent.rmdir()
        del known[piece.day]
        _remember(self.folder / view.name, view, known)
        return {"removed": str(path)}

    def _views(self, names: Collection[str]) -> list[View]:
        there = [view.name for view in load_views()]
        for name in names:
            if name not in there:
                raise UsageError(f"--view {name!r}: there is no such view{did_you_mean(name, there)}")
        columns: dict[str, dict[str, str]] = {}
        for row in query_rows(self.client, _COLUMNS, {"bi": self.bi}):
            columns.setdefault(str(row["table"]), {})[str(row["name"])] = str(row["type"])
        wanted = [name for name in there if not names or name in names]
        if lacking := [name for name in wanted if name not in columns]:
            raise UsageError(f"{self.bi}.{lacking[0]} is not in this ClickHouse: run `touchline migrate`")
        return [View(name, columns[name]) for name in wanted]


def _tidy(folder: Path) -> None:
    """What an export that was broken off has left."""
    for part in folder.glob(f"**/{FILE}{PART}"):
        part.unlink()


def _known(folder: Path, view: View) -> dict[str, str]:
    """The files of an earlier run that may stay; what says nothing clear is written anew."""
    try:
        kept = orjson.loads((folder / MANIFEST).read_bytes())
        if kept["format"] != FORMAT or kept["columns"] != view.stamp():
            return dict.fromkeys(kept["days"], "")
        return {str(day): str(mark) if _is_there(folder, view, day) else "" for day, mark in kept["days"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _is_there(folder: Path, view: View, day: str) -> bool:
    return (folder.parent / Piece(view.name, day).path).exists()


def _remember(folder: Path, view: View, known: Known) -> None:
    text = {"format": FORMAT, "columns": view.stamp(), "partitioned_by": DAY if view.has_days else "", "days": known}
    part = folder / (MANIFEST + PART)
    part.write_bytes(orjson.dumps(text, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))
    os.replace(part, folder / MANIFEST)
