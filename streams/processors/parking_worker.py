"""The leader for the sources that are set aside: tries them, resumes them, and reads what waits of them.

It follows the parked topic. What lies there of a source that is set aside is counted and left; all else is read at
once: it was parked by a worker that did not know yet that the source flows again. A source that is resumed is read
from its position on, and flows again once nothing waits. Each step is in Kafka before the next, and every one may be
done twice: what a request becomes depends on the request alone, and has one id however often it is read.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from aiokafka import TopicPartition

from schemas.config import KafkaConfig
from schemas.parking import PARKED, Backlog, Parked, ReadProgress, Standing, State
from streams.processors.backlogs import Trial, Waiting, is_due
from streams.processors.mapper import Mapper
from streams.processors.outcome import PARKED as TOPIC
from streams.processors.outcome import Attributes, Outcome
from streams.processors.shell import Record, Stage
from streams.processors.turns import Turn
from streams.runtime import failpoints
from streams.runtime.kafka import broadcast_consumer, partitions
from streams.runtime.metrics import Meter
from streams.runtime.standings import Standings, said
from streams.runtime.writer import partition_of

LOOK_S = 0.2
#: While nothing waits: only what is new could be of a source that is set aside, and that ends the wait for it.
REST_S = 1.0
#: So often the figures are published while they change.
PUBLISH_EVERY_S = 2.0
#: So often it is looked whether retention took what waits.
CHECK_EVERY_S = 60.0
RECORDS_AT_ONCE = 8
_log = logging.getLogger("touchline.parking")

Clock = Callable[[], datetime]


class ParkingWorker:
    """One worker's time as the leader. What it knows comes from Kafka, and goes there."""

    def __init__(  # noqa: PLR0913 - what it works with
        self,
        kafka: KafkaConfig,
        standings: Standings,
        mapper: Mapper,
        by: Attributes,
        stage: Stage,
        meter: Meter,
        clock: Clock = lambda: datetime.now(UTC),
    ) -> None:
        self._retention_s = kafka.hours_of(TOPIC) * 3600
        self._standings, self._mapper, self._by, self._clock = standings, mapper, by, clock
        self._stage, self._meter = stage, meter
        self._places = [TopicPartition(kafka.topic_prefix + TOPIC, n) for n in range(partitions(kafka, TOPIC))]
        self._follower = broadcast_consumer(kafka, "touchline-parking-follower")
        self._replayer = broadcast_consumer(kafka, "touchline-parking-replayer")
        self.waiting: dict[str, Waiting] = {}
        self._backlogs = dict(standings.backlogs)
        self._looked: dict[int, int] = {}
        self._is_counted: dict[int, bool] = {}
        self._published: dict[int, ReadProgress] = {}
        self._published_s = self._checked_s = 0.0
        self._is_busy = False

    async def begin(self) -> None:
        """Connect, and go to where the last leader was. Raises KafkaError."""
        await self._replayer.start()
        await self._follower.start()
        self._follower.assign(self._places)
        firsts = await self._follower.beginning_offsets(self._places)
        ends = await self._follower.end_offsets(self._places)
        for place in self._places:
            self._take_up(place.partition, firsts[place], ends[place])
            self._follower.seek(place, self._start_of(place.partition))
        self._checked_s = asyncio.get_running_loop().time()

    async def end(self) -> None:
        """Give the connections back. Whoever is next says how much waits."""
        for source in self._standings.of.keys() | self.waiting.keys():
            self._show(source, aside=False, requests=0, ratio=0.0)
        await asyncio.gather(self._follower.stop(), self._replayer.stop())

    async def work(self) -> bool:
        """One round of everything that is due; whether there may be more at once. Raises KafkaError."""
        at_rest_s = LOOK_S if self.waiting or self._standings.aside else REST_S
        moved = await self._follow(0.0 if self._is_busy else at_rest_s)
        tended = [await self._tend(waiting) for waiting in list(self.waiting.values())]
        self._is_busy = any(tended)
        if not self._is_busy and self._replayer.assignment():
            self._replayer.unsubscribe()  # else it would go on to ask Kafka for what nobody takes
        for standing in self._standings.aside:
            if standing.state == "resuming" and standing.source not in self.waiting and self._is_level(standing.source):
                await self._change(standing, "flowing", "")
        await self._publish()
        return moved or self._is_busy

    async def is_cut(self) -> bool:
        """Whether retention has taken records that wait; then all is counted anew. Looks once a minute."""
        now_s = asyncio.get_running_loop().time()
        if now_s - self._checked_s < CHECK_EVERY_S:
            return False
        self._checked_s = now_s
        firsts = await self._follower.beginning_offsets(self._places)
        return any(each.position < min(firsts[self._place(each)], each.end) for each in self.waiting.values())

    # -- following

    def _take_up(self, partition: int, first: int, end: int) -> None:
        self._looked[partition] = max(min(self._standings.looked.get(partition, first), end), first)
        self._is_counted[partition] = False
        for known in self._backlogs.values():
            if known.is_waiting and self._partition(known.source) == partition:
                position = known.position if known.end <= end else first  # the log lost its end: read it all
                self.waiting[known.source] = Waiting.of(known.changed(position=position), partition, first)

    def _start_of(self, partition: int) -> int:
        positions = [each.position for each in self.waiting.values() if each.partition == partition]
        return min([self._looked[partition], *positions])

    async def _follow(self, wait_s: float) -> bool:
        """Take in what has been parked, as far as it comes at once."""
        turn = Turn()
        batches = await self._follower.getmany(timeout_ms=int(wait_s * 1000), max_records=RECORDS_AT_ONCE)
        for place, records in batches.items():
            outcome, partition = Outcome(), place.partition
            for record in records:
                self._take(record, outcome)
                await turn.give_way()
            await self._deliver(outcome)
            self._looked[partition] = max(self._looked[partition], records[-1].offset + 1)
        for place in self._places:
            if not self._is_counted[place.partition]:
                at = await self._follower.position(place)
                self._count(place.partition, at)
        return bool(batches)

    def _count(self, partition: int, at: int) -> None:
        """What had been looked through before is counted again once the follower is there."""
        if at < self._looked[partition]:
            return
        self._is_counted[partition] = True
        for waiting in self.waiting.values():
            if waiting.partition == partition and (lost := waiting.counted()):
                _log.error("requests are gone before they were read", extra={"source": waiting.source, "lost": lost})
                self._meter.inc("touchline_parked_lost_total", lost, source=waiting.source)

    def _take(self, record: Any, outcome: Outcome) -> None:
        is_new = record.offset >= self._looked[record.partition]
        for source, items in self._by_source(record, outcome, is_new=is_new).items():
            waiting = self.waiting.get(source)
            if waiting is None and is_new and self._standings.is_aside(source):
                waiting = self.waiting[source] = self._new(source, record)
            if waiting is not None:
                if record.offset >= waiting.position:
                    waiting.add(items, record.offset, _time_of(record))
            elif is_new:
                self._read(items, outcome)

    def _new(self, source: str, record: Any) -> Waiting:
        known = self._backlogs.get(source, Backlog(source=source, position=0))
        return Waiting.of(known.changed(position=record.offset, end=0), record.partition, record.offset)

    def _by_source(self, record: Any, outcome: Outcome, *, is_new: bool) -> dict[str, list[Parked]]:
        origin = (record.topic, record.partition, record.offset)
        found = self._stage.read([Record(record.value or b"[]", origin)], PARKED)
        if is_new:
            outcome.letters += found.letters
        by_source: dict[str, list[Parked]] = {}
        for item in found.items:
            by_source.setdefault(item.request.source, []).append(item)
        return by_source

    def _read(self, items: Sequence[Parked], outcome: Outcome) -> None:
        for item in items:
            reading = self._mapper.read(item.request, item.origin, item.index)
            outcome.took(item.request, item.origin, item.index, reading, "replayed")

    async def _deliver(self, outcome: Outcome) -> None:
        if outcome.fates or outcome.letters:
            await self._stage.outbox.deliver(await outcome.outputs(self._stage, self._by))

    # -- one source

    async def _tend(self, waiting: Waiting) -> bool:
        """What is due for a source that has a backlog; whether there may be more at once."""
        if not self._is_counted[waiting.partition]:
            return False
        standing = self._standings.of.get(waiting.source)
        if standing is not None and standing.state == "parked":
            await self._try(standing, waiting)
            return False
        end = self._looked[waiting.partition]
        if waiting.position < end:
            await self._replay(waiting, end)
        if standing is not None and standing.state == "resuming" and waiting.is_through(end):
            await self._change(standing, "flowing", "")
        if waiting.position >= end and not self._standings.is_aside(waiting.source):
            self._through(waiting)
        return True

    async def _try(self, standing: Standing, waiting: Waiting) -> None:
        waiting.goal, waiting.passes = -1, 0
        if is_due(standing, waiting, now := self._clock()):
            found, turn = Trial(), Turn()
            for item in list(waiting.newest):
                found.add(self._mapper.read(item.request, item.origin, item.index))
                await turn.give_way()
            waiting.tried(standing, now)
            if found.verdict:
                await self._change(standing, "resuming", found.verdict)

    async def _replay(self, waiting: Waiting, end: int) -> None:
        """Read some records of its backlog; they count as read once all that they became is in Kafka."""
        place, turn = self._place(waiting), Turn()
        if not self._replayer.assignment():
            self._replayer.assign(self._places)
        if await self._replayer.position(place) != waiting.position:
            self._replayer.seek(place, waiting.position)
        batches = await self._replayer.getmany(place, timeout_ms=1000, max_records=RECORDS_AT_ONCE)
        records = [record for record in batches.get(place, []) if record.offset < end]
        if not records:
            return
        outcome, read = Outcome(), list[Parked]()
        for record in records:
            items = self._by_source(record, Outcome(), is_new=False).get(waiting.source, [])
            self._read(items, outcome)
            read += items
            await turn.give_way()
        await self._deliver(outcome)
        failpoints.hit("parking_after_replay")
        waiting.read(read, records[-1].offset + 1, _time_of(records[-1]))

    def _through(self, waiting: Waiting) -> None:
        """Nothing waits, and nothing more will: it flows."""
        waiting.requests, waiting.oldest_at = 0, None
        del self.waiting[waiting.source]
        self._backlogs[waiting.source] = waiting.report()
        self._published_s = 0.0

    # -- publishing

    async def _change(self, standing: Standing, state: State, cause: str) -> None:
        """Say that a source's state is another: first how far its backlog is read."""
        changed = standing.changed(state=state, since=self._clock(), cause=cause)
        await self._publish(at_once=True)
        failpoints.hit(f"parking_before_{state}")
        await self._stage.outbox.deliver([said(changed)], at_once=True)
        _log.warning("a source is %s", state, extra={"source": standing.source, "why": cause})
        self._standings.learn([changed])

    async def _publish(self, *, at_once: bool = False) -> None:
        """Publish what has changed."""
        now_s = asyncio.get_running_loop().time()
        if not at_once and now_s - self._published_s < PUBLISH_EVERY_S:
            return
        self._published_s = now_s
        self._backlogs |= {each.source: each.report() for each in self.waiting.values()}
        reports = [self._read_progress(place.partition) for place in self._places]
        news = [report for report in reports if self._published.get(report.partition) != report]
        if news:
            await self._stage.outbox.deliver([said(report) for report in news], at_once=True)
            self._published |= {report.partition: report for report in news}
        self._show_all()

    def _read_progress(self, partition: int) -> ReadProgress:
        backlogs = [known for source, known in sorted(self._backlogs.items()) if self._partition(source) == partition]
        return ReadProgress(partition=partition, looked=self._looked[partition], backlogs=tuple(backlogs))

    def _show_all(self) -> None:
        now = self._clock()
        for source in self._standings.of.keys() | self._backlogs.keys():
            known = self._backlogs.get(source)
            age_s = (
                (now - known.oldest_at).total_seconds() if known is not None and known.oldest_at is not None else 0.0
            )
            requests = known.requests if known is not None else 0
            aside = self._standings.is_aside(source)
            self._show(source, aside=aside, requests=requests, ratio=age_s / self._retention_s)

    def _show(self, source: str, *, aside: bool, requests: int, ratio: float) -> None:
        self._meter.set("touchline_source_set_aside", float(aside), source=source)
        self._meter.set("touchline_parked_requests", requests, source=source)
        self._meter.set("touchline_parked_retention_ratio", ratio, source=source)

    def _partition(self, source: str) -> int:
        return partition_of(source, len(self._places))

    def _is_level(self, source: str) -> bool:
        return self._is_counted[self._partition(source)]

    def _place(self, waiting: Waiting) -> TopicPartition:
        return self._places[waiting.partition]


def _time_of(record: Any) -> datetime:
    """When Kafka took the record in."""
    return datetime.fromtimestamp(record.timestamp / 1000, UTC)
