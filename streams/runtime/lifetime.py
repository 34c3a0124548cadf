"""How a process comes up beside a Kafka that may be away, and goes: wait, stop on a signal, give connections back."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka.errors import KafkaError

START_RETRY_S: Final = 1.0
CLOSE_WITHIN_S: Final = 10.0
Close = Callable[[], Awaitable[None]]
_log = logging.getLogger(__name__)


def stop_on_signals(stopping: asyncio.Event) -> None:
    """Set it on SIGTERM and SIGINT. Outside the main thread nothing is done: whoever called cancels."""
    with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)


@asynccontextmanager
async def started(
    make: Callable[[], Any], stopping: asyncio.Event, waits: Callable[[KafkaError], None]
) -> AsyncIterator[Any]:
    """A started client of aiokafka, stopped at the end; None when asked to stop before Kafka answered.

    `waits` hears of each attempt that failed.
    """
    while not stopping.is_set():
        client = make()
        try:
            await client.start()
        except KafkaError as error:
            await close_all(client.stop)
            waits(error)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(START_RETRY_S):
                    await stopping.wait()
            continue
        try:
            yield client
        finally:
            await close_all(client.stop)
        return
    yield None


async def close_all(*closes: Close, within_s: float = CLOSE_WITHIN_S) -> None:
    """Give connections back side by side. What fails or takes longer is left to the system.

    It takes functions and no coroutines: a stop that comes at this moment ends the tasks before they begin, and a
    coroutine made before would stay without anybody to await it.
    """
    for result in await asyncio.gather(*(_within(within_s, each) for each in closes), return_exceptions=True):
        if isinstance(result, Exception):
            _log.debug("closing: %r", result)


async def _within(seconds: float, close: Close) -> None:
    async with asyncio.timeout(seconds):
        await close()
