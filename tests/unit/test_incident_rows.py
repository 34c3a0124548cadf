"""Incidents as rows: what is written, and what is left because it is there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from services.alerting.incidents_table import IncidentsTable
from streams.incidents.actions import ActionLog
from streams.incidents.intake import Lens
from streams.incidents.listing import Listed, listed
from streams.incidents.rows import TYPES, Row, changes, columns, row_of
from streams.journey.blueprints import load
from streams.runtime.clickhouse import Columns
from tests.bi_incidents import Desks

NOW = datetime(2026, 11, 30, 9, tzinfo=UTC)
LENS = Lens(load().source)


def kept(rows: list[Row]) -> list[dict[str, Any]]:
    """As the table tells of them."""
    return [
        {
            **{name: row[name] for name in ("account_id", "incident_id", "digest", "pained_at")},
            "version": row["revision"],
            "is_gone": row["is_deleted"],
        }
        for row in rows
    ]


def one(severity: float = 0.5) -> Listed:
    from schemas.incidents import Desk, Part

    part = Part(
        part_id="s1", kind="signal", what="low_score", severity=severity, opened_at=NOW, event_id="e1", events=("e1",)
    )
    (found,) = listed(Desk(account_id="crm:a:1", parts={"s1": part}), LENS, ActionLog(), NOW)
    return found


def test_what_is_there_is_not_written_again() -> None:
    first = changes([row_of("crm:a:1", one(), {"e1": 0.25})], [], NOW)
    assert [(row["pain"], row["is_deleted"]) for row in first] == [(0.25, 0)]
    assert changes([row_of("crm:a:1", one(), {"e1": 0.25})], kept(first), NOW + timedelta(days=1)) == []
    assert len(changes([row_of("crm:a:1", one(0.9), {"e1": 0.25})], kept(first), NOW)) == 1
    assert len(changes([row_of("crm:a:1", one(), {"e1": 0.5})], kept(first), NOW)) == 1


def test_a_row_is_later_than_what_it_replaces_whatever_the_clock_says() -> None:
    first = changes([row_of("crm:a:1", one(), {})], [], NOW)
    gone = changes([], kept(first), NOW - timedelta(hours=1))
    assert [(row["is_deleted"], row["what"], row["evidence"]) for row in gone] == [(1, "", ())]
    assert changes([], kept(gone), NOW) == [], "it is told once that it is gone"
    again = changes([row_of("crm:a:1", one(), {})], kept(gone), NOW - timedelta(hours=2))
    assert first[0]["revision"] < gone[0]["revision"] < again[0]["revision"]


def test_every_column_of_the_table_is_written() -> None:
    rows = changes([row_of("crm:a:1", one(), {})], [], NOW)
    assert columns([*rows, *changes([], kept(rows), NOW)]).keys() == TYPES.keys()


class Empty:
    """A store without a row."""

    def rows(self, sql: str, parameters: Mapping[str, object] | None = None) -> list[dict[str, object]]:
        return []

    def insert(self, table: str, types: Mapping[str, str], columns: Columns) -> None:
        raise AssertionError


async def test_an_empty_store_is_looked_at_again_and_again() -> None:
    table = IncidentsTable(Empty(), Desks({}), ActionLog(), LENS, lambda: NOW)
    assert [await table.step() for _ in range(3)] == [0, 0, 0]
