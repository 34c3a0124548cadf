"""The folder that is written to: empty or our own leftover, closed to others, known as unfinished to the end."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.cli.backup.manifest import BackupRefused


@contextmanager
def unfinished(folder: Path, marker: str, what: str) -> Iterator[None]:
    """While this lasts, `folder` has the file `marker`; what a killed one left is removed, by its marker.

    When it ends without an error, all of it is on the disk and the marker gone. Raises BackupRefused when the folder
    holds something else, or another process is writing to it.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        opened = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise BackupRefused(f"{folder} cannot be used: {error.strerror}") from None
    try:
        _own(opened, folder)
        _begin(folder, marker, what)
        yield
        os.sync()  # thousands of small files: one call instead of one each
        (folder / marker).unlink()
        os.fsync(opened)
    finally:
        os.close(opened)


def _own(opened: int, folder: Path) -> None:
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise BackupRefused(f"{folder} is being written to by another backup or restore: wait for it") from None


def _begin(folder: Path, marker: str, what: str) -> None:
    try:
        if (folder / marker).exists():
            _clear(folder, marker)
        elif found := next(iter(_content(folder)), None):
            raise BackupRefused(f"{folder} is not empty, it holds {found.name}: give {what} a folder of its own")
        folder.chmod(0o700)
        (folder / marker).touch(mode=0o600)
    except OSError as error:
        raise BackupRefused(f"{folder} cannot be used: {error.strerror}") from None


def clear(folder: Path, marker: str) -> None:
    """Remove everything but the folder, the marker last."""
    _clear(folder, marker)
    (folder / marker).unlink(missing_ok=True)


def _clear(folder: Path, marker: str) -> None:
    for path in _content(folder):
        if path.name == marker:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _content(folder: Path) -> list[Path]:
    """Without what a file system puts into every folder of its own."""
    return sorted(path for path in folder.iterdir() if path.name != "lost+found")
