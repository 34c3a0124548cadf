"""The alerts service in the process of a test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from services.alerting.main import Health, serve
from services.common.config import load_config
from tests.receivers import until


@asynccontextmanager
async def serving(config: Path) -> AsyncIterator[Health]:
    """It has taken over when the block begins, and has stopped when that is over."""
    stopping, health = asyncio.Event(), Health()
    task = asyncio.create_task(serve(load_config(config, env={}), stopping=stopping, health=health))
    try:
        await until(lambda: health.report()[0] or task.done(), 60)
        yield health
    finally:
        stopping.set()
        async with asyncio.timeout(30):
            await task
