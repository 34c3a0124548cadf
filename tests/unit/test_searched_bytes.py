"""The search through every byte of a data folder sees what ClickHouse has compressed, and says what it cannot read."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import lz4.block
import pytest
import zstandard
from clickhouse_cityhash.cityhash import CityHash128

from services.embedded.clickhouse.codec import BLOCKS, encoder
from tests.faults.kit.blocks import outside, plain
from tests.faults.kit.traces import searched

WORD = "Zandkasteelmoord"
TEXT = b"nothing of note " * 40 + WORD.encode() + b" and more of the same" * 40
STORE = Path("clickhouse/engine/store/abc/all_1_1_0")


def block(codec: int, data: bytes, size: int) -> bytes:
    """A block without its checksum."""
    return struct.pack("<BII", codec, 9 + len(data), size) + data


def signed(one: bytes) -> bytes:
    checksum: int = CityHash128(one)
    return struct.pack("<QQ", checksum >> 64, checksum & (1 << 64) - 1) + one


def lz4_block(text: bytes) -> bytes:
    return block(0x82, lz4.block.compress(text, store_size=False), len(text))


def zstd_block(text: bytes) -> bytes:
    return block(0x90, zstandard.ZstdCompressor().compress(text), len(text))


SEVERAL = block(0x91, b"\x01\x90" + zstd_block(TEXT), len(TEXT))
"""A codec that is said to be several."""


@pytest.mark.parametrize(
    "one",
    [lz4_block(TEXT), zstd_block(TEXT), SEVERAL, block(0x02, TEXT, len(TEXT))],
    ids=["lz4", "zstd", "several", "none"],
)
def test_a_block_of_each_codec_is_read(one: bytes) -> None:
    assert list(plain(signed(one))) == [TEXT] and outside(signed(one)) == 0


def test_words_across_two_blocks_are_one_text_and_files_in_files_are_found() -> None:
    half = len(TEXT) // 2
    column = signed(lz4_block(TEXT[:half])) + signed(zstd_block(TEXT[half:]))
    packed = b"data.bin\x00\x82\x90" + column + b"checksums.txt" + signed(lz4_block(b"12345678" * 9))
    assert list(plain(packed)) == [TEXT, b"12345678" * 9]
    assert outside(packed) == len(b"data.bin\x00\x82\x90" + b"checksums.txt")


def test_the_blocks_that_the_server_writes_to_clients_are_the_same() -> None:
    """The order of the checksum's halves is ClickHouse's, which the embedded one has to meet as well."""
    assert b"".join(plain(encoder(BLOCKS).compress(TEXT))) == TEXT


def test_words_in_files_parts_and_deleted_files_are_found(tmp_path: Path) -> None:
    for folder in (STORE, Path("kafka/kafka/t-0"), Path("logs")):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / STORE / "text.bin").write_bytes(signed(zstd_block(TEXT)))
    (tmp_path / "kafka/kafka/t-0/0.log").write_bytes(TEXT)
    (tmp_path / "logs/sink.log").write_bytes(b"nothing")
    found = {"clickhouse/engine/store": 1, "kafka/kafka/t-0": 1}
    assert searched(tmp_path, [WORD]).found == found
    with (tmp_path / "kafka/kafka/t-0/0.log").open("rb"):
        (tmp_path / "kafka/kafka/t-0/0.log").unlink()
        assert "kafka/kafka/t-0" not in searched(tmp_path, [WORD]).found
        assert searched(tmp_path, [WORD], [os.getpid()]).found == found
    assert searched(tmp_path, ["elsewhere"]).found == {}


@pytest.mark.parametrize(
    "spoilt", [signed(block(0x99, b"other", 5)), signed(zstd_block(TEXT))[:-1]], ids=["codec", "cut"]
)
def test_a_column_that_cannot_be_read_whole_is_told(tmp_path: Path, spoilt: bytes) -> None:
    (tmp_path / STORE).mkdir(parents=True)
    (tmp_path / STORE / "text.bin").write_bytes(signed(zstd_block(TEXT)) + spoilt)
    assert searched(tmp_path, [WORD]).unread == [(STORE / "text.bin").as_posix()]
