"""Rows of the pages' questions: their times say that they are UTC, whatever the type of their column is called."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from clickhouse_connect.driver.client import Client

from streams.runtime.clickhouse import query_rows

AT = datetime(2026, 3, 1, 12, 30)  # as the driver makes times of UTC


def rows(names: tuple[str, ...], columns: list[list[Any]], *, zoned: bool = True) -> list[dict[str, Any]]:
    answer = SimpleNamespace(column_names=names, result_columns=columns)
    return query_rows(cast(Client, SimpleNamespace(query=lambda sql, parameters: answer)), "SELECT", zoned=zoned)


@pytest.mark.parametrize(
    "column", [[AT, AT], [None, AT], [AT, None], [AT.replace(tzinfo=UTC), AT]], ids=["all", "later", "first", "mixed"]
)
def test_a_time_says_that_it_is_utc_and_nothing_stays_nothing(column: list[datetime | None]) -> None:
    found = [row["at"] for row in rows(("n", "at"), [[1, 2], column])]
    assert found == [None if each is None else AT.replace(tzinfo=UTC) for each in column]


def test_other_columns_are_left_as_they_are() -> None:
    columns: list[list[Any]] = [[1, 2], ["a", "b"], [None, None], [[AT], []]]
    assert rows(("n", "s", "none", "list"), columns) == [
        {"n": 1, "s": "a", "none": None, "list": [AT]},
        {"n": 2, "s": "b", "none": None, "list": []},
    ]
    assert rows(("at",), [[AT]], zoned=False) == [{"at": AT}]
    assert rows(("at", "n"), [[], []]) == []
