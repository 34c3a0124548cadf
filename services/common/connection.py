"""One connection to a server of ours: what comes has a size and a time, what goes must be taken, and there are so many.

uvicorn bounds none of it, so anybody could fill the memory with one endless header, keep sockets for ever by sending
(or taking) a byte now and then, or stop the event loop with thousands of requests in one packet.
"""

from __future__ import annotations

import asyncio
import logging
import resource
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_SPARE_FILES = 128
_TAKEN_BYTES = 16 * 1024
"""Of its answer, which a client must take within `Bounds.stall_s`."""
Phase = Literal["head", "body", "idle", "answer"]


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one client may do. Times in seconds; None: the application watches it itself."""

    head_bytes: int = 64 * 1024
    headers: int = 256
    pipelined: int = 16
    head_s: float = 10.0
    body_s: float | None = 30.0
    idle_s: float = 75.0
    stall_s: float | None = 30.0
    connections: int = 1000


@dataclass(slots=True)
class Crowd:
    """The open connections of one server. Who has waited longest for its client gives way to a new one."""

    most: int
    open: set[Connection] = field(default_factory=set)
    waiting: dict[Connection, None] = field(default_factory=dict)

    def enter(self, newcomer: Connection) -> bool:
        """Whether there is room, if need be made by hanging up on one whose client sends nothing."""
        if len(self.open) >= self.most:
            oldest = next(iter(self.waiting), None)
            if oldest is None:
                return False
            self.leave(oldest)
            oldest.give_way()
        self.open.add(newcomer)
        return True

    def leave(self, connection: Connection) -> None:
        """It is gone, or as good as gone; safe to call twice."""
        self.open.discard(connection)
        self.waiting.pop(connection, None)

    def note(self, connection: Connection, *, waits: bool) -> None:
        """Whether it now waits for its client."""
        if not waits:
            self.waiting.pop(connection, None)
        elif connection in self.open:
            self.waiting.setdefault(connection)


class _OutOfBounds(Exception):
    """Ends the parsing in the middle of a packet."""


class Connection(HttpToolsProtocol):
    """uvicorn's connection within `bounds`, one of `crowd`."""

    def __init__(self, bounds: Bounds, crowd: Crowd, **uvicorns: Any) -> None:
        super().__init__(**uvicorns)
        self._bounds, self._crowd = bounds, crowd
        self._in_head = self._in_body = False
        self._new_bytes = 0
        """Since the last whole head or piece of a body."""
        self._head_bytes = 0
        self._pieces: list[bytes] = []
        self._phase: Phase = "answer"
        self._deadline: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None
        self._why = (400, "Invalid HTTP request received.")

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The deadline of its first head runs from the first moment."""
        super().connection_made(transport)
        if not self._crowd.enter(self):
            self._hang_up(503, "too many connections")
        else:
            self._turn("head")

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is left to wait for."""
        self._crowd.leave(self)
        for timer in (self._deadline, self._stalled):
            _cancel(timer)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """At most as much at a time as a head may have, so that one packet never takes long."""
        while data and not self.transport.is_closing():
            room = self._bounds.head_bytes - self._new_bytes
            piece, data = data[:room], data[room:]
            self._new_bytes += len(piece)
            super().data_received(piece)
            self._pass_on()
            if self._new_bytes >= self._bounds.head_bytes:
                self._hang_up(431, f"the request's head is larger than {self._bounds.head_bytes} bytes")
        self._turn(self._now())

    def send_400_response(self, msg: str) -> None:
        """Called by uvicorn when parsing failed, be it by ourselves."""
        self._hang_up(*self._why)

    def on_message_begin(self) -> None:
        """A request starts."""
        self._in_head, self._head_bytes = True, 0
        if len(self.pipeline) >= self._bounds.pipelined:
            self._stop(400, f"more than {self._bounds.pipelined} requests at once")
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """A piece of its first line."""
        self._head_bytes += len(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One of its headers, or a trailer behind its body."""
        self._head_bytes += len(name) + len(value) + len(b": \r\n")
        super().on_header(name, value)
        if len(self.headers) > self._bounds.headers:
            self._stop(431, f"more than {self._bounds.headers} headers")

    def on_headers_complete(self) -> None:
        """Its head is whole."""
        if self._head_bytes > self._bounds.head_bytes:
            self._stop(431, f"the request's head is larger than {self._bounds.head_bytes} bytes")
        self._in_head, self._in_body, self._new_bytes = False, True, 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of its body; many small ones go on as one, since uvicorn copies all of them for each."""
        self._new_bytes = 0
        self._pieces.append(body)

    def on_message_complete(self) -> None:
        """Its body is whole."""
        self._pass_on()
        self._in_body, self._new_bytes = False, 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Its answer is on its way."""
        super().on_response_complete()
        self._unset_keepalive_if_required()  # our own phase takes its place
        self._turn(self._now())

    def pause_writing(self) -> None:
        """The client does not take its answer."""
        super().pause_writing()
        if self._bounds.stall_s is not None and self._stalled is None:
            self._look_again(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """It does again."""
        super().resume_writing()
        _cancel(self._stalled)
        self._stalled = None

    def _look_again(self, left_bytes: int) -> None:
        """After a while, at what is left by then."""
        assert self._bounds.stall_s is not None
        self._stalled = self.loop.call_later(self._bounds.stall_s, self._is_taken, left_bytes)

    def _is_taken(self, left_bytes: int) -> None:
        now_bytes = self.transport.get_write_buffer_size()
        if now_bytes > left_bytes - _TAKEN_BYTES:
            self.transport.abort()
        else:
            self._look_again(now_bytes)

    def give_way(self) -> None:
        """Make room for another connection."""
        _cancel(self._deadline)
        self.transport.close()

    def _pass_on(self) -> None:
        if self._pieces:
            body, self._pieces = b"".join(self._pieces), []
            super().on_body(body)

    def _now(self) -> Phase:
        if self._in_head or self._in_body:
            return "head" if self._in_head else "body"
        if self.cycle is None:
            return "head"
        return "idle" if self.cycle.response_complete else "answer"

    def _turn(self, phase: Phase) -> None:
        """A phase has a deadline, which what drips in meanwhile does not move."""
        if self.transport.is_closing() or phase == self._phase:
            return
        self._phase = phase
        self._crowd.note(self, waits=phase != "answer")
        _cancel(self._deadline)
        after_s = {"head": self._bounds.head_s, "body": self._bounds.body_s, "idle": self._bounds.idle_s}.get(phase)
        if after_s is not None:
            self._deadline = self.loop.call_later(after_s, self._too_late)

    def _too_late(self) -> None:
        self._hang_up(408, "the request did not arrive in time", begun=self._in_head or self._in_body)

    def _stop(self, status: int, message: str) -> None:
        self._why = status, message
        raise _OutOfBounds

    def _hang_up(self, status: int, message: str, *, begun: bool = True) -> None:
        """With an answer when a request has begun and nothing is being answered."""
        _cancel(self._deadline)
        if self.transport.is_closing():
            return
        if begun and not self._is_answering():
            self.transport.write(_answer(status, message))
        self.transport.close()

    def _is_answering(self) -> bool:
        if self.cycle is None or self.cycle.response_complete:
            return False
        return not self._in_body or bool(self.pipeline) or bool(self.cycle.response_started)


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()


def _answer(status: int, message: str) -> bytes:
    reason = {400: "Bad Request", 408: "Request Timeout", 431: "Request Header Fields Too Large"}.get(status, "Busy")
    return (
        f"HTTP/1.1 {status} {reason}\r\ncontent-type: text/plain; charset=utf-8\r\n"
        f"content-length: {len(message)}\r\nconnection: close\r\n\r\n{message}"
    ).encode()


def server_settings(app: Any, bounds: Bounds, **more: Any) -> uvicorn.Config:
    """How a server of ours is set up. There are never more connections than this process may open files."""
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # else a line for each request that is none
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    crowd = Crowd(min(bounds.connections, max(files - _SPARE_FILES, _SPARE_FILES)))
    protocol: Callable[..., asyncio.Protocol] = partial(Connection, bounds, crowd)
    options: dict[str, Any] = {"ws": "none", "log_config": None, "access_log": False, "server_header": False}
    return uvicorn.Config(app, http=protocol, **options, **more)  # type: ignore[arg-type]
