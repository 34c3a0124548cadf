"""Decoding: every encoding real clients use, and what hostile ones send."""

from __future__ import annotations

import gzip
import json
import time
import zlib

import brotli
import pytest
import zstandard

from services.gateway.answers import Refusal
from services.gateway.decoding import decode, json_of, text_of

CAP = 100_000
TEXT = b'{"userId":"u","event":"' + b"A" * 500 + b'"}'


def raw_deflate(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(data) + stream.flush()


ENCODED = {
    "gzip": ("gzip", gzip.compress),
    "gzip, no header": ("", gzip.compress),
    "gzip, wrong header": ("br", gzip.compress),
    "gzip, two members": ("gzip", lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:])),
    "deflate, zlib": ("deflate", zlib.compress),
    "deflate, raw": ("deflate", raw_deflate),
    "br": ("br", brotli.compress),
    "zstd": ("zstd", zstandard.compress),
    "identity": ("identity", bytes),
    "none": ("", bytes),
    "already undone by a proxy": ("gzip", bytes),
}


@pytest.mark.parametrize("name", ENCODED)
def test_every_encoding_comes_back_verbatim(name: str) -> None:
    encoding, encode = ENCODED[name]
    assert decode(encode(TEXT), encoding, CAP) == TEXT


@pytest.mark.parametrize("name", [name for name in ENCODED if "proxy" not in name])
def test_a_bomb_is_refused_without_being_inflated(name: str) -> None:
    encoding, encode = ENCODED[name]
    bomb = encode(b" " * 40_000_000 if encoding not in ("", "identity") else b" " * 4_000_000)
    started = time.process_time()
    with pytest.raises(Refusal) as refusal:
        decode(bomb, encoding, CAP)
    assert refusal.value.status == 413
    assert time.process_time() - started < 0.5


@pytest.mark.parametrize("content", [b"", b" "])
def test_a_body_of_very_many_gzip_members_costs_no_more_than_its_length(content: bytes) -> None:
    """A copy of the rest a member takes ten seconds for what the gateway's real cap lets in."""
    cap = 4_096_000
    member = gzip.compress(content, mtime=0)
    members = cap // len(member)
    started = time.process_time()
    assert decode(member * members, "gzip", cap) == content * members
    assert time.process_time() - started < 3


def test_padding_between_gzip_members_is_no_content() -> None:
    padded = gzip.compress(TEXT[:9]) + b"\0" * 50_000 + gzip.compress(TEXT[9:]) + b"\0" * 7
    assert decode(padded, "gzip", CAP) == TEXT


def test_the_cap_itself_fits() -> None:
    assert len(decode(gzip.compress(b" " * CAP), "", CAP)) == CAP
    with pytest.raises(Refusal):
        decode(gzip.compress(b" " * (CAP + 1)), "", CAP)


@pytest.mark.parametrize(
    ("encoding", "raw"),
    [
        ("gzip", gzip.compress(TEXT, mtime=0)[:-12]),
        ("gzip", b"\x1f\x8bnonsense"),
        ("gzip", b"not gzip"),
        ("deflate", b"\xff\xff\xff"),
        ("deflate", zlib.compress(TEXT)[:-8]),
        ("br", brotli.compress(TEXT)[:-4]),
        ("br", b"\xff\xff\xff\xff"),
        ("zstd", b"nonsense"),
        ("rot13", b"x"),
        ("gzip, gzip", b"x"),
    ],
)
def test_broken_streams_are_refused(encoding: str, raw: bytes) -> None:
    with pytest.raises(Refusal) as refusal:
        decode(raw, encoding, CAP)
    assert refusal.value.status == 400


def test_a_cut_beacon_gives_what_came() -> None:
    cut = gzip.compress(TEXT, mtime=0)[:-12]
    came = decode(cut, "", CAP, short_is_fine=True)
    assert came and TEXT.startswith(came)


@pytest.mark.parametrize("body", [b"{", b"", b"\0", b"{}\0", b"[Nan]", b'{"a":Inf}', b"[" * 10_000 + b"]" * 9_999])
def test_what_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(Refusal) as refusal:
        json_of(text_of(body))
    assert refusal.value.status == 400


def test_half_an_object_nested_deep_is_refused_quickly() -> None:
    with pytest.raises(Refusal):
        json_of('{"a":' * 10_000)


@pytest.mark.parametrize("text", ["[1e400]", '["\\ud800"]', "[123456789012345678901234567890]"])
def test_json_that_no_double_can_hold_is_left_to_the_mapping(text: str) -> None:
    json_of(text)


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        (b'{"a":"caf\xc3\xa9"}', "application/json; charset=iso-8859-1", '{"a":"caf\u00e9"}'),
        (b'{"a":"caf\xe9"}', 'application/json; charset="ISO-8859-1"', '{"a":"caf\u00e9"}'),
        (b'{"a":"\x80"}', "text/plain;charset=Windows-1252", '{"a":"\u20ac"}'),
        (b'{"a":"caf\xe9"}', "", '{"a":"caf\ufffd"}'),
        (b'{"a":"\xf0\x9f"}', "application/json; charset=utf-8", '{"a":"\ufffd"}'),
        (b'{"a":"\xff"}', "application/json; charset=rot13", '{"a":"\ufffd"}'),
        ('{"a":"caf\u00e9"}'.encode("utf-16"), "", '{"a":"caf\u00e9"}'),
        ('{"a":"caf\u00e9"}'.encode("utf-16-be"), "application/json; charset=utf-16be", '{"a":"caf\u00e9"}'),
    ],
)
def test_what_is_not_utf8_costs_no_more_than_a_character(body: bytes, content_type: str, text: str) -> None:
    assert text_of(body, content_type) == text
    assert json_of(text) == json.loads(text)
