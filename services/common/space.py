"""Free disk space: what is little, what is too little, and how both are said. Pure but for `of_folder`.

A full disk loses nothing: Kafka halts and the gateway answers 503, the sink waits. But it stops everything, and Kafka
needs free space to come back, so it is told before.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

MIB: Final = 1 << 20
LOW_BYTES: Final = 2 << 30
"""Less is said: time to make room, before anything stops."""
SHORT_BYTES: Final = 512 * MIB
"""Less is urgent: ClickHouse's merges need room for what they merge, and Kafka 256 MiB to start."""
FIX: Final = "delete what is not Touchline's, enlarge the disk, or lower `kafka.retention_bytes`; all goes on by itself"

State = Literal["ok", "low", "short"]


@dataclass(frozen=True, slots=True)
class Space:
    """Free bytes of one file system; `holder` says whose data lies there."""

    holder: str
    path: str
    free_bytes: int
    total_bytes: int

    @property
    def state(self) -> State:
        if self.free_bytes >= LOW_BYTES:
            return "ok"
        return "low" if self.free_bytes >= SHORT_BYTES else "short"

    @property
    def words(self) -> str:
        """How much is free, and where."""
        return f"{_size(self.free_bytes)} of {_size(self.total_bytes)} free at {self.path}"


def of_folder(folder: Path, holder: str) -> Space:
    """The file system of `folder`, or of the nearest parent that is there. Raises OSError."""
    there = next(each for each in (folder.resolve(), *folder.resolve().parents) if each.exists())
    usage = shutil.disk_usage(there)
    return Space(holder, str(there), usage.free, usage.total)


CLICKHOUSE: Final = "SELECT path, free_space, total_space FROM system.disks WHERE total_space > 0"
"""Disks without a size of their own, such as object stores, are never full."""


def of_clickhouse(rows: Iterable[dict[str, object]]) -> list[Space]:
    """What ClickHouse answers to CLICKHOUSE."""
    return [
        Space("ClickHouse", str(row["path"]), int(str(row["free_space"])), int(str(row["total_space"]))) for row in rows
    ]


def _size(count: int) -> str:
    return f"{count / (1 << 30):.1f} GiB" if count >= 1 << 30 else f"{count >> 20} MiB"
