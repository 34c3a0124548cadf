"""docs/reference/reliability.md: its list of faults comes from the registry, its table from the runs that were kept.

A run is kept as a line of docs/reference/reliability.jsonl, with its seed, its commit and how busy the machine was.
"""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from tests.faults.kit.faults import FAULTS
from tests.faults.kit.report import COLUMNS, Report, markdown, read

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "reference" / "reliability.md"
KEPT = ROOT / "docs" / "reference" / "reliability.jsonl"
_BEGIN, _END = "<!-- generated: {} -->\n", "<!-- end of generated -->"
_ABOUT = ("load", "commit")


def keep(report: Report, commit: str) -> None:
    """Add a run of what was checked out as `commit`, and show it; the same again replaces it."""
    line = report.as_json(
        commit=commit,
        at=datetime.now(UTC).isoformat(timespec="minutes"),
        load=f"{os.getloadavg()[1]:.1f} on {os.cpu_count()} cores",
    )
    place = _place(line)
    lines = [each for each in _kept() if _place(each) != place]
    KEPT.write_text("".join(f"{each}\n" for each in [*lines, line]))
    write()


def write() -> None:
    """Bring the page up to date."""
    PAGE.write_text(rendered(PAGE.read_text()))


def differs() -> bool:
    """Whether the page is not what it should be."""
    text = PAGE.read_text()
    return rendered(text) != text


def rendered(text: str) -> str:
    """The page with its generated parts made anew."""
    text = _replaced(text, "faults", "".join(f"- **{name}**: {fault.does}\n" for name, fault in FAULTS.items()))
    return _replaced(text, "results", _results())


def _results() -> str:
    rows, notes = [], []
    for report, about in sorted(map(read, _kept()), key=lambda found: _order(found[0])):
        rows.append([*report.cells, *(str(about[name]) for name in _ABOUT)])
        if report.note:
            notes.append(f"- {report.fault} {report.of} (seed {report.seed}): {report.note}\n".replace("  ", " "))
    table = markdown(rows, (*COLUMNS, *_ABOUT))
    return table + ("\n" + "".join(notes) if notes else "")


def _order(report: Report) -> tuple[int, str, int]:
    names = list(FAULTS)
    return (names.index(report.fault), report.of, report.seed)


def _replaced(text: str, what: str, content: str) -> str:
    begin = _BEGIN.format(what)
    before, found, rest = text.partition(begin)
    _, ended, after = rest.partition(_END)
    assert found and ended, f"the page lacks {begin.strip()} … {_END}"
    return before + begin + content + _END + after


def _kept() -> list[str]:
    return KEPT.read_text().splitlines() if KEPT.exists() else []


def _place(line: str) -> tuple[object, ...]:
    report, about = read(line)
    return (report.fault, report.of, report.seed, about["commit"])


def commit() -> str:
    """What is checked out now."""
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    return done.stdout.strip() or "unknown"
