"""From bytes on the wire to JSON text: Content-Encoding undone under a hard cap, read as text, JSON checked."""

from __future__ import annotations

import base64
import binascii
import codecs
import io
import re
import zlib
from typing import Any
from urllib.parse import unquote_to_bytes

import brotli
import orjson
import zstandard

from services.gateway.answers import Refusal
from streams.connectors.lenient import outline

_CHARSET = re.compile(r"charset=\"?(iso-8859-1[5]?|windows-125[0-2]|utf-16(?:le|be)?)\b", re.I)
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_PADDING = re.compile(rb"\0*")
_GZIP_PIECE_BYTES = 4096
_ZSTD_MAX_WINDOW = 8 << 20
_BROKEN = (zlib.error, brotli.error, zstandard.ZstdError, EOFError)


def decode(raw: bytes, encoding: str, cap: int, *, short_is_fine: bool = False) -> bytes:
    """`raw` without its Content-Encoding. Never inflates past `cap` bytes.

    Gzip is recognised by its first bytes also where no header names it, and a header that names an
    encoding which a proxy has already undone is passed over. With `short_is_fine` a cut stream gives what came.
    Raises Refusal 413 over the cap, 400 for a broken stream or an encoding we do not speak.
    """
    encoding = encoding.strip().lower()
    if raw.startswith(_GZIP_MAGIC):
        encoding = "gzip"
    if len(raw) > cap:
        raise too_large(cap)
    if encoding in ("", "identity") or raw.removeprefix(codecs.BOM_UTF8)[:1] in (b"{", b"["):
        return raw
    try:
        inflated, complete = _inflate(raw, encoding, cap)
    except _BROKEN as error:
        raise Refusal(400, "invalid_encoding", f"the body is not valid {encoding}: {error}") from None
    if len(inflated) > cap:
        raise too_large(cap)
    if not complete and not short_is_fine:
        raise Refusal(400, "invalid_encoding", f"the {encoding} body ends too early")
    return inflated


def unwrapped(body: bytes, query: str, field: str, cap: int) -> bytes:
    """The JSON in a field of a form, or of the query where there is no body: in base64, gzipped or not, or plain.

    `body` as it is where it is JSON itself, or holds no such field. Refusal 400 for what is no base64.
    """
    if not field or body.removeprefix(codecs.BOM_UTF8).lstrip()[:1] in (b"{", b"["):
        return body
    pairs = (part.partition(b"=") for part in (body or query.encode("latin-1")).split(b"&"))
    found = next((value for name, _, value in pairs if name.strip() == field.encode()), b"")
    value = unquote_to_bytes(found.replace(b"+", b" ")).removeprefix(codecs.BOM_UTF8).strip()
    if not value:
        return body
    if value[:1] in (b"{", b"["):
        return value
    try:
        packed = base64.b64decode(value.replace(b" ", b"+") + b"=" * (-len(value) % 4), validate=True)
    except binascii.Error:
        raise Refusal(400, "invalid_encoding", f"`{field}` is neither JSON nor base64") from None
    return decode(packed, "", cap)


def text_of(body: bytes, content_type: str = "") -> str:
    """The body as text, also where it is not UTF-8: by its byte-order mark or the charset its sender names; else each
    byte that is none is U+FFFD, since a text cut in the middle of a character must not cost its neighbours."""
    try:
        return body.decode()
    except UnicodeDecodeError:
        return body.decode(_charset(body, content_type), errors="replace")


def _charset(body: bytes, content_type: str) -> str:
    """One of a few: what else Python can decode is no charset, or none that anybody sends JSON in."""
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    named = _CHARSET.search(content_type)
    return named[1].lower() if named else "utf-8"


def json_of(text: str) -> Any:
    """The decoded JSON; Refusal 400 when it is none.

    What senders write besides passes (streams/connectors/lenient.py), and so does what no double can hold (`1e400`):
    the mapping refuses that one message, and the others of its batch are kept.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        first = str(error)
    try:
        return outline(text)
    except ValueError:
        raise Refusal(400, "invalid_json", f"invalid json: {first}") from None


def too_large(cap: int) -> Refusal:
    """413; permanent for every SDK that knows it."""
    return Refusal(413, "too_large", f"request size too large: at most {cap} bytes")


def _inflate(raw: bytes, encoding: str, cap: int) -> tuple[bytes, bool]:
    """(at most cap + 1 bytes, whether the stream was complete)."""
    if encoding in ("gzip", "x-gzip"):
        return _gunzip(raw, cap)
    if encoding == "deflate":
        return _deflated(raw, cap)
    if encoding == "br":
        return _brotli(raw, cap)
    if encoding == "zstd":
        reader = zstandard.ZstdDecompressor(max_window_size=_ZSTD_MAX_WINDOW).stream_reader(
            io.BytesIO(raw), read_across_frames=True
        )
        return _read(reader, cap), True
    raise Refusal(400, "unknown_encoding", f"Content-Encoding `{encoding[:40]}` is not spoken here")


def _gunzip(raw: bytes, cap: int) -> tuple[bytes, bool]:
    """Every member of the stream.

    What follows a member comes back as a copy, so a member is fed piece by piece: copies of the whole rest would
    cost a body of a hundred thousand empty members ten seconds, in which the gateway answers nobody.
    """
    inflated, at = bytearray(), 0
    while at < len(raw):
        member = zlib.decompressobj(wbits=31)
        while at < len(raw) and not member.eof:
            piece = raw[at : at + _GZIP_PIECE_BYTES]
            inflated += member.decompress(piece, cap + 1 - len(inflated))
            at += len(piece) - len(member.unused_data)
            if len(inflated) > cap:
                return bytes(inflated), False
        if not member.eof:
            return bytes(inflated), False
        padding = _GZIP_PADDING.match(raw, at)
        at = padding.end() if padding else at
    return bytes(inflated), True


def _deflated(raw: bytes, cap: int) -> tuple[bytes, bool]:
    """Zlib's format, as the standard says, or the bare stream some clients send."""
    try:
        stream = zlib.decompressobj()
        return stream.decompress(raw, cap + 1), stream.eof
    except zlib.error:
        stream = zlib.decompressobj(wbits=-15)
        return stream.decompress(raw, cap + 1), stream.eof


def _brotli(raw: bytes, cap: int) -> tuple[bytes, bool]:
    stream = brotli.Decompressor()
    inflated = stream.process(raw, output_buffer_limit=cap + 1)
    while len(inflated) <= cap and not stream.is_finished():
        more = stream.process(b"", output_buffer_limit=cap + 1 - len(inflated))
        if not more:
            break
        inflated += more
    return inflated, stream.is_finished()


def _read(reader: Any, cap: int) -> bytes:
    chunks, size = [], 0
    while size <= cap:
        chunk = reader.read(cap + 1 - size)
        if not chunk:
            break
        chunks.append(chunk)
        size += len(chunk)
    return b"".join(chunks)
