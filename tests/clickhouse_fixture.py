"""An embedded ClickHouse for tests: one process a run, one database a test."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 20.0


@dataclass(frozen=True)
class ClickHouse:
    """A running warehouse. `url` carries the internal user's credentials, `reader_url` the reader's."""

    host: str
    port: int
    token: str
    data_dir: Path
    pid: int

    @property
    def base_url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def url(self) -> str:
        return f"http://internal:{self.token}@{self.host}:{self.port}"

    @property
    def reader_url(self) -> str:
        return f"http://reader:@{self.host}:{self.port}/bi"

    def client(self, database: str = "default") -> Client:
        """A client with full rights; the caller closes it."""
        return clickhouse_connect.get_client(
            host=self.host, port=self.port, username="internal", password=self.token, database=database
        )

    def reader(self, database: str = "bi") -> Client:
        """A client as BI tools are; the caller closes it."""
        return clickhouse_connect.get_client(host=self.host, port=self.port, username="reader", database=database)


@contextmanager
def warehouse(data_dir: Path, *extra: str) -> Iterator[tuple[ClickHouse, subprocess.Popen[str]]]:
    """A warehouse on `data_dir`, stopped afterwards unless the test has already killed it."""
    command = [sys.executable, "-m", "services.embedded.clickhouse.main", "--data", str(data_dir), *extra]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, f"the warehouse did not start: exit {process.wait(START_TIMEOUT_S)}"
            address = urlsplit(json.loads(line)["url"])
            token = (data_dir / "internal.token").read_text().strip()
            assert address.hostname is not None
            assert address.port is not None
            yield ClickHouse(address.hostname, address.port, token, data_dir, process.pid), process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(STOP_TIMEOUT_S)
                except subprocess.TimeoutExpired:
                    os.kill(process.pid, signal.SIGKILL)


@pytest.fixture(scope="session")
def clickhouse_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouse]:
    """The warehouse of this test run."""
    with warehouse(tmp_path_factory.mktemp("clickhouse")) as (running, _):
        yield running


def new_name() -> str:
    """For a database."""
    return f"test_{uuid4().hex[:12]}"


@pytest.fixture
def clickhouse_database(clickhouse_url: ClickHouse) -> Iterator[str]:
    """The name of an empty database, dropped after the test."""
    name = new_name()
    client = clickhouse_url.client()
    try:
        client.command(f"CREATE DATABASE {name}")
        yield name
        client.command(f"DROP DATABASE {name}")
    finally:
        client.close()
