"""Consumers that notice when the log behind them is another one: its tail was lost, or the topic was made again.

aiokafka neither asks whether its place in a log still is what it was (KIP-320) nor says which leader epoch a record
is of, and an offset that is out of range sends it to the oldest record. Everything a consumer learns comes through
`AIOKafkaClient.send`, so `guard` stands there: it reads the epochs out of the fetches, says them in the commits, and
holds a fetch back until the place it was made from is known to be good. Where it is not, the group goes back to where
the log was cut, by a commit, and whoever uses the consumer hears of it and ends: its memory may be of records that are
gone. A crash on the way changes nothing: the old commit is found again at the next start.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, NodeNotReadyError
from aiokafka.protocol.commit import OffsetFetchRequest
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.structs import OffsetAndMetadata

from streams.runtime.lineage import Lineage, Mark, Return, epochs
from streams.runtime.log_requests import epoch_end, fetched, topic_ids

#: offset out of range · unknown topic or partition · unknown topic id · inconsistent topic id
_OUT_OF_RANGE = 1
_SUSPECT = frozenset({_OUT_OF_RANGE, 3, 100, 103})
RETRY_S = 0.2
_log = logging.getLogger("touchline.log_guard")


@dataclass(frozen=True, slots=True)
class Broken:
    """A place in a log that is no more what was read there, and what the group did about it."""

    partition: TopicPartition
    back: Return

    def __str__(self) -> str:
        return self.back.sentence(f"{self.partition.topic}/{self.partition.partition}")


OnBroken = Callable[[list[Broken]], None]
"""Is called when logs are found broken; the consumer delivers nothing more."""


@dataclass(frozen=True, slots=True)
class _Verdict:
    """A broken place, and what a commit says of it."""

    broken: Broken
    mark: Mark

    @property
    def commit(self) -> OffsetAndMetadata:
        return OffsetAndMetadata(self.broken.back.resumed, self.mark.text())


class LogGuard:
    """Stands between one consumer and Kafka. `lineages` may be shared by consumers of one process."""

    def __init__(
        self, consumer: AIOKafkaConsumer, on_broken: OnBroken, lineages: dict[TopicPartition, Lineage]
    ) -> None:
        self.lineages = lineages
        self._on_broken = on_broken
        self._broken: set[TopicPartition] = set()
        self._consumer: Any = consumer
        self._send, self._commit = self._consumer._client.send, consumer.commit

    @property
    def returns(self) -> list[str]:
        """Where the group went back, in words; it stands in the commits and outlives the process."""
        return returns_of({place: lineage.mark(0) for place, lineage in self.lineages.items()})

    async def check(self, partition: TopicPartition, position: int) -> None:
        """Return once what was read up to `position` is known to be what the log holds; never if it is not."""
        if (broken := await self._settle(partition, position, is_out=False)) is not None:
            await self._break([broken])

    async def send(self, node_id: int, request: Any, **options: Any) -> Any:
        """`AIOKafkaClient.send`."""
        response = await self._send(node_id, request, **options)
        if isinstance(request, OffsetFetchRequest):
            self._take_up(response)
        elif isinstance(request, FetchRequest):
            await self._inspect(request, response)
        return response

    async def commit(self, offsets: Mapping[TopicPartition, Any] | None = None) -> None:
        """`AIOKafkaConsumer.commit`, with the epoch beside each offset; nothing for a broken log."""
        if offsets is None:
            raise TypeError("what is committed here is named")
        due = {}
        for partition, given in offsets.items():
            offset = given if isinstance(given, int) else given[0]
            if partition not in self._broken:
                due[partition] = OffsetAndMetadata(offset, self._of(partition).mark(offset).text())
        if due:
            await self._commit(due)

    def _of(self, partition: TopicPartition) -> Lineage:
        return self.lineages.setdefault(TopicPartition(*partition), Lineage())

    def _take_up(self, response: Any) -> None:
        for topic, partitions in response.topics:
            for partition, offset, metadata, code in partitions:
                if not code and offset >= 0:
                    self._of(TopicPartition(topic, partition)).take_up(offset, Mark.read(metadata))

    async def _inspect(self, request: Any, response: Any) -> None:
        """Before the consumer sees a fetch: is each of its places still good?"""
        positions = {(topic, number): offset for topic, asked in request.topics for number, offset, _ in asked}
        broken = []
        for partition, code, records in fetched(response):
            position, lineage, found = positions[partition], self._of(partition), list(epochs(records))
            known = lineage.before(position)
            is_new = bool(found) and known is not None and found[0][1] != known
            if is_new or code in _SUSPECT or not lineage.is_checked:
                broken.append(await self._settle(partition, position, is_out=code == _OUT_OF_RANGE))
            for offset, epoch in found:
                lineage.note(offset, epoch)
        if any(broken):
            await self._break([found for found in broken if found is not None])

    async def _settle(self, partition: TopicPartition, position: int, *, is_out: bool) -> _Verdict | None:
        """`_judge` for as long as it takes: a topic may be away, a leader may be chosen just now."""
        lineage, said = self._of(partition), False
        while True:
            try:
                verdict = await self._judge(partition, position, lineage, is_out=is_out)
            except KafkaError as error:
                if not said:
                    _log.warning("a log cannot be checked yet: %r", error, extra={"partition": str(partition)})
                said = True
                await asyncio.sleep(RETRY_S)
            else:
                lineage.is_checked = True
                return verdict

    async def _judge(
        self, partition: TopicPartition, position: int, lineage: Lineage, *, is_out: bool
    ) -> _Verdict | None:
        """None when all is well. Raises KafkaError."""
        node_id = await self._leader(partition)
        topic_id = (await topic_ids(self._send, node_id, [partition.topic]))[partition.topic]
        is_recreated = bool(lineage.topic_id) and lineage.topic_id != topic_id
        known = None if is_recreated else lineage.before(position)
        found, end = -1, -1 if is_recreated or is_out else position
        if known is not None:
            found, end = await epoch_end(self._send, node_id, partition, known)
        if end < position:
            first = (await self._consumer.beginning_offsets([partition]))[partition]
            if is_recreated or first <= position:
                back = Return(_now(), position, max(first, end), is_recreated)
                return _Verdict(Broken(partition, back), Mark(found if found >= 0 else None, topic_id, back))
            # else: what was not read yet is gone by retention, and the oldest record there is comes next
        lineage.topic_id = topic_id
        return None

    async def _leader(self, partition: TopicPartition) -> int:
        client = self._consumer._client
        leader = client.cluster.leader_for_partition(partition)
        if leader is None or leader < 0:
            await client.force_metadata_update()
            raise NodeNotReadyError(f"{partition} has no leader yet")
        return int(leader)

    async def _break(self, verdicts: list[_Verdict]) -> None:
        """Commit where to go on, report, and never return: nothing behind these places may be taken in."""
        places = {verdict.broken.partition: verdict for verdict in verdicts}
        self._broken |= places.keys()
        if self._consumer._group_id is not None:
            try:
                await self._commit({tp: verdict.commit for tp, verdict in places.items()})
            except KafkaError as error:  # found again at the next start
                _log.warning("where to go on cannot be committed: %r", error)
        self._on_broken([verdict.broken for verdict in verdicts])
        await asyncio.Event().wait()


def guard(
    consumer: AIOKafkaConsumer, on_broken: OnBroken, lineages: dict[TopicPartition, Lineage] | None = None
) -> LogGuard:
    """Guard a consumer that is not started yet. `on_broken` may be called from the thread the consumer runs in."""
    found = LogGuard(consumer, on_broken, {} if lineages is None else lineages)
    guarded: Any = consumer
    guarded._client.send, guarded.commit = found.send, found.commit
    return found


def returns_of(marks: Mapping[TopicPartition, Mark]) -> list[str]:
    """What commits say of groups that went back, in words."""
    named = sorted((f"{tp.topic}/{tp.partition}", mark.back) for tp, mark in marks.items() if mark.back is not None)
    return [back.sentence(place) for place, back in named]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
