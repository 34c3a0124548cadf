"""ClickHouse's HTTP interface over the engine: an ASGI application without a framework."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final
from urllib.parse import parse_qsl

from services.warehouse.codec import accepted, decode, encode, too_large
from services.warehouse.engine import Engine, Result
from services.warehouse.errors import ABORTED, TOO_MANY_QUERIES, ClickHouseError
from services.warehouse.request import to_statement
from services.warehouse.roles import Role, Users
from services.warehouse.settings import WarehouseSettings
from services.warehouse.statement import Statement

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

# Every new client asks this first, Superset some twenty times a click; the answer is the same while this process lives.
_CONNECT_QUERY: Final = b"FROM system.settings LIMIT 10000"
_TYPES: Final = {
    "JSON": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
}


class WarehouseApp:
    """The ASGI application. `users` decides the role of a request, `engine` runs its statement."""

    def __init__(self, settings: WarehouseSettings, users: Users, engine: Engine) -> None:
        self._settings = settings
        self._users = users
        self._engine = engine
        # readers have threads of their own: a slow chart must not delay the sink
        self._threads = {
            Role.INTERNAL: ThreadPoolExecutor(settings.internal_threads, "internal"),
            Role.READER: ThreadPoolExecutor(settings.reader_threads, "reader"),
        }
        self._waiting = 0
        self._connect_answers: dict[tuple[Role, bytes], Result] = {}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            await self._answer(scope, receive, send)
        except ClickHouseError as error:
            await _reply(send, error.status, str(error).encode() + b"\n", _error_headers(error))

    def close(self) -> None:
        """Waits for the statements under way, then ends the threads."""
        for pool in self._threads.values():
            pool.shutdown(wait=True, cancel_futures=True)

    async def _answer(self, scope: Message, receive: Receive, send: Send) -> None:
        params = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if scope["path"] in ("/ping", "/replicas_status") or not (
            params or headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
        ):
            await _reply(send, 200, b"Ok.\n", [(b"content-type", b"text/plain; charset=UTF-8")])
            return
        role = self._users.role_of(headers, params)
        body = await self._body(receive, headers, role)
        statement = to_statement(headers, params, body)
        result = await self._run(statement, role)
        encoding = (
            accepted(headers.get("accept-encoding", ""))
            if params.get("enable_http_compression") == "1"
            else ""
        )
        out, used = encode(result.body, encoding)
        await _reply(send, 200, out, _result_headers(statement, result, params, used))

    async def _body(self, receive: Receive, headers: dict[str, str], role: Role) -> bytes:
        limits = self._settings.limits
        cap = limits.max_body_bytes if role is Role.INTERNAL else limits.reader_max_body_bytes
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClickHouseError.made(ABORTED, "The client went away")
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > cap:
                raise too_large(cap)
            if not message.get("more_body", False):
                return decode(b"".join(parts), headers.get("content-encoding", "").lower(), cap)

    async def _run(self, statement: Statement, role: Role) -> Result:
        if self._waiting >= self._settings.queue_limit:
            raise ClickHouseError.made(
                TOO_MANY_QUERIES, f"More than {self._settings.queue_limit} statements wait"
            )
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._threads[role], self._run_here, statement, role
            )
        finally:
            self._waiting -= 1

    def _run_here(self, statement: Statement, role: Role) -> Result:
        if _CONNECT_QUERY not in statement.text or not statement.text.startswith(
            b"SELECT name, value, readonly"
        ):
            return self._engine.run(statement, role)
        key = (role, statement.text)
        if key not in self._connect_answers:
            self._connect_answers[key] = self._engine.run(statement, role)
        return self._connect_answers[key]


def _result_headers(statement: Statement, result: Result, params: dict[str, str], encoding: str) -> Headers:
    summary = {
        "read_rows": str(result.read_rows),
        "read_bytes": str(result.read_bytes),
        "written_rows": str(result.written_rows),
        "written_bytes": str(result.written_bytes),
        "elapsed_ns": str(int(result.elapsed_s * 1e9)),
    }
    headers = {
        "x-clickhouse-summary": json.dumps(summary),
        "x-clickhouse-query-id": params.get("query_id", ""),
        "x-clickhouse-timezone": "UTC",
        "x-clickhouse-server-display-name": "touchline",
    }
    if statement.answers:
        headers["x-clickhouse-format"] = statement.format
        headers["content-type"] = _TYPES.get(statement.format, "application/octet-stream")
    if encoding:
        headers["content-encoding"] = encoding
    return [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]


def _error_headers(error: ClickHouseError) -> Headers:
    return [
        (b"content-type", b"text/plain; charset=UTF-8"),
        (b"x-clickhouse-exception-code", str(error.code).encode()),
    ]


async def _reply(send: Send, status: int, body: bytes, headers: Headers) -> None:
    sized = [*headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": sized})
    await send({"type": "http.response.body", "body": body})
