"""Micro-batched writing: many items, few records.

Faust and the broker cost per record, so items of one partition that arrive within `linger_s` share a record: a JSON
array of 1…N items. All partitions go out together, so that the producer needs one request for them, and whoever reads
them, too. In a compacted topic each item is a record of its own, with its own key: else what is told anew, or emptied
because somebody is erased, would not take its place. `put` returns a future that resolves with (partition, offset) of
the last record of what went out together, once Kafka has acked all of it (`acks=all`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

from aiokafka.partitioner import murmur2

from schemas.topics import TOPICS, TopicName

LINGER_S = 0.04
#: A record costs every reader about a millisecond. Where items come faster than this, waiting longer saves most of it.
BUSY_LINGER_S = 0.1
BUSY_ITEMS_PER_S = 1_000
MAX_RECORD_BYTES = 256 * 1024

Position = tuple[int, int]
"""(partition, offset) of an acked record."""


class Metadata(Protocol):
    """What Kafka's ack says."""

    @property
    def offset(self) -> int: ...


class Producer(Protocol):
    """The part of AIOKafkaProducer that the writer uses."""

    async def send(self, topic: str, value: bytes, *, key: bytes | None, partition: int) -> Awaitable[Metadata]: ...


@lru_cache(maxsize=65_536)
def partition_of(key: str, partitions: int) -> int:
    """Kafka's default partitioner: murmur2 of the key, sign bit cleared. Keys repeat, and murmur2 is pure Python."""
    return int((murmur2(key.encode()) & 0x7FFFFFFF) % partitions)


@dataclass(slots=True)
class _Buffer:
    done: asyncio.Future[Position]
    keys: list[bytes] = field(default_factory=list)
    items: list[bytes] = field(default_factory=list)
    size: int = 0

    def records(self, topic: TopicName) -> list[tuple[bytes, bytes]]:
        """(key, value) of each. The items are let go of: an ack may take minutes, and the producer keeps the bytes."""
        items, self.items = self.items, []
        if TOPICS[topic].cleanup == "compact":
            return [(key, b"[" + item + b"]") for key, item in zip(self.keys, items, strict=True)]
        return [(self.keys[0], b"[" + b",".join(items) + b"]")]  # nothing hangs on the key


class RecordWriter:
    """Collects items per partition and sends them as records.

    A failed send sets its exception on the future of every item in the record and calls `on_error`;
    nothing is retried here: the producer below retries, and above it the input is not acked.
    """

    def __init__(
        self,
        producer: Producer,
        partitions: Callable[[TopicName], int],
        *,
        topic_prefix: str = "",
        linger_s: float = LINGER_S,
        on_error: Callable[[BaseException], None] | None = None,
    ) -> None:
        self._producer = producer
        self._partitions = partitions
        self._prefix = topic_prefix
        self._calm_s = self._linger_s = linger_s
        self._lingered_at = float("-inf")
        self._on_error = on_error
        self._buffers: dict[tuple[TopicName, int], _Buffer] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._sending: set[asyncio.Future[Position]] = set()
        self._last: dict[tuple[TopicName, int], asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def put(self, topic: TopicName, key: str, item: bytes) -> asyncio.Future[Position]:
        """Add one encoded item; the future resolves with its record's position after the ack."""
        slot = (topic, partition_of(key, self._partitions(topic)))
        buffer = self._buffers.get(slot)
        if buffer is not None and buffer.size + len(item) > MAX_RECORD_BYTES:
            self._send(slot)
            buffer = None
        if buffer is None:
            buffer = self._open(slot)
        buffer.keys.append(key.encode())
        buffer.items.append(item)
        buffer.size += len(item) + 1
        return buffer.done

    def hurry(self, topics: Collection[TopicName] | None = None) -> None:
        """Send what is collected without lingering; if `topics` are named, theirs, and the rest lingers on."""
        for slot in [slot for slot in self._buffers if topics is None or slot[0] in topics]:
            self._send(slot)
        if not self._buffers:
            self._stop_timer()

    async def flush(self) -> None:
        """Send what is collected and wait for every ack; raises the first failure."""
        self.hurry()
        if self._sending:
            await asyncio.gather(*list(self._sending))

    def abandon(self, error: BaseException) -> None:
        """The producer below is given up: nothing more is sent, and whoever waits for an ack is told `error`."""
        self._stop_timer()
        for buffer in self._buffers.values():
            _settle(buffer.done, error)
        self._buffers.clear()
        for done in list(self._sending):
            _settle(done, error)
        for task in self._tasks:
            task.cancel()

    def _lingered(self) -> None:
        """Send what was collected; how long the next items linger follows from how fast these came."""
        now = asyncio.get_running_loop().time()
        most = max((len(buffer.items) for buffer in self._buffers.values()), default=0)
        is_busy = most >= BUSY_ITEMS_PER_S * (now - self._lingered_at)  # a burst after a rest is not busy
        self._lingered_at = now
        self.hurry()
        self._linger_s = max(self._calm_s, BUSY_LINGER_S) if is_busy else self._calm_s

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _open(self, slot: tuple[TopicName, int]) -> _Buffer:
        loop = asyncio.get_running_loop()
        if self._timer is None:
            self._timer = loop.call_later(self._linger_s, self._lingered)
        buffer = self._buffers[slot] = _Buffer(loop.create_future())
        return buffer

    def _send(self, slot: tuple[TopicName, int]) -> None:
        buffer = self._buffers.pop(slot, None)
        if buffer is None:
            return
        self._sending.add(buffer.done)
        buffer.done.add_done_callback(self._forget)
        task = asyncio.get_running_loop().create_task(self._deliver(slot, buffer, self._last.get(slot)))
        self._last[slot] = task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _forget(self, done: asyncio.Future[Position]) -> None:
        self._sending.discard(done)
        if not done.cancelled():
            done.exception()  # retrieved: an item nobody waits for must not warn at shutdown

    async def _deliver(self, slot: tuple[TopicName, int], buffer: _Buffer, previous: asyncio.Task[None] | None) -> None:
        """Send what was collected after its predecessor of the same partition; never raises."""
        topic, partition = slot
        try:
            if previous is not None and not previous.done():
                await asyncio.wait([previous])
            acks = [
                await self._producer.send(self._prefix + topic, value, key=key, partition=partition)
                for key, value in buffer.records(topic)
            ]
            *_, metadata = await asyncio.gather(*acks)
        except Exception as error:
            _settle(buffer.done, error)
            if self._on_error is not None:
                self._on_error(error)
        except BaseException as error:
            _settle(buffer.done, error)
            raise
        else:
            if not buffer.done.done():
                buffer.done.set_result((partition, metadata.offset))


def _settle(done: asyncio.Future[Position], error: BaseException) -> None:
    if not done.done():
        done.set_exception(error)
