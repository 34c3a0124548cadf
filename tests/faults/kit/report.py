"""What a fault came to: one line of the table, as text, as Markdown, and as JSON to be kept."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from pydantic import TypeAdapter

COLUMNS = ("fault", "of", "runs", "acked", "visible", "lost", "doubled", "wrong", "recovery p50", "max", "seed")


@dataclass(frozen=True, slots=True)
class Report:
    """`of` is the process hurt, if it was one. `acked` counts events, copies too; the rest are touchpoints and rows.

    `recoveries_s`: from the end of the harm until a new event is on the map. `broken`: promises beside those counted,
    in words. `said`: what else was measured.
    """

    fault: str
    of: str
    seed: int
    acked: int
    visible: int
    lost: int
    doubled: int
    wrong: int
    recoveries_s: tuple[float, ...]
    broken: tuple[str, ...] = ()
    said: str = ""
    detail: str = field(default="", compare=False)

    @property
    def good(self) -> bool:
        """Whether every promise was kept."""
        return not (self.lost or self.doubled or self.wrong or self.broken)

    @property
    def cells(self) -> tuple[str, ...]:
        """In the order of COLUMNS."""
        times = sorted(self.recoveries_s) or [0.0]
        counts = (len(self.recoveries_s), self.acked, self.visible, self.lost, self.doubled, self.wrong)
        median, longest = f"{times[len(times) // 2]:.1f} s", f"{times[-1]:.1f} s"
        return (self.fault, self.of or "–", *map(str, counts), median, longest, str(self.seed))

    @property
    def note(self) -> str:
        """What the columns do not say."""
        return "; ".join((*(f"BROKEN: {each}" for each in self.broken), *((self.said,) if self.said else ())))

    def as_json(self, **about: object) -> str:
        """One line, to be kept beside `about` the run."""
        kept = {name: value for name, value in asdict(self).items() if name != "detail"}
        kept["recoveries_s"] = [round(each, 2) for each in self.recoveries_s]
        return json.dumps(kept | about)


def read(line: str) -> tuple[Report, dict[str, object]]:
    """What `as_json` wrote: the report, and what was said about the run."""
    told = json.loads(line)
    names = Report.__dataclass_fields__.keys()
    report = TypeAdapter(Report).validate_python({name: value for name, value in told.items() if name in names})
    return report, {name: value for name, value in told.items() if name not in names}


_WIDTHS = (13, 11, 4, 6, 7, 4, 7, 5, 12, 7, 5)


def text_line(cells: Sequence[str]) -> str:
    """A line of the table for a terminal."""
    return " ".join(
        cell.ljust(w) if n < 2 else cell.rjust(w) for n, (cell, w) in enumerate(zip(cells, _WIDTHS, strict=True))
    )


def markdown(rows: Sequence[Sequence[str]], columns: Sequence[str] = COLUMNS) -> str:
    """The table as Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
