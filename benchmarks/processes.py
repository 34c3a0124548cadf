"""What a process and its children cost: CPU seconds and memory, from /proc."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def tree(pid: int) -> list[int]:
    """The process and all that descend from it; empty when it is gone."""
    if not Path(f"/proc/{pid}").exists():
        return []
    children: list[int] = []
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            children += map(int, (thread / "children").read_text().split())
    return [pid, *(below for child in children for below in tree(child))]


def cpu_s(pid: int) -> float:
    """CPU seconds the process and its children have used, in user and kernel mode."""
    return sum(_ticks(each) for each in tree(pid)) / TICKS_PER_S


def memory_mb(pids: Iterable[int]) -> float:
    """Memory of these processes in MB. Pages they share are counted once (proportional set size)."""
    return sum(_pss_kb(pid) for pid in pids) / 1024


def _ticks(pid: int) -> int:
    with suppress(OSError, ValueError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])
    return 0


def _pss_kb(pid: int) -> int:
    with suppress(OSError, ValueError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0
