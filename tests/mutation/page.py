"""The table of `docs/reference/mutation.md`, made from what the last run of each file found."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.mutation.groups import ROOT

PAGE = ROOT / "docs/reference/mutation.md"
KEPT = Path(__file__).with_name("score.jsonl")
BEGIN, END = "<!-- generated: score -->", "<!-- end of generated -->"
HEAD = ("package", "files", "mutants", "tried", "noticed", "equivalent", "not noticed", "noticed of the rest")


@dataclass(frozen=True, slots=True)
class Line:
    """The score of one file."""

    file: str
    mutants: int
    tried: int
    noticed: int
    equivalent: int


def keep(lines: Iterable[Line]) -> None:
    """Replace the lines of these files, and write the page."""
    kept = {line.file: line for line in (*read(), *lines)}
    KEPT.write_text("".join(json.dumps(asdict(kept[file])) + "\n" for file in sorted(kept)), encoding="utf-8")
    PAGE.write_text(shown(PAGE.read_text(encoding="utf-8"), read()), encoding="utf-8")


def shown(text: str, lines: list[Line]) -> str:
    """The page's text with the table of these lines."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{table(lines)}{END}{rest.partition(END)[2]}"


def read() -> list[Line]:
    """What is kept."""
    if not KEPT.exists():
        return []
    return [Line(**json.loads(line)) for line in KEPT.read_text(encoding="utf-8").splitlines()]


def table(lines: list[Line]) -> str:
    """A row for each package and one for all of them, in Markdown."""
    packages = sorted({_package(line) for line in lines})
    rows = [_row(f"`{name}`", [line for line in lines if _package(line) == name]) for name in packages]
    ruler = "|".join(["---"] + ["--:"] * (len(HEAD) - 1))
    return "\n".join([_cells(HEAD), f"|{ruler}|", *rows, _row("all", lines)]) + "\n"


def _package(line: Line) -> str:
    return line.file.rpartition("/")[0]


def _row(name: str, lines: list[Line]) -> str:
    mutants, tried, noticed, equivalent = (
        sum(getattr(line, column) for line in lines) for column in ("mutants", "tried", "noticed", "equivalent")
    )
    share = 100 * noticed / (tried - equivalent) if tried > equivalent else 100.0
    return _cells(
        (name, len(lines), mutants, tried, noticed, equivalent, tried - noticed - equivalent, f"{share:.1f} %")
    )


def _cells(cells: Iterable[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"
