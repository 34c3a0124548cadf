"""What a benchmark prints: one table, and on what it was measured."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from math import inf
from pathlib import Path

from schemas.base import Strict

_PACKAGES = ("faust-streaming", "aiokafka", "chdb", "clickhouse-connect", "pydantic", "orjson")

Say = Callable[[str], None]
"""Takes a line about how it goes."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. `budget` is what DESIGN promises; empty where nothing was promised."""

    part: str
    what: str
    value: str
    budget: str = ""


class Pace(Strict):
    """How long each part may take."""

    window_s: float = 20.0
    settle_s: float = 5.0
    max_steps: int = 6
    start_rate_per_s: float = 1000.0
    peer_s: float = 3.0
    """Of CPU, about: so much each contestant is given to do."""
    open_timers: int = 1_000_000
    repeats: int = 3
    pause_s: float = 600.0
    """For which the load lasts under which nothing may stand still."""
    held_touchpoints: int = 1_000_000
    """After which it is asked what all processes hold."""
    late_touchpoints: int = 100_000
    late_claims: int = 5000
    patience: float = 1.0
    """A part may take so many times its limit."""
    within_s: float = inf
    """All parts together. What those behind a part need is kept for them, so one that hangs costs them nothing."""


NORMAL = Pace()
QUICK = Pace(
    window_s=8,
    settle_s=2,
    max_steps=2,
    start_rate_per_s=500,
    peer_s=1,
    open_timers=250_000,
    repeats=1,
    pause_s=20,
    held_touchpoints=25_000,
    late_touchpoints=5000,
    late_claims=500,
    within_s=28 * 60,
)
LONG = Pace(window_s=180, settle_s=30, max_steps=8, peer_s=20, open_timers=5_000_000, repeats=5, patience=10)


def table(figures: Iterable[Figure]) -> str:
    """As Markdown, which people can read as it is."""
    rows = [("part", "what", "measured", "budget"), *((f.part, f.what, f.value, f.budget) for f in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def machine() -> list[str]:
    """What the figures depend on."""
    cores, system = len(os.sched_getaffinity(0)), f"{platform.system()} {platform.release()}"
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return [
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {_commit()}",
        f"{cores} cores of {_cpu()}, {memory_gb:.0f} GB, {system}",
        f"Python {platform.python_version()}, {packages}, Apache Kafka 4.1 (one node, 2 partitions, acks=all)",
        f"load average before the run: {os.getloadavg()[0]:.2f} (1 min), {os.getloadavg()[1]:.2f} (5 min)",
    ]


def _commit() -> str:
    def git(*arguments: str) -> str:
        return subprocess.run(("git", *arguments), capture_output=True, text=True, check=False).stdout.strip()

    dirty = " with uncommitted changes" if git("status", "--porcelain", "--untracked-files=no") else ""
    return (git("rev-parse", "--short", "HEAD") or "unknown") + dirty


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
