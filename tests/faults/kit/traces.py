"""Where in a data folder some words stand: its files as they are, and ClickHouse's rows, whose files are compressed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from services.cli.context import Target
from streams.runtime.clickhouse import query_rows
from tests.faults.kit.blocks import outside, plain
from tests.faults.kit.system import System
from tests.processes import family

_STORE: Final = "clickhouse/engine/store"


@dataclass(slots=True)
class Searched:
    """What a search through all bytes saw: `found`: folder → files that hold a word; `files` and `read_bytes` in all.

    `unread`: files of columns that have bytes which could not be read; such a search proves nothing.
    """

    found: dict[str, int] = field(default_factory=dict)
    files: int = 0
    read_bytes: int = 0
    unread: list[str] = field(default_factory=list)


def searched(data: Path, words: Iterable[str], pids: Iterable[int] = (), depth: int = 3) -> Searched:
    """Look for words in every file below `data` as it is, and in what ClickHouse has compressed.

    `pids`: also in files that are deleted, and that one of these processes still has open.
    """
    wanted, seen = [word.encode() for word in words], Searched()
    for name, content in (*_contents(data), *_deleted(data, pids)):
        seen.files += 1
        texts = [content, *(plain(content) if name.startswith("clickhouse/") else ())]
        seen.read_bytes += sum(map(len, texts))
        if name.startswith(_STORE) and name.endswith(".bin") and outside(content):
            seen.unread.append(name)
        if any(word in text for text in texts for word in wanted):
            place = "/".join(name.split("/")[:depth])
            seen.found[place] = seen.found.get(place, 0) + 1
    return seen


def _contents(data: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(data.rglob("*")):
        with suppress(FileNotFoundError):  # a part or a segment that has just been deleted
            if path.is_file() and not path.is_symlink():
                yield path.relative_to(data).as_posix(), path.read_bytes()


def _deleted(data: Path, pids: Iterable[int]) -> Iterator[tuple[str, bytes]]:
    for pid in {one for first in pids for one in family(first)}:
        for handle in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                target = os.readlink(handle)
                if target.startswith(str(data)) and target.endswith(" (deleted)"):
                    yield Path(target).relative_to(data).as_posix(), handle.read_bytes()


def holding(data: Path, wanted: bytes, depth: int = 1) -> dict[str, int]:
    """Folder below the data folder → how many of its files hold these bytes, compressed parts aside."""
    found: dict[str, int] = {}
    for path in data.rglob("*"):
        if path.is_file() and wanted in path.read_bytes():
            top = "/".join(path.relative_to(data).parts[:depth])
            found[top] = found.get(top, 0) + 1
    return found


def stored_rows(system: System, wanted: str) -> dict[str, int]:
    """Table → rows that hold this text in any column, also rows that newer ones have replaced: every active part."""
    found = {}
    with Target(system.data).store() as client:
        sql = "SELECT name FROM system.tables WHERE database = 'touchline' AND engine LIKE '%MergeTree'"
        for name in [str(row["name"]) for row in query_rows(client, sql)]:
            sql = f"SELECT count() AS n FROM {name} WHERE position(toString(tuple(*)), {{wanted:String}}) > 0"
            if count := int(str(query_rows(client, sql, {"wanted": wanted})[0]["n"])):
                found[name] = count
    return found
