"""A connection's bounds: what a sender may do before there is a request."""

from __future__ import annotations

import socket
import time
from contextlib import AbstractContextManager
from dataclasses import replace

import orjson
import pytest

import tests.listening
from services.common.connection import Bounds
from services.gateway import app
from services.gateway.connection import BOUNDS
from tests.gateway_kit import MESSAGE, listening
from tests.listening import rest_of

HASTY = replace(BOUNDS, head_s=0.3, idle_s=0.3)
BODY = orjson.dumps({**MESSAGE, "writeKey": "WK"})
HEAD = b"POST /v1/track HTTP/1.1\r\nHost: x\r\n"
GOOD = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY


def connected(url: str) -> AbstractContextManager[socket.socket]:
    return tests.listening.connected(int(url.rpartition(":")[2]))


def test_a_head_without_end_is_refused() -> None:
    with listening() as (url, writer), connected(url) as sender:
        sender.sendall(HEAD + b"X: " + b"a" * (Bounds().head_bytes - len(HEAD)))
        sender.sendall(b"a" * 10)
        assert rest_of(sender).startswith(b"HTTP/1.1 431 ")
    assert not writer.items


def test_a_head_that_drips_is_given_up() -> None:
    with listening(bounds=HASTY) as (url, writer), connected(url) as sender:
        sender.sendall(GOOD + HEAD)
        answer = rest_of(sender)
    assert answer.startswith(b"HTTP/1.1 200 ") and b"HTTP/1.1 408 " in answer
    assert len(writer.items) == 1


@pytest.mark.parametrize("sent", [b"", b"\r\n", GOOD + b"\r\n"])
def test_a_connection_without_a_request_is_closed_without_a_word(sent: bytes) -> None:
    with listening(bounds=HASTY) as (url, _), connected(url) as sender:
        sender.sendall(sent)
        assert b" 408 " not in rest_of(sender)


def test_a_slow_body_is_no_slow_head() -> None:
    with listening(bounds=replace(HASTY, head_s=0.2)) as (url, writer), connected(url) as sender:
        for part in (GOOD[:-9], GOOD[-9:-5]):
            sender.sendall(part)
            time.sleep(0.3)
        sender.sendall(GOOD[-5:])
        assert sender.recv(100).startswith(b"HTTP/1.1 200 ")
    assert len(writer.items) == 1


def test_many_requests_in_one_piece_are_no_large_head() -> None:
    """A body and the requests behind it arrive together with a head and do not count for it."""
    large = orjson.dumps({**MESSAGE, "writeKey": "WK", "properties": {"text": "x" * 90_000}})
    request = HEAD + b"Content-Length: %d\r\n\r\n" % len(large) + large
    with listening() as (url, writer), connected(url) as sender:
        sender.sendall(request * 5 + GOOD.replace(b"Host: x", b"Connection: close"))
        assert rest_of(sender).count(b"HTTP/1.1 200 ") == 6
    assert len(writer.items) == 6


def test_a_slow_body_is_given_up_is_given_up_and_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "READ_TIMEOUT_S", 0.3)
    with listening() as (url, writer), connected(url) as sender:
        sender.sendall(GOOD[:-5])
        assert rest_of(sender).startswith(b"HTTP/1.1 408 ")
    assert not writer.items
