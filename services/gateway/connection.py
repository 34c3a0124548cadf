"""One connection of a sender: its request's head has a size and a deadline.

uvicorn bounds neither, so anybody could fill the memory with one endless header, or keep sockets for ever by
sending a byte now and then. The body has its own bounds in the application.
"""

from __future__ import annotations

import asyncio
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_MAX_BYTES = 64 * 1024
HEAD_TIMEOUT_S = 30.0
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large"
_TOO_LATE = b"HTTP/1.1 408 Request Timeout"


class Connection(HttpToolsProtocol):
    """uvicorn's connection, closed when what comes is no request within bounds."""

    _in_body = False
    _in_head = False
    _head_bytes = 0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The deadline runs from the first moment."""
        super().connection_made(transport)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is left to wait for."""
        self._unwatch()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes count for the head until it is complete; the deadline runs unless a request is being answered."""
        if not self._in_body:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._head_bytes > HEAD_MAX_BYTES:
            self._refuse(_TOO_LARGE, f"the request's head is larger than {HEAD_MAX_BYTES} bytes")
        elif self._in_head or self.cycle is None or self.cycle.response_complete:
            self._watch()
        else:
            self._unwatch()

    def on_message_begin(self) -> None:
        """A request starts."""
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its head is whole."""
        self._in_head, self._in_body, self._head_bytes = False, True, 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Its body is whole."""
        self._in_body = False
        super().on_message_complete()

    def _watch(self) -> None:
        if self._deadline is None and not self.transport.is_closing():
            self._deadline = self.loop.call_later(HEAD_TIMEOUT_S, self._too_late)

    def _unwatch(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        self._refuse(_TOO_LATE, "the request did not arrive in time")

    def _refuse(self, status: bytes, message: str) -> None:
        """Hang up; with an answer when a request has begun and no earlier one's answer is under way."""
        self._unwatch()
        if self.transport.is_closing():
            return
        if self._in_head and (self.cycle is None or self.cycle.response_complete):
            head = b"%b\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
            self.transport.write(head % (status, len(message)) + message.encode())
        self.transport.close()


def settings(app: Any, **more: Any) -> uvicorn.Config:
    """How the gateway's server is set up."""
    return uvicorn.Config(
        app, http=Connection, lifespan="off", ws="none", log_config=None, access_log=False, server_header=False, **more
    )
