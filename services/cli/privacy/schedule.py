"""`touchline erase --requested`: erasures that are not done, that were asked for, and ids that turned out later.

Where anybody was ever erased, it also moves the compacted topics on, so that Kafka drops what erasures left in them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from services.cli.privacy import store
from services.cli.privacy.erase import Tools, Work, erase, erase_again, finish, gone, ledger_with
from services.cli.privacy.requests import requested
from services.cli.privacy.topics import begin_files
from services.common.records import consumer, producer
from streams.connectors.registry import erasing


def on_schedule(tools: Tools) -> Iterator[dict[str, Any]]:
    """Do what is due, one after the other; what was done of each. Raises NotErased, KafkaAway, StoreUnavailable."""
    if is_behind(tools):
        yield asyncio.run(erase_again(tools))
    for wish in list(requested(tools.client, tools.source, tools.directories, erasing(tools.config.sources))):
        yield asyncio.run(erase(tools, wish))
    if late := asyncio.run(erase_late(tools)):
        yield late
    if any(True for _ in tools.folder.ledger()):
        asyncio.run(_begin_files(tools))


async def _begin_files(tools: Tools) -> None:
    async with producer(tools.config.kafka) as writer:
        await begin_files(writer, tools.config.kafka)


def is_behind(tools: Tools) -> bool:
    """Whether erasures are noted here that the services do not know: after a restore, or one that was broken off."""
    known = {one.link_id for _, one in store.ledger(tools.client)}
    return any(one.link_id not in known for one in tools.folder.ledger())


async def erase_late(tools: Tools) -> dict[str, Any] | None:
    """Take out of the files what the services erased by themselves since the last time; None where that is nothing.

    It is noted when it is done, so whoever is killed begins again. Raises NotErased, KafkaAway, StoreUnavailable.
    """
    noted = {one.link_id for one in tools.folder.ledger()}
    late = [(position, one) for position, one in store.ledger(tools.client) if one.link_id not in noted]
    if not late:
        return None
    ledger = ledger_with(tools.key, (one for _, one in late))
    work = Work(ledger, store.erased_names(tools.client, ledger), max(position for position, _ in late))
    async with consumer(tools.config.kafka) as reader, producer(tools.config.kafka) as writer:
        await gone(tools, reader, writer, work)
        done = await finish(tools, reader, writer, work)
    tools.folder.note(one for _, one in late)
    return {"late_ids": len(late), "of": sorted({one.erasure_id for _, one in late}), "erased": done}
