"""`/metrics` and `/healthz` over HTTP: a few lines of asyncio, because every process carries it.

Health tells the truth at the moment of asking: the probe is called per request and answers
`(ok, checks)`, where `checks` says per dependency what is known and how old that knowledge is.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Mapping

import orjson

from streams.runtime.at_rest import AtRest
from streams.runtime.metrics import Metrics
from streams.runtime.pauses import Pauses

Checks = Mapping[str, object]
Health = Callable[[], tuple[bool, Checks]]
"""Is the service able to do its job now, and why (not)? Must not block."""

OPS_PORT_ENV = "TOUCHLINE_OPS_PORT"
READ_TIMEOUT_S = 5.0
PROMETHEUS_TEXT = "text/plain; version=0.0.4; charset=utf-8"

_REASONS = {200: "OK", 404: "Not Found", 405: "Method Not Allowed", 500: "Internal Server Error", 503: "Unavailable"}
Reply = tuple[int, str, bytes]


class OpsServer:
    """Serves one process's metrics and health until `close`. `start` returns the port it listens on."""

    def __init__(self, metrics: Metrics, health: Health, *, host: str = "127.0.0.1", port: int | None = None) -> None:
        """`port` 0 picks a free one; None takes it from TOUCHLINE_OPS_PORT (unset: a free one)."""
        self._metrics = metrics
        self._health = health
        self._host = host
        self._port = int(os.environ.get(OPS_PORT_ENV) or 0) if port is None else port
        self._server: asyncio.Server | None = None
        self._watching: list[asyncio.Task[None]] = []
        self.pauses = Pauses(metrics)
        """Of this process, watched while this serves."""

    async def start(self) -> int:
        """Listen. Raises OSError when the port is taken."""
        self._server = await asyncio.start_server(self._serve, self._host, self._port, limit=16_384)
        self._watching = [asyncio.create_task(watch.run()) for watch in (self.pauses, AtRest())]
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening; safe to call twice."""
        for watching in self._watching:
            watching.cancel()
        self._watching = []
        if self._server is not None:
            self._server.close()
            self._server = None

    async def __aenter__(self) -> OpsServer:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request a connection; anything that is not one is hung up on."""
        with contextlib.suppress(ConnectionError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(READ_TIMEOUT_S):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(_encode(self.reply(head), with_body=not head.startswith(b"HEAD ")))
                await writer.drain()
        writer.close()

    def reply(self, head: bytes) -> Reply:
        """The answer to one request head: (status, content type, body)."""
        method, _, rest = head.partition(b" ")
        path = rest.split(b" ", 1)[0].split(b"?", 1)[0]
        if path not in (b"/metrics", b"/healthz"):
            return 404, "text/plain", b"try /metrics or /healthz\n"
        if method not in (b"GET", b"HEAD"):
            return 405, "text/plain", b"GET only\n"
        if path == b"/metrics":
            return 200, PROMETHEUS_TEXT, self._metrics.render()
        return self._healthz()

    def _healthz(self) -> Reply:
        try:
            ok, checks = self._health()
        except Exception as error:  # a probe that fails is an answer: not healthy
            return 500, "application/json", orjson.dumps({"ok": False, "error": repr(error)})
        return 200 if ok else 503, "application/json", orjson.dumps({"ok": ok, "checks": dict(checks)}, default=str)


def _encode(reply: Reply, *, with_body: bool) -> bytes:
    status, content_type, body = reply
    head = (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (body if with_body else b"")
