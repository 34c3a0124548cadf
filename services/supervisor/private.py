"""The data folder is its owner's alone: what customers did, and the keys to it, is nobody else's on this machine."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

UMASK = 0o077
OWNED = ("kafka", "clickhouse", "logs", "secrets", "imports", "privacy")
"""Folders below the data folder that are ours whatever is in them."""


def keep_private(folder: Path, say: Callable[[str], None]) -> None:
    """From now on this process and its children write for their owner only, and what `folder` has is closed, too.

    Beside our own folders only files are closed: the folder may be one that is used for other things as well.
    """
    os.umask(UMASK)
    closed, refused = 0, ""
    for path in _of(folder):
        try:
            closed += _close(path)
        except FileNotFoundError:  # Kafka's cleaner, or a process that is just ending
            continue
        except OSError as error:
            refused = f"{path} can be read by others, and cannot be closed to them: {error.strerror}"
    if closed:
        say(f"data folder closed to other users: {folder} ({closed} permissions taken back)")
    if refused:
        say(f"data folder {refused}")


def _of(folder: Path) -> Iterator[Path]:
    """A closed folder of ours was closed from within, and is not walked through again at each start."""
    for entry in folder.iterdir():
        try:
            mode = entry.lstat().st_mode
        except FileNotFoundError:
            continue
        if stat.S_ISREG(mode):
            yield entry
        elif entry.name in OWNED and stat.S_ISDIR(mode) and mode & UMASK:
            for parent, _, names in os.walk(entry, topdown=False):
                yield from (Path(parent, name) for name in names)
                yield Path(parent)
    yield folder


def _close(path: Path) -> bool:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode) or not mode & UMASK:
        return False
    path.chmod(stat.S_IMODE(mode) & ~UMASK)
    return True
