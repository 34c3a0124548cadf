"""Requests that nobody would send by mistake: strategies for the SQL endpoint, from harmless to as bad as we know."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from urllib.parse import quote_from_bytes

import brotli
import lz4.frame
import zstandard
from hypothesis import strategies as st

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "lz4": lz4.frame.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
}
_SIZES = (0, 1, 60, 4_000, 66_000, 255_000, 900_000, 1_040_000)
_TOKENS = (
    *(
        b"'",
        b"\\",
        b'"',
        b"`",
        b";",
        b"/*",
        b"*/",
        b"--",
        b"\n",
        b"\r\n",
        b" ",
        b"(",
        b")",
        b",",
        b".",
        b"\x00",
        b"\xff",
    ),
    *(b"a", b"1,", b"((", b"/**/", b"'\\", b"-/", b"--\n", b"SELECT ", b" FORMAT x ", b" IN (1)", b"{a:Int8}", b"[1],"),
    *(
        b"; ",
        b";a=b",
        b';a="\\',
        b"--b\r\n",
        b"--b--",
        b"Content-Disposition: form-data; name=q\r\n",
        b"%41",
        b"&a=b",
        b"=",
    ),
)
_UNITS = st.one_of(st.sampled_from(_TOKENS), st.binary(min_size=1, max_size=6))
_QUERIES = st.sampled_from(
    [
        b"SELECT 1",
        b"SELECT 1 FORMAT JSON",
        b"SELECT {a:String}",
        b"SELECT count() FROM numbers(10)",
        b"SHOW TABLES",
        b"SELECT name, value, readonly FROM system.settings LIMIT 10000",
        b"KILL QUERY WHERE query_id = 'x'",
        b"SELECT 1 IN (1, 2) AND in(1, (2))",
    ]
)


def _filled(unit: bytes, size: int) -> bytes:
    return (unit * (size // len(unit) + 1))[:size]


BULKS = st.builds(_filled, _UNITS, st.sampled_from(_SIZES))
TEXTS = st.one_of(_QUERIES, BULKS, st.builds(lambda a, b, c: a + b + c, _QUERIES, BULKS, st.one_of(_QUERIES, BULKS)))


def _part(name: bytes, more: bytes, value: bytes) -> bytes:
    return b'--b\r\nContent-Disposition: form-data; name="' + name + b'"' + more + b"\r\n\r\n" + value + b"\r\n"


_NAMES = st.sampled_from([b"query", b"param_a", b"database", b"x", b"\xff", b"a%41", b"", b"max_threads"])
_MORE = st.one_of(
    st.just(b""),
    st.sampled_from(
        [b"\r\nContent-Type: multipart/mixed; boundary=c", b'; filename="t"', b"\r\nContent-Length: 9" * 3]
    ),
    st.builds(_filled, _UNITS, st.sampled_from((10, 400, 500_000))),
)
_PARTS = st.builds(_part, _NAMES, _MORE, st.one_of(TEXTS, st.just(b"\xff\xfe"), st.just(b"--c\r\n\r\n--c--")))
FORMS = st.one_of(
    st.builds(
        lambda parts, tail: b"".join(parts) + tail, st.lists(_PARTS, max_size=5), st.sampled_from([b"--b--\r\n", b""])
    ),
    st.builds(lambda part, size: _filled(part, size) + b"\r\n--b--\r\n", _PARTS, st.sampled_from((9_000, 1_040_000))),
    BULKS,
)


def _packed(name: str, plain: bytes, count: int, cut: int) -> bytes:
    frame: bytes = PACKERS[name](plain)
    return (frame * min(count, 1 + 1_040_000 // len(frame)))[: -cut or None]


_BODIES = st.one_of(
    st.tuples(st.just(b""), TEXTS),
    st.tuples(st.just(b"Content-Type: multipart/form-data; boundary=b\r\n"), FORMS),
    st.sampled_from(sorted(PACKERS)).flatmap(
        lambda name: st.tuples(
            st.just(b"Content-Encoding: " + name.encode() + b"\r\n"),
            st.one_of(
                BULKS,
                st.builds(
                    lambda plain, count, cut: _packed(name, plain, count, cut),
                    st.one_of(st.just(b""), TEXTS, st.builds(_filled, _UNITS, st.just(16_000_000))),
                    st.sampled_from((1, 2, 250, 100_000)),
                    st.sampled_from((0, 0, 3)),
                ),
            ),
        )
    ),
)
_FIELDS = st.sampled_from(
    ["query", "param_a", "database", "default_format", "query_id", "compress", "decompress", "user", "max_threads", "x"]
)
_VALUES = st.one_of(
    st.sampled_from([b"1", b"JSON", b"bi", b"SELECT 1"]), st.builds(_filled, _UNITS, st.sampled_from((5, 9_000)))
)
_URLS = st.one_of(
    st.just(b""),
    st.builds(
        lambda fields: "&".join(f"{name}={quote_from_bytes(value)}" for name, value in fields).encode(),
        st.lists(st.tuples(_FIELDS, _VALUES), max_size=6),
    ),
    st.builds(
        lambda unit, size: _filled(unit, size), st.sampled_from([b"a=b&", b"&", b"%41", b"param_a=1&"]), st.just(60_000)
    ),
)
_HEADERS = st.lists(
    st.one_of(
        st.sampled_from(
            [b"Accept-Encoding: gzip", b"Authorization: Basic !", b"X-ClickHouse-Format: CSV", b"Expect: 100-continue"]
        ),
        st.builds(
            lambda name, unit, size: name + _filled(unit, size),
            st.sampled_from(
                [b"Accept-Encoding: ", b"Authorization: Basic ", b"X-ClickHouse-User: ", b"Cookie: ", b"Host: "]
            ),
            st.sampled_from([b"a", b",", b"gzip,", b"\xff", b"=", b"[", b" ", b"a;"]),
            st.sampled_from((3, 9_000, 63_000)),
        ),
        st.builds(lambda count: b"\r\n".join([b"A: b"] * count), st.sampled_from((3, 250, 9_000))),
    ),
    max_size=3,
)


def _request(url: bytes, headers: list[bytes], body: tuple[bytes, bytes], chunked: bool) -> bytes:
    kind, content = body
    head = b"POST /?" + url + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n" + kind
    head += b"".join(header + b"\r\n" for header in headers)
    if not chunked:
        return head + b"Content-Length: %d\r\n\r\n" % len(content) + content
    size = 1 if len(content) < 70_000 else 4_000
    pieces = (content[at : at + size] for at in range(0, len(content), size))
    framed = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + framed + b"0\r\n\r\n"


_WHOLE = st.builds(_request, _URLS, _HEADERS, _BODIES, st.sampled_from([False, False, False, True]))
_JUNK = st.builds(_filled, st.sampled_from([b"GET / HTTP/1.1\r\n\r\n", b"\r\n", b"A"]), st.sampled_from((20, 500_000)))
REQUESTS = st.integers(0, 29).flatmap(lambda number: _WHOLE if number else _JUNK)
"""Requests as bytes, a few of them none."""
