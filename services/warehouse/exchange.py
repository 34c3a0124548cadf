"""The answering half of one request: whole when small, in pieces when not, errors as ClickHouse tells them."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any, Final

from services.warehouse.codec import accepted, encoder
from services.warehouse.engine import Result
from services.warehouse.errors import ClickHouseError
from services.warehouse.outlet import Outlet
from services.warehouse.statement import Statement

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

# Kept back before the status line goes out, so that most errors arrive as a status and not in the middle.
_KEPT_BYTES: Final = 1 << 20
_TYPES: Final = {"JSON": "application/json; charset=UTF-8", "JSONEachRow": "application/x-ndjson; charset=UTF-8"}


class Exchange:
    """One statement and the socket its answer goes to."""

    def __init__(self, statement: Statement, query_id: str, accept_encoding: str, receive: Receive, send: Send) -> None:
        self.statement = statement
        self._query_id = query_id
        self._accept = accept_encoding
        self._receive = receive
        self._send = send

    async def conduct(self, outlet: Outlet, job: asyncio.Future[Result]) -> bytes:
        """Answers with what `outlet` gives. Returns the answer, or nothing of one that was too large to keep.

        Raises the ClickHouseError of `job` when nothing has been sent yet.
        """
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
            outlet.abandon()

    async def reply(self, body: bytes, result: Result) -> None:
        """Answers whole."""
        encoding = accepted(self._accept, len(body))
        packer = encoder(encoding)
        headers = self._headers(result, encoding)
        await send_whole(self._send, 200, packer.compress(body) + packer.flush(), headers)

    async def _stream(self, head: bytes, outlet: Outlet, job: asyncio.Future[Result]) -> None:
        tag = secrets.token_hex(8)
        encoding = accepted(self._accept, len(head))
        packer = encoder(encoding)
        headers = [*self._headers(Result(), encoding), (b"x-clickhouse-exception-tag", tag.encode())]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        watch = asyncio.create_task(self._watch(outlet))
        try:
            piece: bytes | None = head
            while piece is not None:
                await self._body(packer.compress(piece), more=True)
                piece = await outlet.next()
            error = None if watch.done() else await _error_of(job)
            tail = packer.compress(_in_stream(error, tag)) if error else b""
            await self._body(tail + packer.flush(), more=False)
        finally:
            watch.cancel()
            with suppress(asyncio.CancelledError):
                await watch

    async def _watch(self, outlet: Outlet) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        outlet.abandon()

    async def _body(self, data: bytes, *, more: bool) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": more})

    def _headers(self, result: Result, encoding: str) -> Headers:
        headers = {
            "x-clickhouse-summary": json.dumps(result.summary()),
            "x-clickhouse-query-id": self._query_id,
            "x-clickhouse-timezone": "UTC",
            "x-clickhouse-server-display-name": "touchline",
        }
        # its absence tells a client that the statement has no rows to give, which is not the same as none
        if self.statement.answers:
            headers["x-clickhouse-format"] = self.statement.format
            headers["content-type"] = _TYPES.get(self.statement.format, "application/octet-stream")
        if encoding:
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


async def send_whole(send: Send, status: int, body: bytes, headers: Headers) -> None:
    """A complete response."""
    sized = [*headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": sized})
    await send({"type": "http.response.body", "body": body})
