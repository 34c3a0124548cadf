"""The data folder: one owner at a time, kept ports, and what the last run left."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from schemas.errors import ConfigurationError
from services.embedded.kafka.lock import FileLock
from services.embedded.kafka.ports import is_free, pick_free, reserve

STALE_WAIT_S = 10.0
RESTORING = "restore.partial"
"""In a folder that a restore is writing, or did not finish."""


@dataclass(slots=True)
class Run:
    """What `run.json` says about the present or the last run. `births` tells a pid from its later namesake.

    `held_for`: the pid of the backup that everything stands still for, 0 when none; `held_s`: how long the last one
    kept it away, 0 until it is back.
    """

    pid: int = 0
    started_at: str = ""
    stopped: bool = True
    pids: dict[str, int] = field(default_factory=dict)
    births: dict[str, int] = field(default_factory=dict)
    ops_ports: dict[str, int] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    held_for: int = 0
    held_s: float = 0.0


class DataFolder:
    """`DIR` of `touchline up --data DIR`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = FileLock(path / "touchline.lock")

    @property
    def logs(self) -> Path:
        """Where every child's log is."""
        return self.path / "logs"

    @property
    def status_file(self) -> Path:
        """What every child is doing: name → state, since, detail. The page shows it while it waits."""
        return self.path / "status.json"

    def take(self) -> Run:
        """Own the folder; returns what the last run left. Raises ConfigurationError when another process owns it."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            taken = self._lock.acquire(wait=False)
        except OSError as error:
            raise ConfigurationError(f"data folder {self.path} cannot be used: {error.strerror}") from None
        if not taken:
            owner = read_run(self.path).pid or "unknown"
            raise ConfigurationError(
                f"data folder {self.path} is in use by another `touchline up` (pid {owner}): "
                "stop that one, or give another --data"
            )
        if (self.path / RESTORING).exists():
            self._lock.release()
            raise ConfigurationError(f"data folder {self.path} is half restored: run `touchline restore` on it again")
        last = read_run(self.path)
        clear_stale(last)
        return last

    def release(self) -> None:
        """Let the next one in; safe to call twice."""
        self._lock.release()

    def save(self, run: Run, status: Mapping[str, object] | None = None) -> None:
        """Replace `run.json` (and `status.json`), each in one step."""
        _replace(self.path / "run.json", asdict(run))
        if status is not None:
            _replace(self.status_file, status)

    def port(self, name: str, wanted: int, flag: str) -> int:
        """`wanted` if it is free; 0: the port `name` had last time if that is free, else another, kept from now on."""
        if wanted:
            if not is_free(wanted):
                raise ConfigurationError(f"port {wanted} for {name} is in use; free it or give {flag} (0 picks one)")
            reserve(wanted)
            return wanted
        kept = self.path / "ports.json"
        ports: dict[str, int] = {}
        with contextlib.suppress(OSError, ValueError):
            ports = json.loads(kept.read_text())
        reserve(*ports.values())
        if not (port := ports.get(name)) or not is_free(port):
            port = pick_free()
        kept.write_text(json.dumps(ports | {name: port}))
        return port


def _replace(path: Path, content: Mapping[str, object]) -> None:
    partial = path.with_suffix(".part")
    partial.write_text(json.dumps(content))
    partial.replace(path)


def read_run(path: Path) -> Run:
    """What `run.json` in `path` says; a fresh `Run` when there is none or it is broken."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        return Run(**json.loads((path / "run.json").read_text()))
    return Run()


def birth(pid: int) -> int:
    """When the process started, in the kernel's ticks; 0 when there is none (or no /proc to ask)."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return 0 if stat[0] in "ZX" else int(stat[19])
    return 0


def clear_stale(last: Run, wait_s: float = STALE_WAIT_S) -> None:
    """Wait for the children of a killed run: they die with it, but hold their locks until they have. Then help."""
    deadline = time.monotonic() + wait_s
    while left := _still_there(last):
        if time.monotonic() > deadline:
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            deadline += wait_s
        time.sleep(0.02)


def _still_there(last: Run) -> list[int]:
    return [pid for name, pid in last.pids.items() if last.births.get(name, 0) and birth(pid) == last.births[name]]
