"""From nothing to running: cold and warm `touchline up`, the demo's first touchpoint, and what idling costs."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from benchmarks.figures import Figure, Pace, Say
from benchmarks.processes import cpu_s, memory_mb, tree

GIVE_UP_S: Final = 120.0
REST_S: Final = 30.0
"""What has just started is not idle: it reads, and asks ever less often."""
IDLE_S: Final = 30.0
_PORTS: Final = ("--gateway-port", "0", "--dashboard-port", "0", "--json")
_ANY = "SELECT count() AS n FROM bi.journey_map_daily WHERE volume > 0"


@dataclass(slots=True)
class Running:
    """A `touchline …` that was started, and when."""

    process: subprocess.Popen[str]
    began_s: float

    def line(self) -> dict[str, Any]:
        """The next JSON line it prints."""
        assert self.process.stdout is not None
        said: dict[str, Any] = json.loads(self.process.stdout.readline())
        return said

    def elapsed_s(self) -> float:
        return time.monotonic() - self.began_s


def run(pace: Pace, say: Say) -> list[Figure]:
    """Each start on a machine whose set-up step is done; `cold` is an empty data folder, `warm` the same again."""
    with tempfile.TemporaryDirectory(prefix="touchline-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        cold, idle = _up(folder / "data", idle=True)
        warm, _ = _up(folder / "data", idle=False)
        figures = [_start("cold", cold), _start("warm", warm), *idle, _demo(folder / "demo")]
    for figure in figures:
        say(f"  {figure.what}: {figure.value}")
    return figures


def _up(data: Path, *, idle: bool) -> tuple[tuple[float, float], list[Figure]]:
    """(seconds until the page answers, until all is ready), and the idle figures if asked for."""
    with _started("up", data) as running:
        page_s = _page_up_s(running, data)
        running.line()
        ready_s = running.elapsed_s()
        return (page_s, ready_s), _idle(running.process.pid) if idle else []


def _start(kind: str, seconds: tuple[float, float]) -> Figure:
    budget = "page 3 s" if kind == "cold" else ""
    return Figure("start", f"`touchline up`, {kind}", f"page {seconds[0]:.1f} s, all ready {seconds[1]:.1f} s", budget)


def _page_up_s(running: Running, data: Path) -> float:
    """When the page first answered; its address is in the data folder as soon as it is chosen."""
    while running.elapsed_s() < GIVE_UP_S:
        try:
            address = json.loads((data / "run.json").read_text())["addresses"]["dashboard_url"]
            httpx.get(address, timeout=GIVE_UP_S)
            return running.elapsed_s()
        except (OSError, KeyError, ValueError, httpx.HTTPError):
            time.sleep(0.02)
    raise TimeoutError("the page did not come up")


def _idle(pid: int) -> list[Figure]:
    """Memory and CPU of the whole tree with nothing to do."""
    time.sleep(REST_S)
    before = cpu_s(pid)
    time.sleep(IDLE_S)
    percent = (cpu_s(pid) - before) / IDLE_S * 100
    pids = tree(pid)
    return [
        Figure("start", "idle, memory of all processes", f"{memory_mb(pids):.0f} MB in {len(pids)} processes"),
        Figure("start", "idle, CPU", f"{percent:.1f} % of a core"),
    ]


def _demo(data: Path) -> Figure:
    """Seconds until a reader sees the first touchpoint of the demo on the map."""
    with _started("demo", data) as running:
        address = str(running.line()["sql_url"])
        while running.elapsed_s() < GIVE_UP_S:
            answer = httpx.post(f"{address}/", content=f"{_ANY} FORMAT JSONEachRow", timeout=10)
            if answer.is_success and int(answer.json()["n"]):
                return Figure(
                    "start", "demo to the first touchpoint on the map", f"{running.elapsed_s():.1f} s", "12 s"
                )
            time.sleep(0.05)
    raise TimeoutError("the demo put nothing on the map")


@contextmanager
def _started(command: str, data: Path) -> Iterator[Running]:
    argv = [sys.executable, "-m", "services.cli.main", command, "--data", str(data), *_PORTS]
    began_s = time.monotonic()
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            yield Running(process, began_s)
        finally:
            process.terminate()
            process.wait(60)
