"""Files from here to there, read once, with their checksums."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import Final

from services.cli.backup.manifest import BackupRefused, FileEntry, LinkEntry
from services.common.space import MIB

_PIECE: Final = 1 << 20
SPARE_BYTES: Final = 256 * MIB
"""What a copy leaves free on its disk."""


class Damaged(BackupRefused):
    """A file is not what it was when it was written."""


def copy(source: Path, into: Path, size: int) -> str:
    """The first `size` bytes, for their owner only; their sha256. Raises Damaged when there are fewer."""
    digest = hashlib.sha256()
    with source.open("rb") as reader, os.fdopen(_fresh(into), "wb") as writer:
        left = size
        while left and (piece := reader.read(min(_PIECE, left))):
            digest.update(piece)
            writer.write(piece)
            left -= len(piece)
    if left:
        raise Damaged(f"{source} has {size - left} bytes, {size} were expected")
    return digest.hexdigest()


def checksum(path: Path) -> str:
    """The sha256 of a whole file."""
    with path.open("rb") as reader:
        return hashlib.file_digest(reader, "sha256").hexdigest()


def check(folder: Path, file: FileEntry) -> str:
    """What is wrong with a file below `folder`, in words; empty when nothing is."""
    path = folder / file.path
    try:
        size = path.lstat().st_size
        if path.is_symlink() or not path.is_file():
            return f"{file.path} is no file"
        if size != file.bytes:
            return f"{file.path} has {size} bytes, not {file.bytes}"
        return "" if checksum(path) == file.sha256 else f"{file.path} has another content than was written"
    except FileNotFoundError:
        return f"{file.path} is missing"
    except OSError as error:
        return f"{file.path} cannot be read: {error.strerror}"


def make_folders(root: Path, folders: tuple[str, ...]) -> None:
    """All of them, for their owner only."""
    for folder in folders:
        (root / folder).mkdir(mode=0o700, parents=True, exist_ok=True)


def make_links(root: Path, links: tuple[LinkEntry, ...]) -> None:
    """As they were; each stays below `root`."""
    for link in links:
        (root / link.path).symlink_to(link.target)


def refuse_little_space(folder: Path, needed_bytes: int) -> None:
    """Raises BackupRefused when `folder` has no room for so much."""
    free = shutil.disk_usage(folder).free
    if free < needed_bytes + SPARE_BYTES:
        raise BackupRefused(
            f"{folder} has {free // MIB} MiB free, {(needed_bytes + SPARE_BYTES) // MIB} MiB are needed: make room"
        )


def _fresh(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
