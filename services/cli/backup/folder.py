"""The backup of a data folder: Kafka's logs with their offsets, ClickHouse's files, configuration and secrets."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from services.cli.backup.copying import copy, refuse_little_space
from services.cli.backup.holding import back_after_s, held
from services.cli.backup.manifest import CONTENT, PARTIAL, BackupRefused, FileEntry, Manifest, write_manifest
from services.cli.backup.outside import outside
from services.cli.backup.picture import LOCK, Picture, forget, take
from services.cli.backup.target import unfinished
from services.cli.backup.written_by import of_folder
from services.embedded.kafka.lock import FileLock
from services.supervisor.folder import read_run
from services.supervisor.private import UMASK

Say = Callable[[str], None]
SAY_EVERY_S = 5.0


def is_one(data: Path) -> bool:
    """Whether `touchline up` keeps a Kafka or a ClickHouse of its own there."""
    return any((data / name).exists() for name in ("kafka", "clickhouse"))


def back_up(data: Path, into: Path, say: Say) -> dict[str, object]:
    """Writes the folder `data`, running or not, into `into`; what was done. Raises BackupRefused.

    What is written there before the end is known as unfinished, and replaced by the next run.
    """
    os.umask(UMASK)
    data, into = data.resolve(), into.resolve()
    _refuse_places(data, into)
    began_s, taken_at = time.monotonic(), datetime.now(UTC)
    with _only_one(data), unfinished(into, PARTIAL, "a backup"):
        runs = not read_run(data).stopped
        try:
            with held(data):
                pictured_s = time.monotonic()
                picture = take(data)
                pictured_s = time.monotonic() - pictured_s
            say(f"picture of {len(picture.files):,} files, {picture.bytes:,} bytes, in {pictured_s:.2f} s; copying")
            refuse_little_space(into, picture.bytes)
            manifest = _written(picture, data, into, taken_at, say)
        finally:
            forget(data)
        stopped_s = back_after_s(data) if runs else 0.0
    for path in outside(data):
        say(f"not in the backup, it is outside the data folder: {path}")
    if stopped_s is None:
        say("what was stopped for the backup has not come back: see `touchline doctor`")
    return {
        "backup": str(into),
        "taken_at": manifest.taken_at,
        "files": len(manifest.files),
        "bytes": manifest.bytes,
        "stopped_s": stopped_s,
        "duration_s": round(time.monotonic() - began_s, 1),
    }


def _refuse_places(data: Path, into: Path) -> None:
    if not is_one(data):
        raise BackupRefused(f"{data} is no data folder of `touchline up`: give --data")
    if into == data or into.is_relative_to(data):
        raise BackupRefused(f"{into} is in the data folder itself: give a folder elsewhere, best on another disk")


@contextmanager
def _only_one(data: Path) -> Iterator[None]:
    lock = FileLock(data / LOCK)
    if not lock.acquire(wait=False):
        raise BackupRefused(f"another backup of {data} is under way: wait for it")
    try:
        yield
    finally:
        lock.release()


def _written(picture: Picture, data: Path, into: Path, taken_at: datetime, say: Say) -> Manifest:
    root = into / CONTENT
    root.mkdir(mode=0o700)
    for folder in picture.folders:
        (root / folder).mkdir(mode=0o700)
    files = _copied(picture, root, say)
    manifest = Manifest(
        taken_at=taken_at,
        versions=of_folder(data),
        folders=tuple(picture.folders),
        links=tuple(picture.links),
        files=tuple(files),
    )
    os.sync()
    write_manifest(into, manifest)
    return manifest


def _copied(picture: Picture, root: Path, say: Say) -> list[FileEntry]:
    files, done, said_s = [], 0, time.monotonic()
    for path, size in picture.files:
        files.append(FileEntry(path=path, bytes=size, sha256=copy(picture.root / path, root / path, size)))
        (picture.root / path).unlink()  # so that what was deleted meanwhile is not kept longer than needed
        done += size
        if time.monotonic() - said_s > SAY_EVERY_S:
            said_s = time.monotonic()
            say(f"{done:,} of {picture.bytes:,} bytes copied")
    return files
