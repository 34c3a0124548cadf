"""What a file of ClickHouse holds behind its compression, read without ClickHouse: also of parts out of use.

Columns, marks and indexes stand in blocks: a CityHash128 of what follows, the codec, both sizes, the data. A block is
found wherever its checksum is right, so files that hold other files (packed parts) are read as well.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import Final

import lz4.block
import zstandard
from clickhouse_cityhash.cityhash import CityHash128

_CHECKSUM_BYTES: Final = 16
_HEAD_BYTES: Final = 9
_MOST_BYTES: Final = 1 << 30
_LZ4, _ZSTD, _SEVERAL = 0x82, 0x90, 0x91
#: Also none at all (2), and those of numbers (Delta, T64, DoubleDelta, Gorilla, FPC, GCD): no text goes through them.
_CODECS: Final = re.compile(rb"[\x02\x82\x90-\x95\x98\x9a]")


def plain(content: bytes) -> Iterator[bytes]:
    """The content of each run of blocks that follow one another."""
    run, end = bytearray(), -1
    for start, stop in _places(content):
        if start != end and run:
            yield bytes(run)
            run.clear()
        run += _unpacked(content[start + _CHECKSUM_BYTES : stop])
        end = stop
    if run:
        yield bytes(run)


def outside(content: bytes) -> int:
    """How many bytes stand in no block."""
    return len(content) - sum(stop - start for start, stop in _places(content))


def _places(content: bytes) -> Iterator[tuple[int, int]]:
    """Where blocks begin, at their checksum, and end."""
    at = _CHECKSUM_BYTES
    while found := _CODECS.search(content, at):
        head = found.start()
        if stop := _end(content, head):
            yield head - _CHECKSUM_BYTES, stop
            at = stop + _CHECKSUM_BYTES
        else:
            at = head + 1


def _end(content: bytes, head: int) -> int:
    """Where the block ends whose codec stands at `head`; 0 where none does."""
    if head + _HEAD_BYTES > len(content):
        return 0
    packed, size = struct.unpack_from("<II", content, head + 1)
    stop: int = head + packed
    if not (packed > _HEAD_BYTES and stop <= len(content) and 0 < size < _MOST_BYTES):
        return 0
    low, high = struct.unpack_from("<QQ", content, head - _CHECKSUM_BYTES)
    checksum: int = CityHash128(content[head:stop])
    return stop if checksum == low << 64 | high else 0


def _unpacked(block: bytes) -> bytes:
    codec, _, size = struct.unpack_from("<BII", block)
    data = block[_HEAD_BYTES:]
    if codec == _LZ4:
        return bytes(lz4.block.decompress(data, uncompressed_size=size))
    if codec == _ZSTD:
        return zstandard.ZstdDecompressor().decompress(data, max_output_size=size)
    if codec == _SEVERAL:
        return _unpacked(data[1 + data[0] :])
    return data  # not compressed, or numbers
