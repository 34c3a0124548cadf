"""From the thread that reads the engine to the event loop that writes the socket: chunks, a few at a time."""

from __future__ import annotations

import asyncio
import threading
from typing import Final

_CHUNKS_UNDER_WAY: Final = 4


class Outlet:
    """One answer on its way. `emit` belongs to the engine's thread, everything else to the event loop.

    A slow client stops the engine (`emit` waits for room), so an answer of any size needs the memory of some chunks.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._room = threading.Semaphore(_CHUNKS_UNDER_WAY)
        self._gone = threading.Event()

    def emit(self, chunk: bytes) -> bool:
        """Hands a chunk over; blocks while the client is behind. False: the client went away, stop."""
        self._room.acquire()
        if self._gone.is_set():
            return False
        self._loop.call_soon_threadsafe(self._queue.put_nowait, chunk)
        return True

    def finish(self) -> None:
        """No more chunks will come."""
        self._queue.put_nowait(None)

    async def next(self) -> bytes | None:
        """The next chunk; None after the last."""
        chunk = await self._queue.get()
        self._room.release()
        return chunk

    @property
    def is_abandoned(self) -> bool:
        """Whether the client went away, or has all it gets."""
        return self._gone.is_set()

    def abandon(self) -> None:
        """The client went away; lets `emit` return. Safe to call twice."""
        self._gone.set()
        self._room.release()
        self._queue.put_nowait(None)
