"""What was inserted is let go of at once, not when Python looks for garbage."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from clickhouse_connect.datatypes.registry import get_from_name
from clickhouse_connect.driver.insert import InsertContext
from clickhouse_connect.driver.summary import QuerySummary
from clickhouse_connect.driver.transform import NativeTransform

from schemas.config import ClickHouseConfig
from schemas.errors import StoreUnavailable
from streams.runtime.clickhouse import LOOKED, Store

TYPES = {"id": "String", "n": "UInt64"}


class Column(list[Any]):
    """One whose end can be seen."""


class Client:
    """The driver's own contexts and encoding, without a server behind."""

    def __init__(self, summary: dict[str, str] | None = None) -> None:
        self.sent = b""
        self.summary = summary

    def create_insert_context(
        self, table: str, column_names: list[str], *, column_type_names: list[str], column_oriented: bool
    ) -> InsertContext:
        types = [get_from_name(name) for name in column_type_names]
        return InsertContext(table, column_names, types, column_oriented=column_oriented)

    def insert(self, *, context: InsertContext, data: list[Column]) -> QuerySummary:
        context.data = data
        self.sent = b"".join(NativeTransform().build_insert(context))
        if self.summary is None:
            raise OSError("away")
        return QuerySummary(self.summary)


def store(client: Client) -> Store:
    made = Store(ClickHouseConfig())
    made._client = client  # type: ignore[assignment]
    return made


@pytest.fixture
def no_garbage_is_looked_for() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("is_away", [False, True])
@pytest.mark.usefixtures("no_garbage_is_looked_for")
def test_the_rows_of_an_insert_are_let_go_of(is_away: bool) -> None:
    client = Client(None if is_away else {"written_rows": "2"})
    columns = {"id": Column(["a", "b"]), "n": Column([1, 2])}
    ends = [weakref.ref(column) for column in columns.values()]
    try:
        store(client).insert("t", TYPES, columns)
        assert not is_away
    except StoreUnavailable:
        assert is_away
    assert client.sent.startswith(b"INSERT INTO t (`id`, `n`) FORMAT Native")
    del columns
    assert [end() for end in ends] == [None, None]


@pytest.mark.parametrize(("told", "looked_s"), [({LOOKED: "3.5"}, 3.5), ({LOOKED: "0.0"}, 0.0), ({}, None)])
def test_an_insert_tells_when_somebody_looked(told: dict[str, str], looked_s: float | None) -> None:
    made = store(Client({"written_rows": "1"} | told))
    assert made.looked_s is None
    made.insert("t", TYPES, {"id": ["a"], "n": [1]})
    assert made.looked_s == looked_s


def test_an_answer_that_counts_fewer_rows_is_no_success() -> None:
    with pytest.raises(StoreUnavailable, match="2 rows sent, 1 stored"):
        store(Client({"written_rows": "1"})).insert("t", TYPES, {"id": ["a", "b"], "n": [1, 2]})
