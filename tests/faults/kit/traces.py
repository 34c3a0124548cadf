"""Where in a data folder some words stand: its files as they are, and ClickHouse's rows, whose files are compressed."""

from __future__ import annotations

from pathlib import Path

from services.cli.context import Target
from streams.runtime.clickhouse import query_rows
from tests.faults.kit.system import System


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
