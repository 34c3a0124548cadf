"""The guard of tests/conftest.py: a test that does not say so cannot reach Kafka or ClickHouse."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("port", "marker"), [(9092, "kafka"), (8123, "clickhouse")])
def test_an_unmarked_test_cannot_connect(port: int, marker: str) -> None:
    with socket.socket() as probe, pytest.raises(pytest.fail.Exception, match=f"@pytest.mark.{marker}"):
        probe.connect(("127.0.0.1", port))


async def test_nor_can_asyncio() -> None:
    with pytest.raises(pytest.fail.Exception, match="@pytest.mark.kafka"):
        await asyncio.open_connection("127.0.0.1", 9092)


@pytest.mark.kafka
def test_a_marked_test_may_try() -> None:
    """The control: with the marker the guard stays out of the way."""
    with socket.socket() as probe:
        probe.connect_ex(("127.0.0.1", 9092))


def test_a_fixture_without_its_marker_fails_and_names_it(tmp_path: Path) -> None:
    case = tmp_path / "test_case.py"
    case.write_text("def test_reaches(clickhouse_url): pass\n")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-c",
        str(ROOT / "pyproject.toml"),
        "-p",
        "tests.conftest",
        str(case),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "uses the fixture `clickhouse_url`: mark the test with @pytest.mark.clickhouse" in done.stdout
