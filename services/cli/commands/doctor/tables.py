"""Drift: tables and views as they are, against the record of what the migrations make.

The record (`infra/clickhouse/migrations/made.json`) is written by `python -m tests.tables` and held to the migrations
by a test, so that no server has to make a second database to compare with.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from schemas.config import ClickHouseConfig
from services.cli.commands.doctor.check import Check, Place
from services.sink.migrate import DEFAULT_DIR, pending
from streams.runtime.clickhouse import query_rows

RECORD: Final = DEFAULT_DIR / "made.json"
SHOWN: Final = 10
SHOWN_OF_ONE: Final = 5
PUT_BACK: Final = "put it back by hand, or restore a backup into a new database: `migrate` never repeats a step"
Made = Mapping[str, Any]
"""`version` of the server, and under `objects` per `store.NAME` or `bi.NAME` what it is made of."""

_OBJECTS: Final = """
SELECT database, name, engine, engine_full, partition_key, sorting_key, comment, as_select
FROM system.tables WHERE database IN ({store:String}, {bi:String}) AND NOT is_temporary AND name NOT LIKE '.inner%'
ORDER BY database, name
"""
_COLUMNS: Final = """
SELECT database, table, name, type, default_expression AS default, comment
FROM system.columns WHERE database IN ({store:String}, {bi:String}) ORDER BY database, table, position
"""
_INDEXES: Final = """
SELECT database, table, name, type_full AS type, expr
FROM system.data_skipping_indices WHERE database IN ({store:String}, {bi:String}) ORDER BY database, table, name
"""


def tables(place: Place) -> Iterator[Check]:
    """Nothing while migrations wait: they may be what differs."""
    from services.common.secrets import clickhouse_password

    config = place.config.clickhouse
    if not pending(config, clickhouse_password(place.config)):
        yield from drift(json.loads(RECORD.read_text(encoding="utf-8")), made(place.store, config))


def made(client: Client, config: ClickHouseConfig) -> Made:
    """What is there, in the record's words. Raises StoreUnavailable."""
    names = {"store": config.database, "bi": config.bi_database}
    places = {database: place for place, database in names.items()}
    objects: dict[str, dict[str, Any]] = {}
    for row in query_rows(client, _OBJECTS, names):
        objects[f"{places[str(row['database'])]}.{row['name']}"] = _object(row, names)
    for row in query_rows(client, _COLUMNS, names):
        key = f"{places[str(row['database'])]}.{row['table']}"
        objects[key]["columns"][row["name"]] = _column(row)
    for row in query_rows(client, _INDEXES, names):
        key = f"{places[str(row['database'])]}.{row['table']}"
        objects[key]["indexes"][row["name"]] = f"{row['expr']} {row['type']}"
    (version,) = query_rows(client, "SELECT version() AS version")
    return {"version": ".".join(str(version["version"]).split(".")[:2]), "objects": objects}


def _object(row: Mapping[str, object], names: Mapping[str, str]) -> dict[str, Any]:
    query = str(row["as_select"])
    for placeholder, database in names.items():
        query = re.sub(rf"(?<![\w.])`?{database}`?\.", f"{{{placeholder}}}.", query)
    return {
        "engine": _engine(str(row["engine"]), str(row["engine_full"])),
        "partition key": str(row["partition_key"]),
        "order key": str(row["sorting_key"]),
        "comment": str(row["comment"]),
        "query": query,
        "columns": {},
        "indexes": {},
    }


def _column(row: Mapping[str, object]) -> str:
    default = f" DEFAULT {row['default']}" if row["default"] else ""
    return f"{row['type']}{default}" + (f", {row['comment']!r}" if row["comment"] else "")


def _engine(name: str, whole: str) -> str:
    """Name and arguments, the same replicated or not: a replicated one has its path and its name first."""
    arguments = whole[len(name) :].partition(")")[0].lstrip("(") if whole.startswith(f"{name}(") else ""
    listed = [part.strip() for part in arguments.split(",") if part.strip() and not part.strip().startswith("'")]
    return f"{name.removeprefix('Replicated')}({', '.join(listed)})"


def drift(should: Made, found: Made) -> Iterator[Check]:
    """One finding for each table or view that differs; pure."""
    wrong = _wrong(should, found)
    for name, parts in list(wrong.items())[:SHOWN]:
        more = f"; and {len(parts) - SHOWN_OF_ONE} more" if len(parts) > SHOWN_OF_ONE else ""
        yield Check("tables", "problem", f"{name}: {'; '.join(parts[:SHOWN_OF_ONE])}{more}", PUT_BACK)
    if len(wrong) > SHOWN:
        yield Check("tables", "problem", f"{len(wrong) - SHOWN} more differ", "mend those named first")
    for name in sorted(found["objects"].keys() - should["objects"].keys()):
        yield Check("tables", "warning", f"{name} is not ours", "drop it if nobody uses it; Touchline does not")
    if not wrong:
        yield Check("tables", "ok", f"{len(should['objects'])} tables and views, as the migrations make them")


def _wrong(should: Made, found: Made) -> dict[str, list[str]]:
    """Table or view → in what it differs."""
    same_server = should["version"] == found["version"]  # another one may write the same query otherwise
    wrong: dict[str, list[str]] = {}
    for name, wanted in should["objects"].items():
        there = found["objects"].get(name)
        parts = ["is missing"] if there is None else [*_differences(wanted, there, same_server)]
        if parts:
            wrong[name] = parts
    return wrong


def _differences(wanted: Mapping[str, Any], there: Mapping[str, Any], same_server: bool) -> Iterator[str]:
    for part, value in wanted.items():
        if part in ("columns", "indexes"):
            yield from _members(part, value, there[part])
        elif part == "query":
            if there[part] != value and same_server:
                yield "its query has been changed"
        elif there[part] != value:
            yield f"{part} is `{there[part]}`, it should be `{value}`"


def _members(part: str, wanted: Mapping[str, Any], there: Mapping[str, Any]) -> Iterator[str]:
    kind = {"columns": "column", "indexes": "index"}[part]
    for name in [*wanted, *(name for name in there if name not in wanted)]:
        if name not in there:
            yield f"{kind} {name} is missing"
        elif name not in wanted:
            yield f"{kind} {name} is not ours"
        elif wanted[name] != there[name]:
            yield f"{kind} {name} is `{there[name]}`, it should be `{wanted[name]}`"
    if wanted.keys() == there.keys() and list(wanted) != list(there):
        yield f"{part} are in another order"
