"""ClickHouse's HTTP interface over the engine: an ASGI application without a framework."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from services.warehouse.codec import BLOCKS, decode, too_large
from services.warehouse.engine import Engine, Result, quote
from services.warehouse.errors import ABORTED, AUTHENTICATION_FAILED, TOO_MANY_QUERIES, ClickHouseError
from services.warehouse.exchange import Exchange, Message, Receive, Send, send_whole
from services.warehouse.outlet import Outlet
from services.warehouse.request import TRANSPORT, to_statement
from services.warehouse.roles import Role, Users
from services.warehouse.settings import READER_SETTINGS, WarehouseSettings
from services.warehouse.statement import Statement

_PINGS: Final = ("/ping", "/replicas_status")
# Every new client asks this first, Superset some twenty times a click; the answer is the same while this process lives.
_CONNECT_QUERY: Final = b"SELECT name, value, readonly FROM system.settings LIMIT 10000"


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
        self._connect_answers: dict[tuple[Role, bytes, str], bytes] = {}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            await self._answer(scope, receive, send)
        except ClickHouseError as error:
            await send_whole(send, error.status, str(error).encode() + b"\n", _error_headers(error))

    def close(self) -> None:
        """Waits for the statements under way, then ends the threads."""
        for pool in self._threads.values():
            pool.shutdown(wait=True, cancel_futures=True)

    async def _answer(self, scope: Message, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        params = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        if scope["path"] in _PINGS or _is_bare(headers, params):
            await send_whole(send, 200, b"Ok.\n", [(b"content-type", b"text/plain; charset=UTF-8")])
            return
        role = self._users.role_of(headers, params)
        self._refuse_rebound(headers)
        statement = to_statement(headers, params, await self._body(receive, headers, role))
        exchange = Exchange(statement, _encodings(headers, params), receive, send)
        key = _connect_key(statement, role)
        if key is not None and role is Role.READER:
            exchange.statement = replace(statement, text=_told_what_it_may_set(statement.text))
        if key is None:
            await self._run(exchange, role)
        elif (known := self._connect_answers.get(key)) is not None:
            await exchange.reply(known, Result())
        else:
            self._connect_answers[key] = await self._run(exchange, role)

    def _refuse_rebound(self, headers: Mapping[str, str]) -> None:
        """A web page can give its own name our loopback address; the name it then calls us by betrays it."""
        name = urlsplit(f"//{headers.get('host', '')}").hostname or ""
        if self._settings.on_loopback and name not in ("", "localhost", "127.0.0.1", "::1", self._settings.host):
            raise ClickHouseError.made(AUTHENTICATION_FAILED, f"The Host {name[:80]!r} is not this machine")

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

    async def _run(self, exchange: Exchange, role: Role) -> bytes:
        """Runs and answers; the answer itself when it was small enough to be kept whole."""
        if self._waiting >= self._settings.queue_limit:
            raise ClickHouseError.made(TOO_MANY_QUERIES, f"More than {self._settings.queue_limit} statements wait")
        loop = asyncio.get_running_loop()
        outlet = Outlet(loop)
        self._waiting += 1

        def work() -> Result:
            if outlet.is_abandoned:  # the client left while the statement waited for a thread
                raise ClickHouseError.made(ABORTED, "The client went away")
            return self._engine.run(exchange.statement, role, outlet.emit)

        def stop() -> None:
            self._engine.kill(role, exchange.statement.query_id)

        job = loop.run_in_executor(self._threads[role], work)
        job.add_done_callback(lambda _: outlet.finish())
        try:
            return await exchange.conduct(outlet, job, stop)
        finally:
            self._waiting -= 1


def _encodings(headers: Mapping[str, str], params: Mapping[str, str]) -> str:
    if params.get("compress") == "1":
        return BLOCKS
    return headers.get("accept-encoding", "") if params.get("enable_http_compression") == "1" else ""


def _is_bare(headers: Mapping[str, str], params: Mapping[str, str]) -> bool:
    has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
    return not has_body and "query" not in params


def _connect_key(statement: Statement, role: Role) -> tuple[Role, bytes, str] | None:
    if statement.text.startswith(_CONNECT_QUERY) and len(statement.text) < 200:
        return role, statement.text, statement.default_format
    return None


def _told_what_it_may_set(text: bytes) -> bytes:
    """The connect query of a reader, whose session is read-only: what this server takes all the same is not."""
    names = ", ".join(quote(name) for name in sorted(READER_SETTINGS | TRANSPORT))
    told = f"SELECT name, value, toUInt8(readonly != 0 AND name NOT IN ({names})) AS readonly FROM"
    return text.replace(b"SELECT name, value, readonly FROM", told.encode(), 1)


def _error_headers(error: ClickHouseError) -> list[tuple[bytes, bytes]]:
    return [
        (b"content-type", b"text/plain; charset=UTF-8"),
        (b"x-clickhouse-exception-code", str(error.code).encode()),
    ]
