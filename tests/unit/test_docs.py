"""Every page that is linked, or named in a message, is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
NAMING = [
    path
    for folder in ("schemas", "streams", "services", "infra", "examples", "benchmarks")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.suffix in (".py", ".yaml", ".yml", ".html", ".txt", ".sql")
]
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_ID = re.compile(r'<a id="([\w-]+)">')
_FIND = re.compile(r"^\| [^|]+ \| `([^`]+)` \| `([^`]+)` \|$", re.MULTILINE)
_CELL_END = re.compile(r"(?<!\\)\|")
_NAMED = re.compile(r"(?<![\w/.:-])docs/[\w/-]+(?:\.\w+)*\b")


def anchors(text: str) -> set[str]:
    """What a link may point at within a page, as GitHub makes it from headings, and what is named."""
    headings = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in _HEADING.findall(text)}
    return headings | set(_ID.findall(text))


def broken(text: str, folder: Path) -> Iterator[str]:
    """The links of a page in `folder` that lead nowhere."""
    for link in _LINK.findall(text):
        name, _, anchor = link.partition("#")
        if "://" in link or link.startswith("mailto:"):
            continue
        there = (folder / name).resolve() if name else None
        is_there = there is None or there.exists()
        page = there.read_text(encoding="utf-8") if there and is_there and anchor else text
        if not is_there or (anchor and anchor not in anchors(page)):
            yield link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    assert list(broken(page.read_text(encoding="utf-8"), page.parent)) == []


def test_a_broken_link_is_noticed() -> None:
    text = "# One\n[a](nowhere.md) [b](#one) [c](#two) [d](https://example.com) [e](README.md#quick-start)"
    assert list(broken(text, ROOT)) == ["nowhere.md", "#two"]


def torn(text: str) -> list[str]:
    """Rows of tables that go on in the next line, or have other columns than the row before: they are shown wrongly."""
    rows = [line if line.startswith("|") else "" for line in text.splitlines()]
    counts = [len(_CELL_END.findall(row)) for row in rows]
    return [
        row
        for row, before, count, columns in zip(rows[1:], rows, counts[1:], counts, strict=False)
        if row and (not row.endswith("|") or (before and count != columns))
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_table_is_whole(page: Path) -> None:
    assert torn(page.read_text(encoding="utf-8")) == []


def test_a_torn_table_is_noticed() -> None:
    assert torn("| a | b |\n|---|---|\n| 1 | 2\nand more |") == ["| 1 | 2"]
    assert torn("| a | b |\n|---|---|\n| 1 | `x \\| y` |\n| 1 | 2 | 3 |") == ["| 1 | 2 | 3 |"]


def not_found(rows: str) -> list[str]:
    """Rows (question, file, word) of which the file is not there or does not hold the word."""
    return [
        f"{file}: {word}"
        for file, word in _FIND.findall(rows)
        if not (ROOT / file).is_file() or word not in (ROOT / file).read_text(encoding="utf-8")
    ]


def test_where_to_find_things_is_true() -> None:
    rows = (
        (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## Where do I find")[2].partition("\n## ")[0]
    )
    assert len(_FIND.findall(rows)) == len([row for row in rows.splitlines() if row.startswith("| ")]) - 1 >= 15
    assert not_found(rows) == []


def test_what_has_moved_is_noticed() -> None:
    moved, changed = "| Who? | `streams/nowhere.py` | `def` |", "| Who? | `README.md` | `no such word here` |"
    assert not_found(f"{moved}\n{changed}") == ["streams/nowhere.py: def", "README.md: no such word here"]


def test_every_page_that_is_named_is_there() -> None:
    missing = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in NAMING
        for name in _NAMED.findall(path.read_text(encoding="utf-8"))
        if not (ROOT / name).exists()
    }
    assert missing == set()
