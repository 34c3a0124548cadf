"""uvicorn, woken when it is to end: of itself it looks ten times a second whether it is."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

import uvicorn

if TYPE_CHECKING:
    from collections.abc import Iterator

TICK_S: Final = 1.0
"""So often the header `date` is made anew, as uvicorn does; and who asks it to end from another thread is heard."""
_UVICORNS_TICKS: Final = 10


class Server(uvicorn.Server):
    """Serves until `should_exit` is set, and ends then at once. Subclasses say what becomes of signals."""

    def __init__(self, config: uvicorn.Config) -> None:
        self._leaving = asyncio.Event()
        super().__init__(config)

    @property
    def should_exit(self) -> bool:
        """Whether it is to end."""
        return self._leaving.is_set()

    @should_exit.setter
    def should_exit(self, told: bool) -> None:
        if told:
            self._leaving.set()
        else:
            self._leaving.clear()

    async def main_loop(self) -> None:
        """uvicorn's, with a longer breath."""
        ticks = 0
        while not await self.on_tick(ticks):
            ticks += _UVICORNS_TICKS
            with suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await self._leaving.wait()


class UnsignalledServer(Server):
    """Leaves signals to us: uvicorn raises them again after its shutdown, before all is closed."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
