"""How far the sink is: what an account's writer has told is stored once the sink has committed past it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from aiokafka.errors import KafkaError

from schemas.config import KafkaConfig
from schemas.topics import TopicName
from streams.processors.waits import PATIENCE_S, Waits
from streams.runtime.kafka import GroupProgress

FACTS: TopicName = "journey.facts.v1"
SINK_GROUP = "touchline-sink"
POLL_S = 0.1
#: While nobody waits: the less often, the longer the sink has stood where it stands.
IDLE_POLL_S = (1.0, 8.0)
LOOK_TIMEOUT_S = 10.0
#: So often it is asked whether Kafka has what is needed at all.
ASK_EVERY_S = 10.0
_WHO = "sink's progress"
_log = logging.getLogger("touchline.progress")

Ends = Callable[[], Awaitable[dict[int, int]]]
"""By partition, the offset that the next fact will get."""


class Waiter(Protocol):
    """The part of a stage that is told."""

    waits: Waits

    def moved(self) -> None: ...


@dataclass(eq=False, slots=True)
class _Need:
    """Somebody needs a partition's facts before `offset` stored. `is_there`: Kafka has them, as of `asked_at`."""

    partition: int
    offset: int
    since: float
    asked_at: float
    is_there: bool = True


class SinkProgress:
    """Waits for the sink; asks Kafka often only while someone waits.

    A sink that moves is work that goes on; one that stands still is waited for, and said; neither is a stall of ours.
    A position that Kafka has no facts up to is never reached: that wait is a stall, for the watchdog to see.
    """

    def __init__(self, kafka: KafkaConfig, stage: Waiter, ends: Ends) -> None:
        self._progress = GroupProgress(kafka, SINK_GROUP)
        self._stage, self._ends = stage, ends
        self._committed: dict[int, int] = {}
        self._moved_at: dict[int, float] = {}
        self._wanted = asyncio.Event()
        self._moved = asyncio.Condition()
        self._needs: list[_Need] = []

    def has(self, partition: int, offset: int) -> bool:
        """Whether facts before `offset` are known to be stored."""
        return self._committed.get(partition, 0) >= offset

    async def reached(self, partition: int, offset: int) -> None:
        """Return once every fact of the partition before `offset` is stored."""
        if self.has(partition, offset):
            return
        now = time.monotonic()
        need = _Need(partition, offset, since=now, asked_at=now)
        self._needs.append(need)
        self._wanted.set()
        try:
            async with self._moved:
                await self._moved.wait_for(lambda: self.has(partition, offset))
        finally:
            self._needs.remove(need)

    async def run(self) -> None:
        """Poll while someone waits, now and then otherwise, so that `has` is never far behind; until cancelled."""
        first_s, longest_s = IDLE_POLL_S
        rest_s = first_s
        while True:
            if not self._needs:
                self._stage.waits.go_on(_WHO)
                self._wanted.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(rest_s):
                        await self._wanted.wait()
            before = self._committed
            await self.look()
            rest_s = first_s if self._committed != before else min(2 * rest_s, longest_s)
            await asyncio.sleep(POLL_S)

    async def look(self) -> None:
        """Ask Kafka once, wake those who have what they need, and say what the others wait for."""
        try:
            async with asyncio.timeout(LOOK_TIMEOUT_S):
                self._take(await self._progress.committed(FACTS))
                await self._find_impossible()
        except (KafkaError, OSError, TimeoutError) as error:
            await self._progress.close()
            if self._needs:
                self._stage.waits.wait(_WHO, f"Kafka, which does not say how far the sink is: {error!r}"[:200])
        else:
            self._say(time.monotonic())
        async with self._moved:
            self._moved.notify_all()

    async def close(self) -> None:
        """Safe to call twice."""
        await self._progress.close()

    def _take(self, committed: dict[int, int]) -> None:
        now = time.monotonic()
        self._moved_at |= {p: now for p, offset in committed.items() if offset != self._committed.get(p)}
        self._committed = committed

    async def _find_impossible(self) -> None:
        """Whether needs that last can be met at all; asked now and then, once for all of them."""
        now = time.monotonic()
        lasting = [need for need in self._needs if now - need.asked_at > ASK_EVERY_S]
        ends = await self._ends() if lasting else {}
        for need in lasting:
            was_there, end = need.is_there, ends.get(need.partition, 0)
            need.asked_at, need.is_there = now, need.offset <= end
            if was_there and not need.is_there:
                where = {"partition": need.partition, "needed_offset": need.offset, "end_offset": end}
                _log.error("Kafka lacks facts that it had acked; the sink will never store them", extra=where)

    def _say(self, now: float) -> None:
        """Tell the stage of needs that last: the sink works on them, or stands still."""
        lasting = [n for n in self._needs if now - n.since > PATIENCE_S and not self.has(n.partition, n.offset)]
        still = [n for n in lasting if n.is_there and now - self._moved_at.get(n.partition, n.since) > PATIENCE_S]
        if still:
            self._stage.waits.wait(_WHO, self._standstill(still[0]))
            return
        self._stage.waits.go_on(_WHO)
        if lasting and all(need.is_there for need in lasting):
            self._stage.moved()

    def _standstill(self, need: _Need) -> str:
        at = self._committed.get(need.partition, 0)
        return (
            f"the sink, which has stored {FACTS} up to offset {at} of partition {need.partition} and stands still;"
            f" {need.offset} is needed. Is it running?"
        )


class StoredSince:
    """Whether the sink has stored all that had been told when this was first asked."""

    def __init__(self, kafka: KafkaConfig, told: Callable[[], Awaitable[dict[int, int]]]) -> None:
        """`told`: partition → where the facts end now."""
        self._progress = GroupProgress(kafka, SINK_GROUP)
        self._told = told
        self._ends: dict[int, int] | None = None

    async def __call__(self) -> bool:
        """Raises KafkaError."""
        if self._ends is None:
            self._ends = await self._told()
        committed = await self._progress.committed(FACTS)
        return all(committed.get(partition, 0) >= end for partition, end in self._ends.items())

    async def close(self) -> None:
        """Safe to call twice."""
        await self._progress.close()
