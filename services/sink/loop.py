"""The sink's loop: collect → insert → dead letters → recompute → commit, in that order; now and then, roll-ups.

A crash anywhere leaves the offsets uncommitted, and with them the to-do list of minutes to recompute: the batch
comes again and is stored over itself. A rebalance in the middle is the same case: the new owner stores it again.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, TypeVar

from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from schemas.errors import StoreFull, StoreUnavailable
from schemas.touchpoints import DeadLetter
from services.sink.batch import Batch, Kind, Refusal
from services.sink.cadence import Cadence
from services.sink.health import SinkHealth
from services.sink.letters import STAGE
from services.sink.missing_records import Continuity, Gap
from services.sink.sink import Sink
from streams.runtime.dead import letter
from streams.runtime.failpoints import hit
from streams.runtime.fuse import Fuse, FuseBlown
from streams.runtime.metrics import Meter

MAX_ITEMS: Final = 10_000
MAX_BATCH_BYTES: Final = 16 << 20
IDLE_S: Final = 1.0
RETRY_FIRST_S: Final = 0.5
RETRY_MAX_S: Final = 5.0
#: A step that takes longer says that it waits for ClickHouse: it may hang as well as fail.
PATIENCE_S: Final = 10.0
_RECORDS_AT_ONCE: Final = 40
#: A batch that begins with so few, after one of little, is looked at again only just before its end.
FEW_ITEMS: Final = 20
LAST_LOOK_S: Final = 0.15
_FULL: Final = "disk space for ClickHouse"

Deliver = Callable[[Sequence[DeadLetter]], Awaitable[None]]
T = TypeVar("T")
_log = logging.getLogger("touchline.sink")


class Stopped(Exception):
    """Asked to stop while waiting; what was collected is dropped, it comes again."""


class SinkLoop(ConsumerRebalanceListener):  # type: ignore[misc]
    """Moves records from a consumer (no auto-commit) into a Sink until `stopping` is set."""

    def __init__(
        self,
        consumer: Any,
        sink: Sink,
        deliver: Deliver,
        *,
        topics: Mapping[str, Kind],
        meter: Meter,
        health: SinkHealth,
    ) -> None:
        """`deliver` puts letters where they last, or raises. `topics`: their whole names, and what they hold."""
        self._consumer = consumer
        self._sink = sink
        self._deliver = deliver
        self._topics = topics
        self._meter = meter
        self._health = health
        self.looked_s: Callable[[], float | None] = lambda: None
        """Seconds since somebody looked at what is stored; None: not known."""
        self._fuse = Fuse(minimum=100)
        self._cadence = Cadence()
        self._continuity: Continuity[TopicPartition] = Continuity()
        self._assignments = 0
        self._stored: dict[TopicPartition, int] = {}
        self.stopping = asyncio.Event()

    async def run(self) -> None:
        """Until `stopping`. Raises DeadLettersUnavailable; nothing un-stored is ever committed."""
        try:
            while not self.stopping.is_set():
                batch = await self._collect()
                if batch.records:
                    await self._process(batch)
                await self._commit()
                if self._sink.has_days_due:
                    await self._patiently(self._sink.roll_up)
        except Stopped:
            return
        except FuseBlown as blown:
            # stay, unhealthy and idle: a restart would read the same again, and an exit would look like a crash
            self._health.fuse = str(blown)
            _log.error("fuse blown, storing stops", extra={"why": str(blown)})
            await self.stopping.wait()

    async def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        """Nothing to hand over: what is not committed is stored again by the next owner."""
        for partition in revoked:
            self._stored.pop(partition, None)

    async def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        """Offsets go on where the group stands, not where we stood."""
        self._assignments += 1
        for partition in assigned:
            self._continuity.forget(partition)

    async def _collect(self) -> Batch:
        """What arrives within the cadence's time from the first record on, or MAX_ITEMS, whichever is first."""
        batch = Batch()
        began: float | None = None
        now = asyncio.get_running_loop().time
        while True:
            wait_s = IDLE_S if began is None else began + self._cadence.collect_s(len(batch.items)) - now()
            if wait_s <= 0 or len(batch.items) >= MAX_ITEMS or batch.size_bytes >= MAX_BATCH_BYTES:
                return batch
            found = await self._consumer.getmany(timeout_ms=int(wait_s * 1000) or 1, max_records=_RECORDS_AT_ONCE)
            for partition, records in found.items():
                await self._check_continuity(partition, records[0].offset, records[-1].offset)
                for record in records:
                    batch.add(record, self._topics[record.topic])
            if began is None:
                if not batch.records:
                    return batch
                began = now()
                if self._cadence.is_little and len(batch.items) <= FEW_ITEMS:
                    await self._leave_in_kafka(self._cadence.collect_s() - LAST_LOOK_S)

    async def _leave_in_kafka(self, seconds: float) -> None:
        """What comes meanwhile comes in one answer then: one a record costs both sides more than the records do."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.stopping.wait()

    async def _process(self, batch: Batch) -> None:
        self._fuse.note(len(batch.items) + len(batch.refusals), len(batch.refusals))
        hit("sink_before_insert")
        started = asyncio.get_running_loop().time()
        refused = await self._patiently(lambda: self._sink.write(batch.items))
        self._fuse.note(0, len(refused))
        hit("sink_after_insert")
        await self._dead_letter(batch.refusals + refused)
        await self._patiently(lambda: self._sink.recompute(batch.items))
        self._stored |= {TopicPartition(*place): offset for place, offset in batch.next_offsets.items()}
        self._cadence.stored(len(batch.items), self.looked_s())
        self._count(batch, asyncio.get_running_loop().time() - started)
        hit("sink_before_commit")

    async def _patiently(self, step: Callable[[], T]) -> T:
        """Runs a blocking step in a thread until the store takes it. Raises Stopped when asked to stop meanwhile."""
        delay_s = RETRY_FIRST_S
        while True:
            try:
                result = await self._in_thread(step)
            except StoreUnavailable as error:
                self._wait(_FULL if isinstance(error, StoreFull) else "ClickHouse", str(error))
                self._meter.inc("touchline_stage_retries_total", stage=STAGE)
                await self._sleep(delay_s * random.uniform(0.6, 1.0))
                delay_s = min(delay_s * 2, RETRY_MAX_S)
            else:
                if (waited_s := self._health.go_on()) is not None:
                    _log.info("ClickHouse is back", extra={"waited_s": round(waited_s, 1)})
                return result

    async def _in_thread(self, step: Callable[[], T]) -> T:
        words = f"it has not answered for {PATIENCE_S:.0f} s"
        patience = asyncio.get_running_loop().call_later(PATIENCE_S, self._wait, "ClickHouse", words)
        try:
            return await asyncio.to_thread(step)
        finally:
            patience.cancel()

    def _wait(self, what: str, error: str) -> None:
        if self._health.wait(what, error):
            _log.warning("waiting for %s", what, extra={"error": error[:200]})

    async def _sleep(self, delay_s: float) -> None:
        try:
            async with asyncio.timeout(delay_s):
                await self.stopping.wait()
        except TimeoutError:
            return
        raise Stopped

    async def _dead_letter(self, refusals: Sequence[Refusal]) -> None:
        if not refusals:
            return
        await self._deliver([_letter(refusal) for refusal in refusals])
        for refusal in refusals:
            self._meter.inc("touchline_dead_letters_total", stage=STAGE, reason=refusal.refused.reason)
        _log.warning("dead-lettered", extra={"items": len(refusals), "first": refusals[0].refused.message[:200]})

    async def _commit(self) -> None:
        """Commits what is stored and still ours. A commit that fails is tried again on the next round."""
        due = {place: offset for place, offset in self._stored.items() if place in self._consumer.assignment()}
        if not due:
            return
        try:
            await self._consumer.commit(due)
        except (CommitFailedError, IllegalStateError):
            self._stored.clear()  # fenced: the partitions moved, and what we stored is stored again by others
            return
        except KafkaError as error:
            _log.warning("commit failed", extra={"error": repr(error)})
            return
        self._stored.clear()

    async def _check_continuity(self, partition: TopicPartition, first: int, last: int) -> None:
        if self._topics[partition.topic] == "links":  # compacted: holes are normal
            return
        if not self._continuity.knows(partition):
            assignments = self._assignments
            committed = await self._consumer.committed(partition)
            if committed is not None and assignments == self._assignments:
                self._continuity.expect(partition, committed)
        gap = self._continuity.check(partition, first, last)
        if gap is not None:
            self._alarm(gap)

    def _alarm(self, gap: Gap[TopicPartition]) -> None:
        self._health.lost_records += gap.lost
        self._health.restarted_topics += gap.restarted
        what = "the topic began anew" if gap.restarted else "records are gone before they were stored (retention)"
        _log.error(
            what,
            extra={
                "topic": gap.partition.topic,
                "partition": gap.partition.partition,
                "expected_offset": gap.expected,
                "found_offset": gap.found,
                "lost_records": gap.lost,
            },
        )

    def _count(self, batch: Batch, took_s: float) -> None:
        self._health.last_stored_at = self._health.clock()
        self._meter.inc("touchline_stage_records_total", batch.records, stage=STAGE)
        self._meter.inc("touchline_stage_items_total", len(batch.items), stage=STAGE)
        self._meter.observe("touchline_sink_batch_seconds", took_s)
        for place, offset in batch.next_offsets.items():
            end = self._consumer.highwater(TopicPartition(*place)) or offset
            self._meter.set(
                "touchline_consumer_lag_records", max(0, end - offset), stage=STAGE, partition=f"{place[0]}/{place[1]}"
            )


def _letter(refusal: Refusal) -> DeadLetter:
    refused = refusal.refused
    return letter(STAGE, refused.original, refused.reason, refused.message, refusal.origin, refused.index)
