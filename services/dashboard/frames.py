"""Server-sent events, encoded once for every viewer, plain and deflated.

A frame is deflated on its own and ends on a full flush, so the same bytes fit into any viewer's stream:
a gzip header, then frames, in any order and with any left out.
"""

from __future__ import annotations

import zlib
from functools import cached_property

RETRY_MS = 2000
GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


class Frame:
    """One event; `data` must not contain a line break (JSON never does)."""

    def __init__(self, event: str, frame_id: str, data: bytes) -> None:
        self.plain = b"event: %b\nid: %b\ndata: %b\n\n" % (event.encode(), frame_id.encode(), data)

    @cached_property
    def deflated(self) -> bytes:
        return _deflate(self.plain)


class Remark(Frame):
    """Bytes that are no event: the retry interval, a keep-alive."""

    def __init__(self, text: bytes) -> None:
        self.plain = text + b"\n\n"


def _deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush(zlib.Z_FULL_FLUSH)


GREETING = Remark(b"retry: %d" % RETRY_MS)
KEEP_ALIVE = Remark(b": keep-alive")
