"""A body of several frames is all of them: clients compress each block they write on its own."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import lz4.frame
import pytest
import zstandard

from services.embedded.clickhouse.codec import decode
from services.embedded.clickhouse.errors import ClickHouseError

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "lz4": lz4.frame.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
}
BLOCKS = [bytes([65 + number]) * 100_000 for number in range(5)]


@pytest.mark.parametrize("encoding", PACKERS)
def test_every_frame_counts(encoding: str) -> None:
    body = b"".join(PACKERS[encoding](block) for block in BLOCKS)
    assert decode(body, encoding, 1 << 20) == b"".join(BLOCKS)


@pytest.mark.parametrize("encoding", PACKERS)
def test_the_cap_holds_over_frames(encoding: str) -> None:
    body = b"".join(PACKERS[encoding](block) for block in BLOCKS)
    with pytest.raises(ClickHouseError, match="larger than"):
        decode(body, encoding, 250_000)


@pytest.mark.parametrize("encoding", PACKERS)
def test_a_torn_last_frame_is_refused(encoding: str) -> None:
    body = PACKERS[encoding](BLOCKS[0]) + PACKERS[encoding](BLOCKS[1])[:-6]
    with pytest.raises(ClickHouseError, match="ends too early|not valid"):
        decode(body, encoding, 1 << 20)


def test_the_first_frame_alone_would_lose_rows() -> None:
    """Known bad: what this module once did."""
    body = b"".join(lz4.frame.compress(block) for block in BLOCKS)
    assert lz4.frame.LZ4FrameDecompressor().decompress(body) != b"".join(BLOCKS)
