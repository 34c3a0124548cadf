"""How far the pipeline is behind: what Kafka had some seconds ago against what each stage has committed since.

The store cannot tell a quiet hour from a sink that stands still. Kafka can, in both profiles.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from aiokafka.errors import KafkaError

from schemas.config import KafkaConfig
from schemas.processes import INPUTS
from services.dashboard.reader import Clock, Waiting
from services.dashboard.views.snapshot import Wait
from services.dashboard.views.sources import StageBehind
from streams.runtime.kafka import GroupProgress, broadcast_consumer, end_offsets
from streams.runtime.lifetime import close_all

BEHIND_AFTER = timedelta(seconds=10)
"""What takes this long is said; a healthy pipeline takes a second."""
LOOK_EVERY_S = 2.0
REST_S = 4.0
"""While every stage has done all there was at the last look."""
LOOK_TIMEOUT_S = 8.0
MAX_SEEN = 1_000
Offsets = Mapping[int, int]
"""Partition → offset."""
_log = logging.getLogger(__name__)


class Backlog:
    """What one stage has yet to do, pure. Each look's ends are remembered until the stage has committed past them."""

    def __init__(self, stage: str) -> None:
        self._stage = stage
        self._seen: deque[tuple[datetime, Offsets]] = deque()
        self._committed: Offsets = {}
        self._moved_at: datetime | None = None

    def look(self, at: datetime, ends: Offsets, committed: Offsets) -> None:
        """Where the input ends now, and how far the stage is."""
        if self._moved_at is None or committed != self._committed:
            self._committed, self._moved_at = dict(committed), at
        self._seen.append((at, dict(ends)))
        while self._seen and not self._missing(self._seen[0][1]):
            self._seen.popleft()
        if len(self._seen) > MAX_SEEN:
            self._seen = deque(each for n, each in enumerate(self._seen) if n % 2 == 0)

    def _missing(self, ends: Offsets) -> int:
        return sum(max(end - self._committed.get(partition, 0), 0) for partition, end in ends.items())

    @property
    def is_done(self) -> bool:
        """Whether it had done everything at the last look."""
        return not self._seen

    def behind(self, now: datetime) -> StageBehind | None:
        """None while it keeps up."""
        if not self._seen or self._moved_at is None or now - self._seen[0][0] < BEHIND_AFTER:
            return None
        stands_still = now - self._moved_at >= BEHIND_AFTER
        return StageBehind(self._stage, self._seen[0][0], self._missing(self._seen[-1][1]), stands_still)


class Pipeline:
    """Looks at every stage, for ever. While Kafka does not answer nothing is known, and that is said."""

    def __init__(self, kafka: KafkaConfig, clock: Clock) -> None:
        self._kafka = kafka
        self._clock = clock
        self._backlogs = {stage: Backlog(stage) for stage in INPUTS}
        self._groups = {stage: GroupProgress(kafka, f"touchline-{stage}") for stage in INPUTS}
        self._reader: Any = None
        self._seen_at = clock()

    def behind(self) -> tuple[StageBehind, ...]:
        """Stages that do not keep up, in their order."""
        now = self._clock()
        return with_causes([found for each in self._backlogs.values() if (found := each.behind(now))])

    def waiting(self) -> tuple[Wait, ...]:
        """Kafka, while it does not answer."""
        if self._clock() - self._seen_at < BEHIND_AFTER:
            return ()
        return (Wait("kafka", "does not answer", self._seen_at, "whether newer events wait is not known"),)

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                try:
                    async with asyncio.timeout(LOOK_TIMEOUT_S):
                        await self._look()
                except (KafkaError, OSError, TimeoutError) as error:
                    _log.debug("the stages' progress cannot be read: %r", error)
                    await self._disconnect()
                at_rest = all(each.is_done for each in self._backlogs.values())
                await asyncio.sleep(REST_S if at_rest else LOOK_EVERY_S)
        finally:
            await self._disconnect()

    async def _look(self) -> None:
        if self._reader is None:
            reader = broadcast_consumer(self._kafka, "touchline-dashboard")
            try:
                await reader.start()
            except BaseException:
                await close_all(reader.stop, within_s=2)
                raise
            self._reader = reader
        for stage, topic in INPUTS.items():
            # the ends first: a stage that commits in between is not taken for one that is behind
            ends = await end_offsets(self._reader, self._kafka, topic)
            committed = await self._groups[stage].committed(topic)
            self._backlogs[stage].look(self._clock(), ends, committed)
        self._seen_at = self._clock()

    async def _disconnect(self) -> None:
        closes = [group.close for group in self._groups.values()]
        await close_all(*closes, *((self._reader.stop,) if self._reader else ()), within_s=2)
        self._reader = None


def with_causes(behind: Sequence[StageBehind]) -> tuple[StageBehind, ...]:
    """The same; a journey that stands still behind a sink that does, too, waits for it.

    It reads an account anew only once the store has all that it told of it.
    """
    still = {each.stage for each in behind if each.stands_still}
    if not {"journey", "sink"} <= still:
        return tuple(behind)
    return tuple(replace(each, waits_for="sink") if each.stage == "journey" else each for each in behind)


def all_of(*asked: Waiting) -> Waiting:
    """Who is waited for by any of them; a service once, as the first says."""

    def waiting() -> Sequence[Wait]:
        found: dict[str, Wait] = {}
        for each in asked:
            found = {wait.service: wait for wait in each()} | found
        return tuple(found.values())

    return waiting
