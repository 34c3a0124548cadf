"""The answering half of one request: whole when small, in pieces when not, errors as ClickHouse tells them."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import suppress
from typing import Any, Final

from services.embedded.clickhouse.codec import BLOCKS, accepted, encoder
from services.embedded.clickhouse.engine import Result
from services.embedded.clickhouse.errors import ClickHouseError
from services.embedded.clickhouse.outlet import Outlet
from services.embedded.clickhouse.statement import Statement

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

# Kept back before the status line goes out, so that most errors arrive as a status and not in the middle.
_KEPT_BYTES: Final = 1 << 20
_STOP_AGAIN_S: Final = 0.2
_TYPES: Final = {
    "JSON": "application/json; charset=UTF-8",
    "JSONCompact": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
    "TabSeparatedWithNames": "text/tab-separated-values; charset=UTF-8",
    "TabSeparatedWithNamesAndTypes": "text/tab-separated-values; charset=UTF-8",
    "CSV": "text/csv; charset=UTF-8; header=absent",
    "CSVWithNames": "text/csv; charset=UTF-8; header=present",
}


class Exchange:
    """One statement and the socket its answer goes to."""

    def __init__(
        self, statement: Statement, accept_encoding: str, receive: Receive, send: Send, more: Mapping[str, str]
    ) -> None:
        """`accept_encoding`: the request's header, or BLOCKS. `more`: for the summary of the answer."""
        self.statement = statement
        self._accept = accept_encoding
        self._receive = receive
        self._send = send
        self._more = more

    async def conduct(self, outlet: Outlet, job: asyncio.Future[Result], stop: Callable[[], None]) -> bytes:
        """Answers with what `outlet` gives. Returns the answer, or nothing of one that was too large to keep.

        A question whose client goes away is stopped: `stop` asks the engine to, from any thread. What changes something
        goes on. Raises the ClickHouseError of `job` when nothing has been sent yet.
        """
        watch = asyncio.create_task(self._watch(outlet, job, stop)) if self.statement.answers else None
        try:
            head = bytearray()
            while (chunk := await outlet.next()) is not None:
                head += chunk
                if len(head) > _KEPT_BYTES:
                    await self._stream(bytes(head), outlet, job)
                    return b""
            await self.reply(bytes(head), await job)
            return bytes(head)
        finally:
            if watch is not None:
                if not outlet.is_abandoned:  # else it stops the statement, and ends with it
                    watch.cancel()
                with suppress(asyncio.CancelledError):
                    await watch
            outlet.abandon()

    async def reply(self, body: bytes, result: Result) -> None:
        """Answers whole."""
        encoding = self._encoding(len(body))
        packer = encoder(encoding)
        headers = self._headers(result, encoding)
        await send_whole(self._send, 200, packer.compress(body) + packer.flush(), headers)

    async def _stream(self, head: bytes, outlet: Outlet, job: asyncio.Future[Result]) -> None:
        tag = secrets.token_hex(8)
        encoding = self._encoding(len(head))
        packer = encoder(encoding)
        headers = [*self._headers(Result(), encoding), (b"x-clickhouse-exception-tag", tag.encode())]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        piece: bytes | None = head
        while piece is not None:
            await self._body(packer.compress(piece), more=True)
            piece = await outlet.next()
        error = None if outlet.is_abandoned else await _error_of(job)
        tail = packer.compress(_in_stream(error, tag)) if error else b""
        await self._body(tail + packer.flush(), more=False)

    async def _watch(self, outlet: Outlet, job: asyncio.Future[Result], stop: Callable[[], None]) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        outlet.abandon()
        # again until it is true: a statement that is still being judged is not yet among those that can be stopped
        while not job.done():
            await asyncio.to_thread(stop)
            await asyncio.wait([job], timeout=_STOP_AGAIN_S)

    def _encoding(self, size_bytes: int) -> str:
        return BLOCKS if self._accept == BLOCKS else accepted(self._accept, size_bytes)

    async def _body(self, data: bytes, *, more: bool) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": more})

    def _headers(self, result: Result, encoding: str) -> Headers:
        headers = {
            "x-clickhouse-summary": json.dumps({**result.summary(), **self._more}),
            "x-clickhouse-query-id": self.statement.query_id,
            "x-clickhouse-timezone": self.statement.settings.get("session_timezone") or "UTC",
            "x-clickhouse-server-display-name": "touchline",
        }
        # its absence tells a client that the statement has no rows to give, which is not the same as none
        if self.statement.answers:
            headers["x-clickhouse-format"] = self.statement.format
            headers["content-type"] = _TYPES.get(self.statement.format, "application/octet-stream")
        if encoding and encoding != BLOCKS:
            headers["content-encoding"] = encoding
        return [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]


async def _error_of(job: asyncio.Future[Result]) -> ClickHouseError | None:
    try:
        await job
    except ClickHouseError as error:
        return error
    return None


def _in_stream(error: ClickHouseError, tag: str) -> bytes:
    text = str(error).encode()
    return b"\r\n__exception__\r\n%b\r\n%b\n%d %b\r\n__exception__\r\n" % (tag.encode(), text, len(text), tag.encode())


class Answering:
    """Sends an answer with `more` headers, and knows whether an error can still be one of its own."""

    def __init__(self, send: Send, more: Headers) -> None:
        self._send = send
        self._more = more
        self.has_begun = False

    async def send(self, message: Message) -> None:
        """As ASGI's."""
        if message["type"] == "http.response.start":
            self.has_begun = True
            message["headers"] = [*message["headers"], (b"x-content-type-options", b"nosniff"), *self._more]
        await self._send(message)

    async def fail(self, error: ClickHouseError) -> None:
        """An error as ClickHouse tells it: its text, its code in a header, and a status that follows from the code."""
        headers = [
            (b"content-type", b"text/plain; charset=UTF-8"),
            (b"x-clickhouse-exception-code", str(error.code).encode()),
        ]
        await send_whole(self.send, error.status, str(error).encode() + b"\n", headers)


async def send_whole(send: Send, status: int, body: bytes, headers: Headers) -> None:
    """A complete response."""
    sized = [*headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": sized})
    await send({"type": "http.response.body", "body": body})
