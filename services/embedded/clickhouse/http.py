"""ClickHouse's HTTP interface over the engine: an ASGI application without a framework."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from typing import Final

from services.common.visitors import Visitors
from services.embedded.clickhouse.cache import BoundedCache
from services.embedded.clickhouse.codec import BLOCKS, decode, too_large
from services.embedded.clickhouse.engine import Engine, Result, quote
from services.embedded.clickhouse.errors import ABORTED, AUTHENTICATION_FAILED, UNKNOWN_EXCEPTION, ClickHouseError
from services.embedded.clickhouse.exchange import Answering, Exchange, Message, Receive, Send, send_whole
from services.embedded.clickhouse.lanes import Lane, Width
from services.embedded.clickhouse.looks import Looks
from services.embedded.clickhouse.outlet import Outlet
from services.embedded.clickhouse.request import TRANSPORT, is_form, parameters, to_statement
from services.embedded.clickhouse.roles import Role, Users
from services.embedded.clickhouse.settings.process import WarehouseSettings
from services.embedded.clickhouse.settings.statement import READER_SETTINGS
from services.embedded.clickhouse.statement import Statement

_PINGS: Final = frozenset(["/ping", "/replicas_status"])
# Every new client asks this first, Superset some twenty times a click; the answer is the same while this process lives.
_CONNECT_QUERY: Final = b"SELECT name, value, readonly FROM system.settings LIMIT 10000"
_CONNECT_BYTES: Final = 4 << 20
_log = logging.getLogger("touchline.warehouse")


class WarehouseApp:
    """The ASGI application. `users` decides the role of a request, `engine` runs its statement."""

    def __init__(self, settings: WarehouseSettings, users: Users, engine: Engine) -> None:
        self._limits = settings.limits
        self._users = users
        self._looks = Looks()
        self._engine = engine
        # readers have threads, a queue and memory of their own: a slow chart must not delay the sink
        readers = Lane("reader", _readers(settings))
        self._lanes = {
            Role.INTERNAL: Lane("internal", _services(settings)),
            Role.READER: readers,
            Role.VIEWER: readers,
        }
        self._visitors = replace(
            Visitors.of("sql", settings.host, settings.sql.allowed_hosts, settings.sql.allowed_origins),
            open_paths=_PINGS,
        )
        self._connect_answers: BoundedCache[tuple[Role, bytes, str]] = BoundedCache(_CONNECT_BYTES)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        raw: dict[bytes, bytes] = dict(scope["headers"])
        allowed = self._visitors.cors(raw)
        if (granted := self._visitors.preflight(scope["method"], raw)) is not None:
            await send({"type": "http.response.start", "status": 204, "headers": granted})
            await send({"type": "http.response.body", "body": b""})
            return
        answering = Answering(send, allowed)
        try:
            self._refuse_strangers(scope, raw)
            await self._answer(scope, receive, answering.send)
        except ClickHouseError as error:
            await answering.fail(error)
        except Exception:
            if answering.has_begun:
                raise
            _log.exception("a request failed")
            await answering.fail(ClickHouseError.made(UNKNOWN_EXCEPTION, "The request failed; the log says why"))

    def close(self) -> None:
        """Waits for the statements under way, then ends the threads."""
        for lane in self._lanes.values():
            lane.close()

    def _refuse_strangers(self, scope: Message, headers: dict[bytes, bytes]) -> None:
        refusal = self._visitors.refusal(scope["method"], scope["path"], headers)
        if refusal is not None:
            raise ClickHouseError.made(AUTHENTICATION_FAILED, refusal.message)

    async def _answer(self, scope: Message, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        query: bytes = scope["query_string"]
        params = await self._lanes[Role.INTERNAL].parse(len(query), True, lambda: parameters(query))
        if scope["path"] in _PINGS or _is_bare(headers, params):
            await send_whole(send, 200, b"Ok.\n", [(b"content-type", b"text/plain; charset=UTF-8")])
            return
        role = self._users.role_of(headers, params)
        self._looks.note(role, headers)
        caller = self._users.caller_of(headers, params, (scope.get("client") or ("",))[0]) if role.reads else ""
        with self._lanes[role].memory(caller) as hold:
            body = await self._body(role, receive, hold)
            statement = await self._read(role, headers, params, body)
            exchange = Exchange(statement, _encodings(headers, params), receive, send, self._looks.headers(role))
            await self._respond(role, caller, exchange)

    async def _respond(self, role: Role, caller: str, exchange: Exchange) -> None:
        statement = exchange.statement
        key = _connect_key(statement, role)
        if key is not None and role.reads:
            exchange.statement = replace(statement, text=_with_what_it_may_set(statement.text))
        if key is None:
            await self._run(exchange, role, caller)
        elif (known := self._connect_answers.get(key)) is not None:
            await exchange.reply(known, Result())
        else:
            answer = await self._run(exchange, role, caller)
            self._connect_answers.put(key, answer, len(statement.text) + len(statement.default_format))

    def _cap(self, role: Role) -> int:
        return self._limits.max_body_bytes if role is Role.INTERNAL else self._limits.reader_max_body_bytes

    async def _body(self, role: Role, receive: Receive, hold: Callable[[int], None]) -> bytes:
        cap, body = self._cap(role), bytearray()
        async for piece in _pieces(receive):
            hold(len(piece))
            body += piece
            if len(body) > cap:
                raise too_large(cap)
        return bytes(body)

    async def _read(self, role: Role, headers: dict[str, str], params: dict[str, str], body: bytes) -> Statement:
        encoding = headers.get("content-encoding", "").lower()
        text_cap = None if role is Role.INTERNAL else self._limits.reader_max_query_bytes

        def read() -> Statement:
            plain = decode(body, encoding, self._cap(role))
            return to_statement(headers, params, plain, max_query_bytes=text_cap)

        return await self._lanes[role].parse(len(body), not encoding and not is_form(headers), read)

    async def _run(self, exchange: Exchange, role: Role, caller: str) -> bytes:
        """Runs and answers; the answer itself when it was small enough to be kept whole."""
        with self._lanes[role].turn(caller):
            loop = asyncio.get_running_loop()
            outlet = Outlet(loop)

            def work() -> Result:
                if outlet.is_abandoned:  # the client left while the statement waited for a thread
                    raise ClickHouseError.made(ABORTED, "The client went away")
                return self._engine.run(exchange.statement, role, outlet.emit)

            def stop() -> None:
                self._engine.kill(role, exchange.statement.query_id)

            job = self._lanes[role].start(work, caller)
            job.add_done_callback(lambda _: outlet.finish())
            return await exchange.conduct(outlet, job, stop)


def _services(settings: WarehouseSettings) -> Width:
    sql = settings.sql
    return Width(sql.service_threads, sql.service_queue, settings.limits.waiting_bytes, parsers=2)


def _readers(settings: WarehouseSettings) -> Width:
    sql, limits = settings.sql, settings.limits
    return Width(sql.reader_threads, sql.reader_queue, limits.reader_waiting_bytes, is_shared=True)


async def _pieces(receive: Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClickHouseError.made(ABORTED, "The client went away")
        yield message.get("body", b"")
        more = message.get("more_body", False)


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


def _with_what_it_may_set(text: bytes) -> bytes:
    """The connect query of a reader, whose session is read-only: what this server takes all the same is not."""
    names = ", ".join(quote(name) for name in sorted(READER_SETTINGS | TRANSPORT))
    asked = f"SELECT name, value, toUInt8(readonly != 0 AND name NOT IN ({names})) AS readonly FROM"
    return text.replace(b"SELECT name, value, readonly FROM", asked.encode(), 1)
