"""What a power cut does to a Kafka log: its last records are gone, and what was written to it after is not."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_HEADER = struct.Struct(">qiib4xhi")
"""Of a record batch: base offset, length of the rest, leader epoch, magic, (crc), attributes, last offset delta."""
_BEFORE_LENGTH_COUNTS = 12


@dataclass(frozen=True, slots=True)
class Batch:
    """A record batch: its first and last offset, where it stands in its segment, and how much of it that is."""

    first: int
    last: int
    segment: Path
    start_byte: int
    size_bytes: int


def batches(log: Path) -> Iterator[Batch]:
    """The batches of a partition's folder, in their order."""
    for segment in sorted(log.glob("*.log")):
        content, at = segment.read_bytes(), 0
        while at + _HEADER.size <= len(content):
            base, length, _epoch, magic, _attributes, delta = _HEADER.unpack_from(content, at)
            if length <= 0 or magic != 2 or at + _BEFORE_LENGTH_COUNTS + length > len(content):
                break
            size = _BEFORE_LENGTH_COUNTS + length
            yield Batch(base, base + delta, segment, at, size)
            at += size


def truncate_logs(folder: Path, share: float) -> int:
    """`truncate_log` on each log of ours, by so much of its records, torn; how many logs are shorter now."""
    ends = {log: [batch.last + 1 for batch in batches(log)] for log in (folder / "kafka").glob("*.v1-*")}
    lost = {log: round(share * found[-1]) for log, found in ends.items() if found}
    for log, records in lost.items():
        topic, _, partition = log.name.rpartition("-")
        truncate_log(folder, topic, int(partition), records, torn=True)
    return sum(records > 0 for records in lost.values())


def truncate_log(folder: Path, topic: str, partition: int, records: int, *, torn: bool = False) -> int:
    """Cut at least the last `records` records off a log; whole batches go. The broker must be down.

    `folder` is the broker's data folder (`DIR/kafka` of `touchline up --data DIR`). Returns the log's new end: the
    offset that the next record will get. The broker takes the folder for one that was not stopped in order.
    `torn`: half of the first batch that is lost stays, for the broker to find and to drop.
    """
    kept_in = folder / "kafka"
    log = kept_in / f"{topic}-{partition}"
    found = list(batches(log))
    wanted = (found[-1].last + 1 if found else 0) - records
    cut = next((batch for batch in found if batch.last >= wanted), None)
    if cut is None or records <= 0:
        return found[-1].last + 1 if found else 0
    with cut.segment.open("r+b") as segment:
        segment.truncate(cut.start_byte + (cut.size_bytes // 2 if torn else 0))
    for later in (file for file in log.glob("*.log") if file.name > cut.segment.name):
        later.unlink()
    for derived in (*log.glob("*.index"), *log.glob("*.timeindex"), *log.glob("*.snapshot")):
        if int(derived.stem) >= int(cut.segment.stem):
            derived.unlink()
    (kept_in / ".kafka_cleanshutdown").unlink(missing_ok=True)
    return cut.first
