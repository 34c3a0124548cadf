"""An ASGI application that really listens, in a thread of this process; raw connections to it; ports."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn


@contextmanager
def served(settings: uvicorn.Config) -> Iterator[int]:
    """Serves until the end of the block; the port."""
    server = uvicorn.Server(settings)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            threading.Event().wait(0.01)
        yield int(server.servers[0].sockets[0].getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(10)


@contextmanager
def connected(port: int, host: str = "127.0.0.1") -> Iterator[socket.socket]:
    """A connection to it."""
    with socket.create_connection((host, port), timeout=10) as made:
        yield made


def rest_of(sender: socket.socket) -> bytes:
    """What is answered until the other side hangs up; a test that waits in vain fails by its timeout."""
    answer = b""
    try:
        while piece := sender.recv(65_536):
            answer += piece
    except ConnectionError:
        pass
    return answer


@contextmanager
def dripping(port: int, count: int, said: bytes) -> Iterator[list[socket.socket]]:
    """So many connections of senders that say `said` and then nothing."""
    made: list[socket.socket] = []
    try:
        for _ in range(count):
            made.append(socket.create_connection(("127.0.0.1", port), timeout=30))
            made[-1].sendall(said)
        yield made
    finally:
        for one in made:
            one.close()


def free_port() -> int:
    """One that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Whether somebody does."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
