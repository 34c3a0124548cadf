"""A backup becomes a data folder again; and whether it could."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from services.cli.backup.copying import Damaged, check, copy, make_folders, make_links, refuse_little_space
from services.cli.backup.manifest import CONTENT, BackupRefused, FileEntry, Manifest, read_manifest
from services.cli.backup.target import clear, unfinished
from services.cli.backup.written_by import installed, refuse_newer
from services.supervisor.folder import RESTORING
from services.supervisor.private import UMASK

Say = Callable[[str], None]
TOLD = 20


def damages(backup: Path, manifest: Manifest) -> list[str]:
    """What is not as it was written, one line a file; also what was added."""
    root = backup / CONTENT
    found = [wrong for file in manifest.files if (wrong := check(root, file))]
    known = {file.path for file in manifest.files}
    strange = sorted(
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if not path.is_dir() and path.relative_to(root).as_posix() not in known
    )
    return found + [f"{path} does not belong to the backup" for path in strange]


def restore(backup: Path, data: Path, say: Say) -> dict[str, object]:
    """Makes the folder `data` what the backup holds; what was done.

    Raises BackupRefused: `data` is not empty, something newer wrote the backup, or a file is damaged; then `data` stays
    empty. A killed restore is run again.
    """
    os.umask(UMASK)
    began_s, manifest = time.monotonic(), read_manifest(backup)
    refuse_newer(manifest, installed())
    with unfinished(data, RESTORING, "what is restored"):
        try:
            refuse_little_space(data, manifest.bytes)
            make_folders(data, manifest.folders)
            for file in manifest.files:
                _bring(backup / CONTENT, data, file)
            make_links(data, manifest.links)
        except (BackupRefused, OSError) as error:
            clear(data, RESTORING)
            raise BackupRefused(f"{_words(error)}; nothing was restored. Use another backup") from None
    return {
        "restored": str(data),
        "taken_at": manifest.taken_at,
        "written_by": manifest.versions.touchline,
        "files": len(manifest.files),
        "bytes": manifest.bytes,
        "duration_s": round(time.monotonic() - began_s, 1),
    }


def _bring(root: Path, data: Path, file: FileEntry) -> None:
    if wrong := _size_wrong(root / file.path, file):
        raise Damaged(wrong)
    if copy(root / file.path, data / file.path, file.bytes) != file.sha256:
        raise Damaged(f"{root / file.path} is damaged: it has another content than was written")


def _size_wrong(path: Path, file: FileEntry) -> str:
    try:
        size = path.lstat().st_size
    except FileNotFoundError:
        return f"{path} is missing"
    return "" if size == file.bytes else f"{path} is damaged: it has {size} bytes, not {file.bytes}"


def _words(error: BaseException) -> str:
    return f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else str(error)
