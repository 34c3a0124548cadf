"""What the ClickHouse driver brings along into each process."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest

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
