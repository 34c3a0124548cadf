"""A lane a role: its own threads, queue and memory of waiting requests, so that readers cannot be in services' way.

Within a lane nobody has all of it. Who has the fewest statements running is next, and one caller's never take the last
thread, nor more than half of the queue and of the memory: so others are served while somebody asks too much.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar

from services.embedded.clickhouse.errors import TOO_MANY_QUERIES, ClickHouseError

T = TypeVar("T")
_LIGHT_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class Width:
    """How much of a role's work goes on at once. `parsers`: threads that read large requests, apart from the others.

    `is_shared`: several callers use it, so that one alone may not have all of it.
    """

    threads: int
    queue: int
    body_bytes: int
    parsers: int = 1
    is_shared: bool = False

    @property
    def threads_of_one(self) -> int:
        """The statements of one caller that run at once."""
        return max(self.threads - 1, 1) if self.is_shared else self.threads

    @property
    def queue_of_one(self) -> int:
        """And those that run or wait."""
        return max(self.queue // 2, 1) if self.is_shared else self.queue

    @property
    def body_bytes_of_one(self) -> int:
        """What the bodies of one caller may hold."""
        return self.body_bytes // 2 if self.is_shared else self.body_bytes


@dataclass(frozen=True, slots=True)
class _Waiting:
    caller: str
    work: Callable[[], Any]
    done: asyncio.Future[Any]


class Lane:
    """The work of one role. Everything but the functions it runs belongs to the event loop."""

    def __init__(self, name: str, width: Width) -> None:
        self._width = width
        self._engine = ThreadPoolExecutor(width.threads, name)
        self._parsers = ThreadPoolExecutor(width.parsers, f"{name}-parse")
        self._waiting: list[_Waiting] = []
        self._running: Counter[str] = Counter()
        self._turns: Counter[str] = Counter()
        self._held_bytes: Counter[str] = Counter()

    @contextmanager
    def memory(self, caller: str = "") -> Iterator[Callable[[int], None]]:
        """Gives what reserves memory for a piece of a body, until the end of the block.

        It raises ClickHouseError 202 when the requests that wait or run hold all there is, or those of `caller` all
        that is theirs.
        """
        held_bytes = 0

        def hold(size_bytes: int) -> None:
            nonlocal held_bytes
            if self._held_bytes.total() + size_bytes > self._width.body_bytes:
                raise _too_many("Other requests hold all the memory there is for bodies")
            if self._held_bytes[caller] + size_bytes > self._width.body_bytes_of_one:
                raise _too_many("Your other requests hold all the memory there is for your bodies")
            self._held_bytes[caller] += size_bytes
            held_bytes += size_bytes

        try:
            yield hold
        finally:
            _take_off(self._held_bytes, caller, held_bytes)

    async def parse(self, size_bytes: int, is_plain: bool, read: Callable[[], T]) -> T:
        """Runs `read` here when it is small and plain, else in a thread: the loop serves everybody."""
        if is_plain and size_bytes <= _LIGHT_BYTES:
            return read()
        return await asyncio.get_running_loop().run_in_executor(self._parsers, read)

    @contextmanager
    def turn(self, caller: str = "") -> Iterator[None]:
        """A place in the queue. Raises ClickHouseError 202 when it is full, or the part that `caller` may have."""
        if self._turns.total() >= self._width.queue:
            raise _too_many(f"More than {self._width.queue} statements wait")
        if self._turns[caller] >= self._width.queue_of_one:
            raise _too_many(f"More than {self._width.queue_of_one} of your statements wait")
        self._turns[caller] += 1
        try:
            yield
        finally:
            _take_off(self._turns, caller, 1)

    def start(self, work: Callable[[], T], caller: str = "") -> asyncio.Future[T]:
        """Runs `work` as soon as a thread is free that `caller` may have."""
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(caller, work, done))
        self._begin()
        return done

    def close(self) -> None:
        """Waits for what is under way, then ends the threads; what waits never begins, and its callers are let go."""
        while self._waiting:
            self._waiting.pop().done.cancel()
        for pool in (self._engine, self._parsers):
            pool.shutdown(wait=True, cancel_futures=True)

    def _begin(self) -> None:
        """All that may run now."""
        self._waiting = [one for one in self._waiting if not one.done.done()]  # nobody wants the others any more
        while self._running.total() < self._width.threads and (following := self._following()) is not None:
            self._waiting.remove(following)
            self._running[following.caller] += 1
            job = asyncio.get_running_loop().run_in_executor(self._engine, following.work)
            job.add_done_callback(partial(self._ended, following))

    def _following(self) -> _Waiting | None:
        """Of who has the fewest running, whoever came first."""
        may = (one for one in self._waiting if self._running[one.caller] < self._width.threads_of_one)
        return min(may, key=lambda one: self._running[one.caller], default=None)

    def _ended(self, one: _Waiting, job: asyncio.Future[Any]) -> None:
        _take_off(self._running, one.caller, 1)
        if one.done.done() or job.cancelled():
            one.done.cancel()
        elif (error := job.exception()) is not None:
            one.done.set_exception(error)
        else:
            one.done.set_result(job.result())
        self._begin()


def _take_off(counts: Counter[str], caller: str, number: int) -> None:
    """Callers come and go: who has nothing left is forgotten."""
    counts[caller] -= number
    if counts[caller] <= 0:
        del counts[caller]


def _too_many(what: str) -> ClickHouseError:
    return ClickHouseError.made(TOO_MANY_QUERIES, what)
