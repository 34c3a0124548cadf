"""What a thousand open live pages cost the dashboard: CPU and memory, against one page.

The process is a real one that listens on loopback; its store is made of lists, and a touchpoint comes in every second,
so that a frame goes to everybody each second. The viewers are connections that ask for the map, packed, and read all.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

from benchmarks.figures import QUICK, Figure, Pace, Say
from benchmarks.processes import cpu_s, memory_mb

VIEWERS: Final = 1000
FEW: Final = 200
CPU_BUDGET: Final = "≤ 5 % of a core"
MEMORY_BUDGET: Final = "≤ 32 KB"
_ASK: Final = b"GET /api/stream?view=map&window=24h HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept-Encoding: gzip\r\n\r\n"


def run(pace: Pace, say: Say) -> list[Figure]:
    """First one viewer, then all of them, for a window each."""
    return asyncio.run(_run(FEW if pace == QUICK else VIEWERS, pace.window_s, pace.settle_s, say))


async def _run(viewers: int, window_s: float, settle_s: float, say: Say) -> list[Figure]:
    with subprocess.Popen([sys.executable, "-m", "benchmarks.viewers"], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            port = int(await asyncio.to_thread(server.stdout.readline))
            async with _watching(port, 1):
                await asyncio.sleep(settle_s)
                one, one_mb = await _cost(server.pid, window_s), memory_mb([server.pid])
            async with _watching(port, viewers) as got:
                await asyncio.sleep(settle_s)
                seen = sum(got)
                many, many_mb = await _cost(server.pid, window_s), memory_mb([server.pid])
                frames_s = (sum(got) - seen) / window_s
                least = min(got)
        finally:
            server.terminate()
    if not least:
        raise RuntimeError("a viewer was sent nothing: the figures mean nothing")
    part, each_kb = f"live pages, {viewers} viewers", (many_mb - one_mb) * 1024 / (viewers - 1)
    figures = [
        Figure(part, "CPU with all of them, the map computed each second", f"{many:.1f} % of a core", CPU_BUDGET),
        Figure(part, "CPU with one of them", f"{one:.1f} % of a core"),
        Figure(part, "memory a viewer", f"{each_kb:.1f} KB", MEMORY_BUDGET),
        Figure(part, "sent to all of them", f"{frames_s / 1024:,.0f} KB/s"),
    ]
    for figure in figures:
        say(f"  {figure.what}: {figure.value}")
    return figures


async def _cost(pid: int, window_s: float) -> float:
    """Percent of a core over the next stretch."""
    before, began_s = cpu_s(pid), time.monotonic()
    await asyncio.sleep(window_s)
    return 100 * (cpu_s(pid) - before) / (time.monotonic() - began_s)


@asynccontextmanager
async def _watching(port: int, count: int) -> AsyncIterator[list[int]]:
    """So many open streams; how many bytes each was sent so far."""
    got = [0] * count
    opened = [await asyncio.open_connection("127.0.0.1", port, limit=1 << 14) for _ in range(count)]
    for _, writer in opened:
        writer.write(_ASK)

    async def read(number: int, reader: asyncio.StreamReader) -> None:
        while piece := await reader.read(1 << 14):
            got[number] += len(piece)

    reading = [asyncio.create_task(read(number, reader)) for number, (reader, _) in enumerate(opened)]
    try:
        yield got
    finally:
        for task in reading:
            task.cancel()
        for _, writer in opened:
            writer.close()


def serve() -> None:
    """The dashboard's process. Prints its port."""
    from dataclasses import replace

    from services.common.connection import server_settings
    from services.dashboard.main import BOUNDS
    from tests.dashboard_fakes import BLUEPRINT, NOW, FakeStore
    from tests.dashboard_seed import world
    from tests.listening import served
    from tests.unit.test_dashboard_app import app_on

    store = FakeStore(world(BLUEPRINT, NOW, touchpoints=20, days=1))
    settings = server_settings(app_on(store), replace(BOUNDS, connections=VIEWERS + 100), port=0)
    with served(settings) as port:
        print(port, flush=True)
        number = 0
        while True:
            threading.Event().wait(1.0)
            number += 1
            at = NOW - timedelta(seconds=number % 3600)
            latest = store.world.touchpoints[-1]
            row = latest | {"event_id": f"n{number}", "occurred_at": at, "minute": at.replace(second=0, microsecond=0)}
            store.world.touchpoints.append(row)


if __name__ == "__main__":
    serve()
