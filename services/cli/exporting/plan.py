"""Which files an export holds: a view with days has one a day, the others one in all. Pure; SQL as text.

A file is written anew only when its rows are others than those it was made of, or the view has other columns: so each
run brings what came late, what was moved and what was erased up to date, and one that was broken off goes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

DAY: Final = "event_date"
"""A view with this column is a log of what happened; the others say how things stand."""
FILE: Final = "data.parquet"
MANIFEST: Final = "_touchline.json"
FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class View:
    """A view and its columns: name → type."""

    name: str
    columns: Mapping[str, str]

    @property
    def has_days(self) -> bool:
        return DAY in self.columns

    def stamp(self) -> str:
        """Of its columns: files of others are written anew, so that all of a view have one schema."""
        return ", ".join(f"{name} {kind}" for name, kind in self.columns.items())


@dataclass(frozen=True, slots=True)
class Piece:
    """One file. `day`: empty for a view without days. `mark`: of the rows it is to hold; empty: not known before."""

    view: str
    day: str
    mark: str = ""
    rows: int = 0

    @property
    def path(self) -> str:
        """Under the folder of the export."""
        return f"{self.view}/day={self.day}/{FILE}" if self.day else f"{self.view}/{FILE}"


Known = Mapping[str, str]
"""Day → mark, of the files that are there."""


def marks(bi: str, view: View) -> str:
    """The statement that tells of each day how many rows it has, and a sum over them that changes when one does."""
    return (
        f"SELECT toString({DAY}) AS day, count() AS n, hex(sum(cityHash64(tuple(*)))) AS sum_of_hashes"
        f" FROM {bi}.{view.name} GROUP BY day ORDER BY day"
    )


def rows_of(bi: str, view: View) -> str:
    """The statement that gives the rows of a file; of a day by the parameter `day`."""
    where = f" WHERE {DAY} = {{day:Date}}" if view.has_days else ""
    return f"SELECT {', '.join(f'`{name}`' for name in view.columns)} FROM {bi}.{view.name}{where}"


def pieces(view: View, rows: Iterable[Mapping[str, Any]]) -> Iterator[Piece]:
    """All files of a view with days. `rows`: the answer to `marks`."""
    for row in rows:
        yield Piece(view.name, str(row["day"]), f"{row['n']}-{row['sum_of_hashes']}", int(row["n"]))


def due(wanted: Iterable[Piece], known: Known) -> list[Piece]:
    """The files that must be written, the newest day first: whoever is in a hurry has it."""
    lacking = [piece for piece in wanted if not piece.mark or known.get(piece.day) != piece.mark]
    return sorted(lacking, key=lambda piece: piece.day, reverse=True)


def gone(wanted: Iterable[Piece], known: Known) -> list[str]:
    """Days of which there are files, and no rows any more."""
    return sorted(known.keys() - {piece.day for piece in wanted})
