"""What the ClickHouse driver brings along into each process."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any, cast

import pytest

from streams.runtime.clickhouse import query_rows

pytestmark = pytest.mark.skipif(find_spec("pandas") is None, reason="where it is not installed nothing can load it")

INSERT = """
from clickhouse_connect.datatypes.registry import get_from_name
from clickhouse_connect.driver.insert import InsertContext
import sys
InsertContext("t", ["n"], [get_from_name("Int64")], data=[[1]], column_oriented=True)
print("pandas" in sys.modules)
"""


@pytest.mark.parametrize(("ours", "loads"), [("import streams.runtime.clickhouse", False), ("", True)])
def test_an_insert_does_not_load_pandas(ours: str, loads: bool) -> None:
    """The second is the driver left to itself; should it stop doing that, our setting can go."""
    done = subprocess.run([sys.executable, "-c", ours + INSERT], capture_output=True, text=True, check=True)
    assert done.stdout == f"{loads}\n"


@pytest.mark.parametrize(
    ("kind", "is_time"),
    [
        ("DateTime64(3, 'UTC')", True),
        ("Nullable(DateTime)", True),
        ("SimpleAggregateFunction(max, DateTime64(3, 'UTC'))", True),
        ("LowCardinality(Nullable(DateTime('UTC')))", True),
        ("Date", False),
        ("Nullable(Date32)", False),
        ("String", False),
    ],
)
def test_times_say_that_they_are_utc_whatever_the_column_is_called(kind: str, is_time: bool) -> None:
    """A page compares them with its own clock: one time without a zone, and it shows nothing."""
    bare = datetime(2026, 11, 30, 12)  # noqa: DTZ001 - as the driver gives it
    value = bare if "DateTime" in kind else "x"

    class Client:
        def query(self, sql: str, parameters: object) -> SimpleNamespace:
            return SimpleNamespace(
                result_columns=[[value, None]], column_types=[SimpleNamespace(name=kind)], column_names=["at"]
            )

    told = query_rows(cast("Any", Client()), "SELECT", zoned=True)
    assert told == [{"at": bare.replace(tzinfo=UTC) if is_time else value}, {"at": None}]
