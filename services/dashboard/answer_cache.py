"""Answers that are asked for again only after a while: what changes slowly, or costs much."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from datetime import datetime, timedelta
from typing import Generic, TypeVar

T = TypeVar("T")


class Lately(Generic[T]):
    """What `ask` found at most `every` ago. Whoever asks while it is asked for waits for that answer."""

    def __init__(self, every: timedelta, ask: Callable[[datetime], Awaitable[T]]) -> None:
        self._every, self._ask = every, ask
        self._found: tuple[datetime, T] | None = None
        self._asking = asyncio.Lock()

    async def at(self, now: datetime) -> T:
        """Raises what `ask` raises; nothing is remembered then."""
        async with self._asking:
            if self._found is None or not timedelta() <= now - self._found[0] < self._every:
                self._found = (now, await self._ask(now))
            return self._found[1]


class Remembered(Generic[T]):
    """Answers by what they are about, at most so many, the oldest forgotten first: of what changes by the key alone."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._found: dict[Hashable, T] = {}

    async def of(self, key: Hashable, ask: Callable[[], Awaitable[T]]) -> T:
        """Raises what `ask` raises; nothing is remembered then."""
        if key not in self._found:
            found = await ask()
            while len(self._found) >= self._most:
                self._found.pop(next(iter(self._found)), None)
            self._found[key] = found
        return self._found[key]

    def clear(self) -> None:
        """Forget all."""
        self._found.clear()
