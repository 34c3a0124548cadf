"""A lane a role: its own threads, queue and memory of waiting requests, so that readers cannot be in services' way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

from services.embedded.clickhouse.errors import TOO_MANY_QUERIES, ClickHouseError

T = TypeVar("T")
_LIGHT_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class Width:
    """How much of a role's work goes on at once. `parsers`: threads that read large requests, apart from the others."""

    threads: int
    queue: int
    body_bytes: int
    parsers: int = 1


class Lane:
    """The work of one role. Everything but the functions it runs belongs to the event loop."""

    def __init__(self, name: str, width: Width) -> None:
        self._width = width
        self._engine = ThreadPoolExecutor(width.threads, name)
        self._parsers = ThreadPoolExecutor(width.parsers, f"{name}-parse")
        self._waiting = 0
        self._held_bytes = 0

    @contextmanager
    def memory(self) -> Iterator[Callable[[int], None]]:
        """Gives what reserves memory for a piece of a body, until the end of the block.

        It raises ClickHouseError 202 when the requests that wait or run hold all there is.
        """
        held_bytes = 0

        def hold(size_bytes: int) -> None:
            nonlocal held_bytes
            if self._held_bytes + size_bytes > self._width.body_bytes:
                raise ClickHouseError.made(TOO_MANY_QUERIES, "Other requests hold all the memory there is for bodies")
            self._held_bytes += size_bytes
            held_bytes += size_bytes

        try:
            yield hold
        finally:
            self._held_bytes -= held_bytes

    async def parse(self, size_bytes: int, is_plain: bool, read: Callable[[], T]) -> T:
        """Runs `read` here when it is small and plain, else in a thread: the loop serves everybody."""
        if is_plain and size_bytes <= _LIGHT_BYTES:
            return read()
        return await asyncio.get_running_loop().run_in_executor(self._parsers, read)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """A place in the queue. Raises ClickHouseError 202 when it is full."""
        if self._waiting >= self._width.queue:
            raise ClickHouseError.made(TOO_MANY_QUERIES, f"More than {self._width.queue} statements wait")
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1

    def start(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Runs `work` as soon as a thread is free."""
        return asyncio.get_running_loop().run_in_executor(self._engine, work)

    def close(self) -> None:
        """Waits for what is under way, then ends the threads."""
        for pool in (self._engine, self._parsers):
            pool.shutdown(wait=True, cancel_futures=True)
