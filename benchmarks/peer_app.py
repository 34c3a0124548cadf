"""The same job as an ordinary Faust app: one event a record, an agent, a table, two sends.

    python -m benchmarks.peer_app HOST:PORT PREFIX

Decodes a Segment request of one message, maps and attributes it with the project's own functions, updates
the account's entry in a table, and sends the touchpoint and the account's new state. Written as Faust's
documentation teaches it; what an event may lose by that is not the question here.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import Any

import faust

from benchmarks.core import attributed, mapped
from schemas.touchpoints import RAW
from streams.identity.knowledge import Knowledge
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
    )
    requests = app.topic(f"{prefix}requests", key_type=bytes, value_type=bytes, value_serializer="raw")
    touchpoints = app.topic(f"{prefix}touchpoints", key_type=str, value_type=bytes, value_serializer="raw")
    states = app.topic(f"{prefix}states", key_type=str, value_serializer="json")
    accounts = app.Table(f"{prefix}accounts", default=dict, partitions=PARTITIONS)
    knowledge = Knowledge()

    @app.agent(requests)  # type: ignore[untyped-decorator]
    async def attribute(stream: Any) -> None:
        async for value in stream:
            for item in attributed(knowledge, mapped(RAW.validate_json(value))):
                account = accounts[item.account_id]
                account["touchpoints"] = account.get("touchpoints", 0) + 1
                account["last_action"] = item.touchpoint.action
                account["last_seen_at"] = item.touchpoint.occurred_at.isoformat()
                accounts[item.account_id] = account
                await touchpoints.send(key=item.account_id, value=item.encoded())
                await states.send(key=item.account_id, value=account)

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
