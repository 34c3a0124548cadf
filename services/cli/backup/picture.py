"""One picture of a stopped data folder, taken in moments: what never changes again is linked, the rest is copied.

ClickHouse never changes a part once it is written, and Kafka only appends to a log: a hard link and the size of now
hold what they had, while both go on working. So the pause depends on the number of files and not on their size.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from services.cli.backup.manifest import BackupRefused, LinkEntry, leads_inside
from services.supervisor.folder import RESTORING
from services.supervisor.hold import HOLD_FILE

PICTURE: Final = "backup-picture"
LOCK: Final = "backup.lock"
LEFT_OUT: Final = frozenset(
    [
        # of the present run, and logs
        *("run.json", "status.json", "touchline.lock", "logs", "kafka/logs", "kafka/lock", "kafka/jvm.pid"),
        *("clickhouse/warehouse.lock", "clickhouse/engine/tmp", "clickhouse/engine/status"),
        # written anew at each start, with this folder's own path
        *("kafka/server.properties", "clickhouse/config.xml", "clickhouse/users.xml"),
        # of backups themselves
        *("clickhouse/backups", PICTURE, LOCK, HOLD_FILE, RESTORING),
    ]
)
_OF_A_PART: Final = re.compile(r"clickhouse/engine/store/.+_\d+_\d+_\d+[^/]*/[^/]+\.(?:bin|packed|c?mrk\d?|c?idx)\Z")
_LOG: Final = re.compile(r"kafka/kafka/[^/]+/\d+\.log\Z")
CLEAN: Final = "kafka/kafka/.kafka_cleanshutdown"
"""Kafka's own word that it has ended in order, and will cut off no end of a log at its next start."""


@dataclass(slots=True)
class Picture:
    """What stood in the folder: `files` are (path, bytes at that moment), to be read below `root`."""

    root: Path
    folders: list[str] = field(default_factory=list)
    links: list[LinkEntry] = field(default_factory=list)
    files: list[tuple[str, int]] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        return sum(size for _, size in self.files)


def take(folder: Path) -> Picture:
    """The picture of a folder in which nothing runs, below `folder`. Remove it with `forget`."""
    forget(folder)
    picture = Picture(folder / PICTURE)
    picture.root.mkdir(mode=0o700)
    is_clean = (folder / CLEAN).exists()
    for path, mode in _walk(folder, folder):
        name = path.relative_to(folder).as_posix()
        if stat.S_ISDIR(mode):
            (picture.root / name).mkdir(mode=0o700)
            picture.folders.append(name)
        elif stat.S_ISLNK(mode):
            picture.links.append(_link(name, path))
        elif stat.S_ISREG(mode):
            picture.files.append((name, _keep(path, picture.root / name, is_fixed(name, is_clean))))
    return picture


def forget(folder: Path) -> None:
    """Remove what `take` made, also that of a backup that was killed."""
    shutil.rmtree(folder / PICTURE, ignore_errors=True)


def is_fixed(name: str, kafka_ended_in_order: bool) -> bool:
    """Whether what the file holds now stays as it is, whatever is appended to it."""
    return _OF_A_PART.match(name) is not None or (kafka_ended_in_order and _LOG.match(name) is not None)


def _walk(folder: Path, below: Path) -> Iterator[tuple[Path, int]]:
    for entry in sorted(below.iterdir()):
        if entry.relative_to(folder).as_posix() in LEFT_OUT or entry.suffix in (".part", ".new"):
            continue
        mode = entry.lstat().st_mode
        yield entry, mode
        if stat.S_ISDIR(mode):
            yield from _walk(folder, entry)


def _link(name: str, path: Path) -> LinkEntry:
    link = LinkEntry(path=name, target=os.readlink(path))
    if not leads_inside(link):
        raise BackupRefused(f"{path} is a link that leads out of the data folder, to {link.target}: put the file there")
    return link


def _keep(path: Path, into: Path, fixed: bool) -> int:
    if fixed:
        try:
            os.link(path, into)
        except OSError:  # a file system without hard links, or too many of one file
            shutil.copyfile(path, into)
    else:
        shutil.copyfile(path, into)
    return into.stat().st_size
