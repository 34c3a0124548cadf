"""The job as an ordinary Faust app, as its documentation teaches it: agents, a table, one event a record.

python -m benchmarks.peers.faust_app HOST:PORT PREFIX
"""

from __future__ import annotations

import asyncio
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import faust

from benchmarks.peers.job import counted, events
from streams.processors.app import quieten

PARTITIONS = 2


def make(bootstrap: str, prefix: str) -> Any:
    """The app; not started."""
    app = faust.App(
        f"{prefix}app",
        broker=f"kafka://{bootstrap}",
        store="memory://",
        topic_partitions=PARTITIONS,
        topic_replication_factor=1,
        consumer_auto_offset_reset="earliest",
        web_enabled=False,
        loghandlers=[],
        datadir=str(Path(tempfile.gettempdir()) / "touchline-bench-faust"),
    )
    requests = app.topic(f"{prefix}requests", key_type=bytes, value_type=bytes, value_serializer="raw")
    grouped = app.topic(f"{prefix}grouped", key_type=str, value_serializer="json")
    output = app.topic(f"{prefix}counted", key_type=str, value_serializer="json")
    counts = app.Table(f"{prefix}counts", default=int, partitions=PARTITIONS)

    @app.agent(requests)  # type: ignore[untyped-decorator]
    async def group(stream: Any) -> None:
        async for value in stream:
            for event in events(value):
                await grouped.send(key=event["account"], value=event)

    @app.agent(grouped)  # type: ignore[untyped-decorator]
    async def count(stream: Any) -> None:
        async for event in stream:
            counts[event["account"]] += 1
            await output.send(key=event["account"], value=counted(event, counts[event["account"]]))

    return app


async def main(bootstrap: str, prefix: str) -> None:
    """Until SIGTERM."""
    quieten()
    app = make(bootstrap, prefix)
    app.finalize()
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await app.start()
    await ended.wait()
    await app.stop()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
