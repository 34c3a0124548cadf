"""What one client may do to a server of ours before and beside its requests; the same for gateway, page and SQL."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from services.common.connection import Bounds, server_settings
from services.dashboard.main import BOUNDS as OF_THE_PAGE
from services.gateway.connection import BOUNDS as OF_THE_GATEWAY
from tests.listening import connected, dripping, rest_of, served

HEAD_BYTES = Bounds().head_bytes
SHORT = Bounds(head_s=1.0, body_s=1.0, idle_s=1.0, stall_s=1.0)


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers with how many bytes the body had; `/large` with 32 MB, `/slow` after half a second."""
    if scope["type"] != "http":
        return
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    if scope["path"] == "/slow":
        await asyncio.sleep(0.5)
    body = b"x" * (32 << 20) if scope["path"] == "/large" else str(size).encode()
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": body})


def of(bounds: Bounds) -> Any:
    return served(server_settings(echo, bounds, lifespan="off", port=0))


def padded(head_bytes: int) -> bytes:
    start = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: "
    return start + b"a" * (head_bytes - len(start) - 4) + b"\r\n\r\n"


@pytest.mark.parametrize("in_pieces", [False, True])
def test_a_head_has_64_kib_to_the_byte(in_pieces: bool) -> None:
    with of(Bounds()) as port:
        for size, status in ((HEAD_BYTES, b"HTTP/1.1 200"), (HEAD_BYTES + 1, b"HTTP/1.1 431")):
            with connected(port) as sender:
                head = padded(size)
                assert len(head) == size
                for start in range(0, size, 7000 if in_pieces else size):
                    sender.sendall(head[start : start + (7000 if in_pieces else size)])
                assert rest_of(sender).startswith(status)


def test_a_head_behind_a_body_is_measured_too() -> None:
    """Both in one packet: what comes behind a body counted for nothing."""
    first = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
    with of(Bounds()) as port, connected(port) as sender:
        sender.sendall(first + padded(HEAD_BYTES + 2000))
        assert b"HTTP/1.1 200" not in rest_of(sender).replace(b"HTTP/1.1 200", b"", 1)


def test_bodies_are_not_measured() -> None:
    with of(Bounds()) as port:
        assert httpx.post(f"http://127.0.0.1:{port}/", content=b"x" * 3_000_000).text == "3000000"
        assert httpx.post(f"http://127.0.0.1:{port}/", content=iter([b"x"] * 50_000)).text == "50000"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 257 + b"\r\n", b"HTTP/1.1 431"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: " + b"a" * 140_000, b"HTTP/1.1 431"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;" + b"a" * 140_000, b"HTTP/1.1 431"),
        (b"\x16\x03\x01 not HTTP\r\n\r\n", b"HTTP/1.1 400"),
        (b"\r\n" * 40_000, b"HTTP/1.1 431"),
    ],
)
def test_what_is_no_request_within_bounds_is_hung_up_on(sent: bytes, status: bytes) -> None:
    with of(Bounds()) as port, connected(port) as sender:
        sender.sendall(sent)
        assert rest_of(sender).startswith(status)


def test_thousands_of_requests_in_a_packet_are_not_taken_in() -> None:
    with of(Bounds()) as port, connected(port) as sender:
        sender.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n" * 2000)
        assert rest_of(sender).count(b"HTTP/1.1 200") <= Bounds().pipelined + 1


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: x\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n\r\n",
    ],
)
def test_500_slow_senders_are_dropped_and_others_served(said: bytes) -> None:
    with of(SHORT) as port, dripping(port, 500, said) as slow:
        assert httpx.get(f"http://127.0.0.1:{port}/").text == "0"
        with ThreadPoolExecutor(16) as pool:
            began = time.monotonic()
            answers = list(pool.map(rest_of, slow))
        assert time.monotonic() - began < 20
        assert len(answers) == 500  # each of them was hung up on
        assert httpx.get(f"http://127.0.0.1:{port}/").text == "0"


def test_a_byte_now_and_then_does_not_move_the_deadline() -> None:
    with of(SHORT) as port, connected(port) as sender:
        began = time.monotonic()
        with pytest.raises(OSError):
            for letter in b"GET / HTTP/1.1\r\nHost: " + b"x" * 1000:
                sender.sendall(bytes([letter]))
                time.sleep(0.05)
        assert time.monotonic() - began < 10


def test_who_takes_nothing_of_its_answer_is_dropped() -> None:
    with of(SHORT) as port, connected(port) as taker:
        taker.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(2.5)
        assert len(rest_of(taker)) < 32 << 20
        assert len(httpx.get(f"http://127.0.0.1:{port}/large").content) == 32 << 20


def test_a_full_house_makes_room_by_the_one_that_waits_longest() -> None:
    with of(Bounds(connections=16)) as port, dripping(port, 16, b"GET / HTTP/1.1\r\n") as slow:
        assert httpx.get(f"http://127.0.0.1:{port}/").text == "0"
        assert rest_of(slow[0]) == b""
        slow[1].sendall(b"Host: x\r\nConnection: close\r\n\r\n")
        assert rest_of(slow[1]).startswith(b"HTTP/1.1 200")


def test_a_full_house_of_busy_ones_says_so() -> None:
    busy = b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"
    with of(Bounds(connections=16)) as port, dripping(port, 16, busy) as answered:
        with connected(port) as newcomer:
            assert rest_of(newcomer).startswith(b"HTTP/1.1 503")
        assert all(one.recv(12) == b"HTTP/1.1 200" for one in answered)


def test_every_server_has_bounds() -> None:
    for bounds in (OF_THE_PAGE, OF_THE_GATEWAY):
        assert bounds.head_s <= 30
        assert bounds.head_bytes == 64 * 1024
