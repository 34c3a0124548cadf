"""`touchline up` with all its real parts."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from schemas.processes import SERVICES
from tests.permissions import open_to_others

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]
START_TIMEOUT_S = 90.0
VISIBLE_WITHIN_S = 60.0  # nothing may be lost; how soon it comes back is for the fault tests to measure
CLI = [sys.executable, "-m", "services.cli.main"]


@contextmanager
def running(data: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """`up` on free ports, and the line it printed when it was ready; stopped in order afterwards."""
    command = [*CLI, "up", "--data", str(data), "--gateway-port", "0", "--dashboard-port", "0", "--json"]
    log = (data.parent / "up.log").open("a")
    with log, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, f"not ready: {(data.parent / 'up.log').read_text()}"
            yield process, json.loads(line)
        finally:
            process.terminate()
            process.wait(60)


def send(ready: dict[str, Any], data: Path, message_id: str) -> None:
    event = {"messageId": message_id, "userId": "u1", "name": "Pricing", "timestamp": "2026-01-05T09:00:00Z"}
    event["context"] = {"page": {"path": "/pricing"}, "traits": {"email": "ada@example.com"}}  # type: ignore[assignment]
    key = (data / "secrets" / "web").read_text().strip()
    answer = httpx.post(f"{ready['gateway_url']}/v1/page", json=event, auth=(key, ""))
    assert answer.status_code == 200


def wait_for(data: Path, message_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + VISIBLE_WITHIN_S
    while True:
        command = [*CLI, "explain", message_id, "--data", str(data), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return dict(json.loads(done.stdout))
        assert time.monotonic() < deadline, f"{message_id} is not to be seen: {done.stdout}{done.stderr}"
        time.sleep(0.3)


def run(data: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*CLI, *command, "--data", str(data)], capture_output=True, text=True, check=False)


def test_everything_starts_is_one_line_of_json_and_refuses_a_second_one(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running(data) as (process, ready):
        assert set(ready) == {"gateway_url", "dashboard_url", "sql_url", "data_dir", "pids"}
        assert set(ready["pids"]) == set(SERVICES)
        send(ready, data, "first")
        assert wait_for(data, "first")["touchpoint"]["source"] == "web"
        for command in ("verify", "doctor"):
            done = run(data, command)
            assert done.returncode == 0, done.stdout + done.stderr
        assert open_to_others(data) == []
        second = run(data, "up")
        assert second.returncode == 78
        assert f"(pid {process.pid})" in second.stderr
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
