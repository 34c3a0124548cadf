"""What an earlier version left between two processes that are one now: read to its end, attributed, and that was it.

`touchpoints.clean.v1` lay between `normalise` and `resolve`. Nobody writes it now, but at an upgrade it may hold what
was read and not attributed yet. Its old group goes on here, with what it had committed, and without Faust: a worker
that has nothing to drain must not be given partitions of it. A request that the old version had put there, and whose
record it had not committed, is read again, too; its touchpoints have the same ids.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from schemas.config import KafkaConfig
from schemas.processes import FORMER_GROUPS
from schemas.topics import TopicName
from schemas.touchpoints import CLEAN
from streams.processors.outcome import Attributes
from streams.processors.shell import Done, Record, Stage
from streams.runtime import failpoints
from streams.runtime.kafka import GroupProgress, broadcast_consumer, group_consumer, partitions
from streams.runtime.log_guard import OnBroken, guard

INPUT: TopicName = "touchpoints.clean.v1"
GROUP: Final = FORMER_GROUPS[INPUT]
RECORDS_AT_ONCE = 64
POLL_MS = 500
RETRY_S = 0.5
_log = logging.getLogger("touchline.draining")


class Drained:
    """Attributes touchpoints as an earlier version wrote them."""

    def __init__(self, stage: Stage, by: Attributes) -> None:
        self._stage, self._by = stage, by

    async def handle(self, records: Sequence[Record]) -> Done:
        """Records of clean touchpoints."""
        found = self._stage.read(records, CLEAN)
        outputs = await self._by.attributed(found.items)
        outputs += self._stage.refuse(found.letters, len(found.items) + len(found.letters))
        return self._stage.outbox.acked(outputs, self._stage.outbox.put(outputs))


class Draining:
    """A task of every worker; it ends, and does nothing more, once nothing is left."""

    def __init__(self, kafka: KafkaConfig, stage: Stage, by: Attributes, on_broken: OnBroken) -> None:
        """`on_broken` hears when the log is no more what was read of it."""
        self._kafka, self._stage, self._on_broken = kafka, stage, on_broken
        self._handler = Drained(stage, by)
        self._topic = kafka.topic_prefix + INPUT
        self._places = [TopicPartition(self._topic, number) for number in range(partitions(kafka, INPUT))]
        self.left = 0
        """Records, as of the last look."""

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self._drain()
                break
            except KafkaError as error:  # the old version may still be running
                _log.warning("what an earlier version left waits: %r", error)
                await asyncio.sleep(RETRY_S)
        await asyncio.Event().wait()

    async def _drain(self) -> None:
        """All there is; then the topic goes, if retention has emptied it."""
        if not await self._look():
            return
        async with AsyncExitStack() as stack:
            reader = group_consumer(self._kafka, GROUP, role="draining")
            guard(reader, self._on_broken)
            reader.subscribe([self._topic])
            stack.push_async_callback(reader.stop)
            await reader.start()
            while self.left:
                batches = await reader.getmany(timeout_ms=POLL_MS, max_records=RECORDS_AT_ONCE)
                for place, records in batches.items():
                    await self._take([_record(record) for record in records])
                    failpoints.hit("draining_before_commit")
                    await reader.commit({place: records[-1].offset + 1})
                if not batches:
                    await self._look()
        _log.info("nothing is left of an earlier version", extra={"topic": self._topic})

    async def _take(self, records: Sequence[Record]) -> None:
        """A record that cannot be processed becomes a letter; its neighbours go on."""
        try:
            await (await self._handler.handle(records))
        except Exception as error:
            if len(records) > 1:
                for record in records:
                    await self._take([record])
            else:
                await self._stage.outbox.deliver(self._stage.quarantined(records[0], error))

    async def _look(self) -> int:
        """How many records are left; a topic that holds none at all is deleted."""
        async with AsyncExitStack() as stack:
            admin: Any = AIOKafkaAdminClient(
                bootstrap_servers=list(self._kafka.bootstrap), client_id="touchline-draining"
            )
            stack.push_async_callback(admin.close)
            await admin.start()
            if self._topic not in await admin.list_topics():
                self.left = 0
                return 0
            reader, progress = broadcast_consumer(self._kafka, "touchline-draining"), GroupProgress(self._kafka, GROUP)
            stack.push_async_callback(progress.close)
            stack.push_async_callback(reader.stop)
            await reader.start()
            reader.assign(self._places)
            firsts, ends = await reader.beginning_offsets(self._places), await reader.end_offsets(self._places)
            done = await progress.committed(INPUT)
            self.left = sum(max(ends[p] - max(firsts[p], done.get(p.partition, 0)), 0) for p in self._places)
            if firsts == ends:
                await admin.delete_topics([self._topic])
            return self.left


def _record(record: Any) -> Record:
    return Record(record.value or b"[]", (record.topic, record.partition, record.offset))
