"""Content encodings of the HTTP interface, both ways. Pure; a bomb is stopped at the cap, not at the end."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import Any, Final, Protocol

import brotli
import lz4.block
import lz4.frame
import zstandard
from clickhouse_cityhash.cityhash import CityHash128

from services.warehouse.errors import CANNOT_DECOMPRESS, NOT_IMPLEMENTED, QUERY_TOO_LARGE, ClickHouseError

_MIN_COMPRESSED_BYTES: Final = 1024
_BITE_BYTES: Final = 4096
BLOCKS: Final = "clickhouse-blocks"  # no Content-Encoding: the client knows what it asked for
_BLOCK_BYTES: Final = 1 << 18


class Encoder(Protocol):
    """Compresses an answer piece by piece; what `flush` returns ends it."""

    def compress(self, data: bytes) -> bytes: ...

    def flush(self) -> bytes: ...


class _Lz4:
    def __init__(self) -> None:
        self._frame = lz4.frame.LZ4FrameCompressor()
        self._begun = False

    def compress(self, data: bytes) -> bytes:
        begin = b"" if self._begun else self._frame.begin()
        self._begun = True
        return bytes(begin + self._frame.compress(data))

    def flush(self) -> bytes:
        return self.compress(b"") + bytes(self._frame.flush())


class _Brotli:
    def __init__(self) -> None:
        self._frame: Any = brotli.Compressor(quality=1)

    def compress(self, data: bytes) -> bytes:
        return bytes(self._frame.process(data))

    def flush(self) -> bytes:
        return bytes(self._frame.finish())


class _Blocks:
    """ClickHouse's own blocks, which `compress=1` asks for: a checksum, the sizes, and LZ4 without a frame."""

    def compress(self, data: bytes) -> bytes:
        return b"".join(_block(data[start : start + _BLOCK_BYTES]) for start in range(0, len(data), _BLOCK_BYTES))

    def flush(self) -> bytes:
        return b""


def _block(plain: bytes) -> bytes:
    packed: bytes = lz4.block.compress(plain, store_size=False)
    block = struct.pack("<BII", 0x82, 9 + len(packed), len(plain)) + packed
    checksum: int = CityHash128(block)
    return struct.pack("<QQ", checksum >> 64, checksum & (1 << 64) - 1) + block


class _Plain:
    def compress(self, data: bytes) -> bytes:
        return data

    def flush(self) -> bytes:
        return b""


_ENCODERS: Final[dict[str, Callable[[], Encoder]]] = {
    "": _Plain,
    "lz4": _Lz4,
    "zstd": lambda: zstandard.ZstdCompressor(level=1).compressobj(),
    "gzip": lambda: zlib.compressobj(level=1, wbits=31),
    "deflate": lambda: zlib.compressobj(level=1, wbits=15),
    "br": _Brotli,
    BLOCKS: _Blocks,
}


_Bite = Callable[[Any, bytes, int], bytes]
"""(decoder, compressed, most bytes wanted) → plain bytes."""


def _frames(data: bytes, max_bytes: int, make: Callable[[], Any], bite: _Bite) -> tuple[bytes, bool]:
    """Every frame of a body: clients send one for each block they write. Stops above `max_bytes`."""
    plain, rest = bytearray(), data
    while True:
        unpacker = make()
        plain += bite(unpacker, rest, max_bytes + 1 - len(plain))
        rest = unpacker.unused_data or b""
        if not unpacker.eof or not rest or len(plain) > max_bytes:
            return bytes(plain), bool(unpacker.eof)


def _whole(unpacker: Any, data: bytes, most: int) -> bytes:
    return bytes(unpacker.decompress(data, most))


def _in_bites(unpacker: Any, data: bytes, most: int) -> bytes:
    """This decoder has no cap of its own: small bites bound what one of them can become."""
    plain = bytearray()
    for start in range(0, len(data), _BITE_BYTES):
        plain += unpacker.decompress(data[start : start + _BITE_BYTES])
        if unpacker.eof:
            unpacker.rest = data[start + _BITE_BYTES :]
            break
        if len(plain) > most:
            break
    return bytes(plain)


class _ZstdFrame:
    """A zstd decoder that remembers what its last bite left over."""

    def __init__(self) -> None:
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self.rest = b""

    def decompress(self, data: bytes) -> bytes:
        return self._frame.decompress(data)

    @property
    def eof(self) -> bool:
        return bool(self._frame.eof)

    @property
    def unused_data(self) -> bytes:
        return bytes(self._frame.unused_data or b"") + self.rest


def _zlib(data: bytes, max_bytes: int) -> tuple[bytes, bool]:
    # 47: zlib and gzip, whichever the header says
    return _frames(data, max_bytes, lambda: zlib.decompressobj(wbits=47), _whole)


def _lz4(data: bytes, max_bytes: int) -> tuple[bytes, bool]:
    return _frames(data, max_bytes, lz4.frame.LZ4FrameDecompressor, _whole)


def _zstd(data: bytes, max_bytes: int) -> tuple[bytes, bool]:
    return _frames(data, max_bytes, _ZstdFrame, _in_bites)


def _brotli(data: bytes, max_bytes: int) -> tuple[bytes, bool]:
    unpacker: Any = brotli.Decompressor()
    plain = bytes(unpacker.process(data, output_buffer_limit=max_bytes + 1))
    return plain, unpacker.is_finished()


_DECODERS: Final[dict[str, Callable[[bytes, int], tuple[bytes, bool]]]] = {
    "gzip": _zlib,
    "deflate": _zlib,
    "lz4": _lz4,
    "zstd": _zstd,
    "br": _brotli,
}


def decode(data: bytes, encoding: str, max_bytes: int) -> bytes:
    """`data` without its Content-Encoding. Raises ClickHouseError when unknown, broken or above `max_bytes`."""
    if encoding in ("", "identity") or not data:
        return data
    decoder = _DECODERS.get(encoding)
    if decoder is None:
        raise ClickHouseError.made(NOT_IMPLEMENTED, f"Unknown Content-Encoding {encoding[:40]!r}")
    try:
        plain, ended = decoder(data, max_bytes)
    except (zlib.error, RuntimeError, EOFError, zstandard.ZstdError, brotli.error) as error:
        raise ClickHouseError.made(CANNOT_DECOMPRESS, f"The body is not valid {encoding}: {error}") from None
    if len(plain) > max_bytes:
        raise too_large(max_bytes)
    if not ended:
        raise ClickHouseError.made(CANNOT_DECOMPRESS, f"The {encoding} body ends too early")
    return plain


def too_large(max_bytes: int) -> ClickHouseError:
    return ClickHouseError.made(QUERY_TOO_LARGE, f"The body is larger than {max_bytes} bytes")


def accepted(header: str, size_bytes: int) -> str:
    """The first encoding of an Accept-Encoding header that is spoken here; none for an answer too small to gain."""
    if size_bytes < _MIN_COMPRESSED_BYTES:
        return ""
    names = (part.partition(";")[0].strip().lower() for part in header.split(","))
    return next((name for name in names if name in _ENCODERS and name != BLOCKS), "")


def encoder(encoding: str) -> Encoder:
    """A fresh encoder for an encoding `accepted` gave."""
    return _ENCODERS[encoding]()
