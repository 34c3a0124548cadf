"""Nothing changes in the data folder while this lasts: what runs there is asked to pause, or kept from starting."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from services.cli.backup.manifest import BackupRefused
from services.embedded.kafka.lock import FileLock
from services.supervisor.folder import RESTORING, Run, read_run
from services.supervisor.hold import ask, let_go

HELD_WITHIN_S: Final = 60.0
BACK_WITHIN_S: Final = 180.0
LOOK_EVERY_S: Final = 0.05


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Raises BackupRefused when the folder cannot be held, or was not to the end: what was taken is not to be used."""
    if (folder / RESTORING).exists():
        raise BackupRefused(f"{folder} is half restored: run `touchline restore` on it again")
    lock = FileLock(folder / "touchline.lock")
    if lock.acquire(wait=False):
        try:
            yield
        finally:
            lock.release()
        return
    asker = ask(folder)
    try:
        owner = _until_held(folder, asker.pid)
        yield
        now = read_run(folder)
        if (now.pid, now.held_for) != (owner.pid, asker.pid):
            raise BackupRefused(f"{folder} was started or stopped in the meantime: run the backup again")
    finally:
        let_go(folder)


def _until_held(folder: Path, by: int) -> Run:
    until = time.monotonic() + HELD_WITHIN_S
    while (run := read_run(folder)).held_for != by:
        if run.stopped:
            raise BackupRefused(f"{folder} is just being stopped: run the backup again")
        if time.monotonic() > until:
            raise BackupRefused(
                f"{folder} is in use by pid {run.pid}, which does not pause for a backup within {HELD_WITHIN_S:.0f} s. "
                "Is it still starting, or of an earlier version? Wait, or stop it for the backup"
            )
        time.sleep(LOOK_EVERY_S)
    return run


def back_after_s(folder: Path) -> float | None:
    """Wait until what was held runs again: how long it was away, in seconds; None when it is not back in time."""
    until = time.monotonic() + BACK_WITHIN_S
    while time.monotonic() < until:
        run = read_run(folder)
        if run.stopped:
            return None
        if run.held_s:
            return run.held_s
        time.sleep(LOOK_EVERY_S)
    return None
