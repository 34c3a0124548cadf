"""A running `touchline up` that can be hurt: kill its parts, freeze them, ask what they show."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

import httpx

from schemas import processes
from services.common.first_config import write_fresh
from services.common.secrets import ensure_secret_file
from services.supervisor.folder import Run, birth, read_run
from streams.runtime.kafka import INSTANCE_ENV
from tests.processes import family

START_TIMEOUT_S = 150.0
SERVICES = tuple(name for name in processes.SERVICES if name != "dashboard")
"""What is killed; the page holds nothing."""
SUPERVISOR = "supervisor"
NOISY = "noisy"
"""A source that a fresh configuration does not have."""


class System:
    """One data folder and what runs on it. Use as a context manager; `start` may be called again after a kill."""

    def __init__(self, data: Path, *, env: Mapping[str, str] | None = None, swap: Sequence[str] = ()) -> None:
        """`swap`: `SERVICE=MODULE` starts that module in place of a service."""
        self.data, self._env, self._swap = data, dict(env or {}), tuple(swap)
        self.scratch = data.parent / f"{data.name}.tests"
        """For what the tests write: outside the data folder, whose disk they may fill."""
        self._process: subprocess.Popen[str] | None = None
        self._said: TextIO | None = None
        self.ready: dict[str, Any] = {}

    def __enter__(self) -> System:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # -- life

    def start(self, *, env: Mapping[str, str] | None = None) -> float:
        """Start on this folder; returns the seconds until everything was ready."""
        self._env = dict(env) if env is not None else self._env
        self.scratch.mkdir(parents=True, exist_ok=True)
        self._add_noisy_source()
        command = [sys.executable, "-m", "tests.faults.kit.up", str(self.data), *self._swap]
        began = time.monotonic()
        self._said = self.said_file.open("a")
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=self._said, text=True, env=os.environ | self._env
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"not ready: {self.said()[-3000:]}"
        self.ready = json.loads(line)
        return time.monotonic() - began

    def _add_noisy_source(self) -> None:
        """A sender beside those of a fresh configuration; it is used to send nonsense only."""
        config = self.data / "touchline.yaml"
        if write_fresh(config, self.data):
            secret = ensure_secret_file(self.data / "secrets" / NOISY)
            entry = f'  - {{name: {NOISY}, vendor: segment, secrets: [{{file: "{secret.resolve()}"}}]}}\n'
            config.write_text(config.read_text() + entry)

    def stop(self) -> None:
        """End in order; at once when it does not."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGCONT)
        process.terminate()
        try:
            process.wait(90)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
        self._close(process)

    def kill_all(self) -> None:
        """SIGKILL to the whole tree at once, the supervisor first."""
        process, self._process = self._process, None
        assert process is not None
        last = read_run(self.data)
        for pid in (process.pid, *last.pids.values()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait(10)
        self._close(process)

    def _close(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None and self._said is not None
        process.stdout.close()
        self._said.close()

    # -- hurting a part

    def kill(self, name: str) -> int:
        """SIGKILL to a service; returns its pid."""
        pid = self.pid(name)
        os.kill(pid, signal.SIGKILL)
        return pid

    def signal(self, name: str, number: signal.Signals) -> None:
        """Any signal; `supervisor` is a name, too."""
        assert self._process is not None
        os.kill(self._process.pid if name == SUPERVISOR else self.pid(name), number)

    @contextmanager
    def frozen(self, name: str) -> Iterator[None]:
        """SIGSTOP to a service and what it started itself (the broker's JVM), SIGCONT at the end of the block.

        Of the supervisor only itself: what it started are services of their own.
        """
        assert self._process is not None
        pids = [self._process.pid] if name == SUPERVISOR else family(self.pid(name))
        births = {pid: birth(pid) for pid in pids}
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid, born in births.items():
                if birth(pid) == born:  # whoever ended and started it anew meanwhile is not disturbed
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGCONT)

    @contextmanager
    def twin(self, name: str) -> Iterator[subprocess.Popen[bytes]]:
        """A second process of a service, in the same groups under a name of its own; ended with the block."""
        at = self.run().addresses
        env = os.environ | {
            "TOUCHLINE_KAFKA_BOOTSTRAP": at["kafka"],
            "TOUCHLINE_CLICKHOUSE_URL": at["sql_url"],
            "TOUCHLINE_CLICKHOUSE_USER": "internal",
            "TOUCHLINE_CLICKHOUSE_PASSWORD_FILE": at["token_file"],
        }
        argv = [sys.executable, "-m", "services.cli.service", name, "--config", at["config"]]
        with (self.data / "logs" / f"{name}-twin.log").open("ab") as log:
            process = subprocess.Popen(argv, env=env | {INSTANCE_ENV: "twin"}, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)

    def pid(self, name: str, timeout_s: float = 30.0) -> int:
        """The pid of a service once it runs."""
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            run = self.run()
            pid = run.pids.get(name, 0)
            if pid and birth(pid) == run.births.get(name):
                return pid
            time.sleep(0.05)
        raise AssertionError(f"{name} does not run; {self.said()[-1500:]}")

    def wait_ready(self, name: str, not_pid: int = 0, timeout_s: float = 60.0) -> None:
        """Until a service is ready again, under another pid."""
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            run = self.run()
            if run.states.get(name) == "ready" and run.pids.get(name) != not_pid:
                return
            time.sleep(0.05)
        raise AssertionError(f"{name} is not ready after {timeout_s} s; {self.said()[-1500:]}")

    # -- what it says and shows

    def run(self) -> Run:
        """What the supervisor wrote down."""
        return read_run(self.data)

    @property
    def said_file(self) -> Path:
        return self.data.parent / f"{self.data.name}.up.log"

    def said(self) -> str:
        """What the supervisor told people."""
        return self.said_file.read_text()

    def log(self, name: str) -> str:
        """A service's log."""
        return (self.data / "logs" / f"{name}.log").read_text(errors="replace")

    @property
    def secrets(self) -> dict[str, str]:
        """The senders' secrets."""
        names = ("web", "product", "support", NOISY)
        return {name: (self.data / "secrets" / name).read_text().strip() for name in names}

    @property
    def url(self) -> str:
        """The gateway."""
        return str(self.ready["gateway_url"])

    @property
    def kafka(self) -> str:
        """The broker."""
        return self.run().addresses["kafka"]

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """Rows as a BI tool gets them. Raises httpx.HTTPError while ClickHouse is away."""
        answer = httpx.post(f"{self.ready['sql_url']}/", content=f"{sql} FORMAT JSONEachRow", timeout=60.0)
        answer.raise_for_status()
        return [json.loads(line) for line in answer.text.splitlines()]

    def api(self, path: str) -> Any:
        """An answer of the dashboard's API."""
        return httpx.get(f"{self.ready['dashboard_url']}{path}", timeout=30.0).raise_for_status().json()

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`touchline …` on this folder."""
        command = [sys.executable, "-m", "services.cli.main", *arguments, "--data", str(self.data)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)

    def command(self, *arguments: str) -> subprocess.Popen[str]:
        """`touchline …` on this folder, beside what the test does; what it says goes to one pipe."""
        command = [sys.executable, "-m", "services.cli.main", *arguments, "--data", str(self.data)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def rss_mb(self, name: str) -> float:
        """Resident memory of a service."""
        pages = int(Path(f"/proc/{self.pid(name)}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
