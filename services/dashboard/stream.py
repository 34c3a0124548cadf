"""One viewer's stream as an ASGI answer: a task that sends, a task that notices the viewer leave."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from services.dashboard.frames import GREETING, GZIP_HEADER, Frame
from services.dashboard.guard import STRAIGHT
from services.dashboard.live import Viewer

_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
    (b"vary", b"accept-encoding"),
]


class EventStream(Response):
    """Sends a viewer's frames until either side ends; `on_end` is always called."""

    def __init__(self, viewer: Viewer, on_end: Callable[[], None], *, gzip: bool) -> None:
        super().__init__()
        self._viewer = viewer
        self._on_end = on_end
        self._gzip = gzip

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        leaving = asyncio.create_task(self._until_left(receive))
        try:
            await self._send_frames(send, scope.get(STRAIGHT, send))
        finally:
            self._on_end()
            leaving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await leaving

    async def _until_left(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._viewer.close()

    async def _send_frames(self, send: Send, straight: Send) -> None:
        headers = [*_HEADERS, (b"content-encoding", b"gzip")] if self._gzip else _HEADERS
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        prefix = GZIP_HEADER if self._gzip else b""
        await self._send(send, prefix + self._bytes(GREETING), more=True)
        while (frame := await self._viewer.next()) is not None:
            await self._send(straight, self._bytes(frame), more=True)
        await self._send(send, b"", more=False)

    def _bytes(self, frame: Frame) -> bytes:
        return frame.deflated if self._gzip else frame.plain

    @staticmethod
    async def _send(send: Send, body: bytes, *, more: bool) -> None:
        await send({"type": "http.response.body", "body": body, "more_body": more})
