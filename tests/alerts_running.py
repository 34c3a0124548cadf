"""The alerts service in the process of a test, and all of Touchline beside it."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
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


@asynccontextmanager
async def up(folder: Path, config: Path) -> AsyncIterator[str]:
    """All of Touchline, as `touchline up` starts it, with its data in `folder`; the gateway's address."""
    command = [sys.executable, "-m", "services.cli.main", "up", "--data", str(folder / "data"), "--json"]
    command += ["--config", str(config), "--gateway-port", "0", "--dashboard-port", "0"]
    with (folder / "up.log").open("w") as log:
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=log)
    try:
        assert process.stdout is not None
        async with asyncio.timeout(180):
            line = await process.stdout.readline()
        assert line, (folder / "up.log").read_text()[-2_000:]
        yield str(json.loads(line)["gateway_url"])
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(60):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
