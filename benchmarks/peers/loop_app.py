"""The job as a loop written by hand on aiokafka: what Kafka, JSON and Python allow when nothing else is done.

    python -m benchmarks.peers.loop_app HOST:PORT PREFIX

What a round of reading brought leaves as one record a partition; offsets are committed once all of it is acked. The
counts come from the output when it starts again, which is left out here.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any
from zlib import crc32

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from benchmarks.peers.job import Event, counted, events

PARTITIONS = 2
WAIT_MS = 200
RECORDS_AT_ONCE = 500

Work = Callable[[bytes], Iterable[Event]]


async def main(bootstrap: str, prefix: str) -> None:
    """Until SIGTERM."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    await producer.start()
    counts: Counter[str] = Counter()

    def count(record: bytes) -> Iterable[Event]:
        for event in orjson.loads(record):
            counts[event["account"]] += 1
            yield counted(event, counts[event["account"]])

    hops = [
        asyncio.create_task(_hop(producer, bootstrap, prefix, ("requests", "grouped"), events)),
        asyncio.create_task(_hop(producer, bootstrap, prefix, ("grouped", "counted"), count)),
    ]
    for hop in hops:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: [each.cancel() for each in hops])
        hop.add_done_callback(lambda _: [each.cancel() for each in hops])
    with suppress(asyncio.CancelledError):
        await asyncio.gather(*hops)
    await producer.stop()


async def _hop(producer: Any, bootstrap: str, prefix: str, topics: tuple[str, str], work: Work) -> None:
    """Reads the first topic and writes the second."""
    source, target = (f"{prefix}{topic}" for topic in topics)
    consumer = AIOKafkaConsumer(
        source,
        bootstrap_servers=bootstrap,
        group_id=f"{prefix}{topics[1]}",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        while True:
            found = await consumer.getmany(timeout_ms=WAIT_MS, max_records=RECORDS_AT_ONCE)
            lots: list[list[Event]] = [[] for _ in range(PARTITIONS)]
            for record in (record for records in found.values() for record in records):
                for event in work(record.value):
                    lots[crc32(event["account"].encode()) % PARTITIONS].append(event)
            sent = [
                await producer.send(target, orjson.dumps(lot), partition=number)
                for number, lot in enumerate(lots)
                if lot
            ]
            await asyncio.gather(*sent)
            if found:
                await consumer.commit()
    finally:
        await consumer.stop()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
