"""Content encodings of the HTTP interface, both ways. Pure; a bomb is stopped at the cap, not at the end."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any, Final

import brotli
import lz4.frame
import zstandard

from services.warehouse.errors import CANNOT_DECOMPRESS, NOT_IMPLEMENTED, QUERY_TOO_LARGE, ClickHouseError

_ENCODERS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "lz4": lambda data: bytes(lz4.frame.compress(data)),
    "zstd": lambda data: zstandard.ZstdCompressor(level=1).compress(data),
    "gzip": lambda data: _deflated(data, wbits=31),
    "deflate": lambda data: _deflated(data, wbits=15),
    "br": lambda data: bytes(brotli.compress(data, quality=1)),
}
_MIN_COMPRESSED_BYTES: Final = 1024


def _deflated(data: bytes, wbits: int) -> bytes:
    packer = zlib.compressobj(level=1, wbits=wbits)
    return packer.compress(data) + packer.flush()


def _zlib(data: bytes, max_bytes: int) -> bytes:
    unpacker = zlib.decompressobj(wbits=47)  # 47: zlib and gzip, whichever the header says
    return unpacker.decompress(data, max_bytes + 1)


def _lz4(data: bytes, max_bytes: int) -> bytes:
    return bytes(lz4.frame.LZ4FrameDecompressor().decompress(data, max_length=max_bytes + 1))


def _zstd(data: bytes, max_bytes: int) -> bytes:
    with zstandard.ZstdDecompressor().stream_reader(data) as reader:
        return reader.read(max_bytes + 1)


def _brotli(data: bytes, max_bytes: int) -> bytes:
    unpacker: Any = brotli.Decompressor()
    return bytes(unpacker.process(data, output_buffer_limit=max_bytes + 1))


_DECODERS: Final[dict[str, Callable[[bytes, int], bytes]]] = {
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
        plain = decoder(data, max_bytes)
    except (zlib.error, RuntimeError, EOFError, zstandard.ZstdError, brotli.error) as error:
        raise ClickHouseError.made(CANNOT_DECOMPRESS, f"The body is not valid {encoding}: {error}") from None
    if len(plain) > max_bytes:
        raise too_large(max_bytes)
    return plain


def too_large(max_bytes: int) -> ClickHouseError:
    return ClickHouseError.made(QUERY_TOO_LARGE, f"The body is larger than {max_bytes} bytes")


def accepted(header: str) -> str:
    """The first encoding of an Accept-Encoding header that is spoken here; empty for none."""
    names = (part.partition(";")[0].strip().lower() for part in header.split(","))
    return next((name for name in names if name in _ENCODERS), "")


def encode(data: bytes, encoding: str) -> tuple[bytes, str]:
    """`data` compressed, and the encoding used: none for small answers, where it costs more than it saves."""
    if not encoding or len(data) < _MIN_COMPRESSED_BYTES:
        return data, ""
    return _ENCODERS[encoding](data), encoding
