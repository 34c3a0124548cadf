"""Answers that are asked for again only after a while: what changes slowly, or costs much."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
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
