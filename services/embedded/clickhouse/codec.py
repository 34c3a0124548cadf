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

from services.embedded.clickhouse.errors import CANNOT_DECOMPRESS, NOT_IMPLEMENTED, QUERY_TOO_LARGE, ClickHouseError

_MIN_COMPRESSED_BYTES: Final = 1024
_BITE_BYTES: Final = 1 << 16
_ZSTD_BITE_BYTES: Final = 512
# The largest that `zstd -19` needs; a frame that asks for more would have it set aside by its header alone.
_WINDOW_BYTES: Final = 8 << 20
# Frames a body may have whatever is in them, and how much of it pays for one more.
_FRAMES: Final = 256
_FRAME_BYTES: Final = 1024
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


class Unpacker(Protocol):
    """Takes one frame, a bite at a time."""

    def take(self, bite: bytes, most: int) -> bytes:
        """Plain bytes of a bite. `most` bounds them where the library can; else the size of a bite does."""

    @property
    def unused(self) -> bytes | None:
        """What of the last bite lies behind the frame; None while the frame goes on."""


class _Capped:
    """zlib and lz4: they give at most what is asked for, and keep the rest of a bite for the next one."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame

    def take(self, bite: bytes, most: int) -> bytes:
        return bytes(self._frame.decompress(bite, most))

    @property
    def unused(self) -> bytes | None:
        return bytes(self._frame.unused_data or b"") if self._frame.eof else None


class _ZstdFrame:
    """It has no cap of its own, so its bites are small: each of their blocks can become 128 KiB."""

    def __init__(self) -> None:
        self._frame = zstandard.ZstdDecompressor(max_window_size=_WINDOW_BYTES).decompressobj()

    def take(self, bite: bytes, most: int) -> bytes:
        return self._frame.decompress(bite)

    @property
    def unused(self) -> bytes | None:
        return bytes(self._frame.unused_data or b"") if self._frame.eof else None


def _frames(data: bytes, max_bytes: int, make: Callable[[], Unpacker], bite_bytes: int) -> tuple[bytes, bool]:
    """Every frame of a body, since clients send one for each block they write, and whether the last is whole.

    Stops above `max_bytes`. Each byte is looked at once: of the bytes behind a frame only those of its last bite are
    copied. Raises ClickHouseError when there are more frames than anybody writes.
    """
    plain, at, frames = bytearray(), 0, 0
    while at < len(data) and len(plain) <= max_bytes:
        frames += 1
        if frames > _FRAMES + len(plain) // _FRAME_BYTES:
            raise _broken(f"The body has more than {_FRAMES} frames with next to nothing in them")
        unpacker, whole = make(), False
        while at < len(data) and not whole and len(plain) <= max_bytes:
            bite = data[at : at + bite_bytes]
            plain += unpacker.take(bite, max_bytes + 1 - len(plain))
            unused = unpacker.unused
            whole = unused is not None
            at += len(bite) - len(unused or b"")
    return bytes(plain), whole


def _zlib(data: bytes, max_bytes: int) -> tuple[bytes, bool]:
    # 47: zlib and gzip, whichever the header says
    return _frames(data, max_bytes, lambda: _Capped(zlib.decompressobj(wbits=47)), _BITE_BYTES)


def _lz4(data: bytes, max_bytes: int) -> tuple[bytes, bool]:
    return _frames(data, max_bytes, lambda: _Capped(lz4.frame.LZ4FrameDecompressor()), _BITE_BYTES)


def _zstd(data: bytes, max_bytes: int) -> tuple[bytes, bool]:
    return _frames(data, max_bytes, _ZstdFrame, _ZSTD_BITE_BYTES)


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
        raise _broken(f"The body is not valid {encoding}: {error}") from None
    if len(plain) > max_bytes:
        raise too_large(max_bytes)
    if not ended:
        raise _broken(f"The {encoding} body ends too early")
    return plain


def _broken(what: str) -> ClickHouseError:
    return ClickHouseError.made(CANNOT_DECOMPRESS, what)


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
