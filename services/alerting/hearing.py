"""When each source was last heard, whether that is late, and who owns accounts: what ClickHouse is asked for.

Nothing is concluded from silence while ClickHouse is away or a stage of the pipeline has work that it does not do:
then it is not the source that is silent.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence, Set
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from aiokafka.errors import KafkaError

from schemas.base import EPOCH
from schemas.config import KafkaConfig
from schemas.errors import PermanentError, StoreUnavailable
from schemas.processes import INPUTS
from streams.incidents.rhythm import MEMORY, SLOTS, Rhythms
from streams.journey.stored import aware
from streams.runtime.clickhouse import stamp
from streams.runtime.kafka import GroupProgress, broadcast_consumer, end_offsets
from streams.runtime.lifetime import close_all
from streams.runtime.metrics import Meter

LOOK_EVERY_S: Final = 30.0
_LEARN_EVERY: Final = timedelta(minutes=10)
_HEARD: Final = "SELECT source, max(last_received_at) AS heard_at FROM source_freshness GROUP BY source"
_OWNERS: Final = "SELECT account_id, crm_owner FROM {bi}.accounts WHERE crm_owner != ''"
_log = logging.getLogger("touchline.alerts")


class Asking(Protocol):
    """The part of Store that is used here. Blocks; may raise StoreUnavailable or PermanentError."""

    def rows(self, sql: str, parameters: Mapping[str, object] | None = None) -> list[dict[str, object]]: ...


class Behind(Protocol):
    """Whether a stage has work of half a minute ago that it has not done. May raise KafkaError."""

    async def look(self) -> bool: ...

    async def close(self) -> None: ...


class Hearing:
    """Looks until cancelled and gives `looked` what it found: source → when it was last heard, and the time."""

    def __init__(  # noqa: PLR0913 - what it asks
        self,
        store: Asking,
        behind: Behind,
        rhythms: Rhythms,
        meter: Meter,
        clock: Callable[[], datetime],
        looked: Callable[[Mapping[str, datetime], datetime], None],
        sources: Set[str],
        owned: Callable[[Mapping[str, str]], None] | None = None,
        bi: str = "bi",
    ) -> None:
        """`sources`: the configured ones; others are not waited for. `owned` gets account → owner in the CRM."""
        self._owned, self._bi = owned, bi
        self._store, self._behind, self._rhythms, self._meter = store, behind, rhythms, meter
        self._clock, self._looked, self._sources = clock, looked, sources
        self._learned_at = EPOCH
        self._heard: dict[str, datetime] = {}
        self.waits = "nothing was looked at yet"
        """Why nothing can be said of sources now; empty: it can."""

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                self.waits = await self.step()
                await asyncio.sleep(LOOK_EVERY_S)
        finally:
            await self._behind.close()

    async def step(self) -> str:
        """One look; why it came to nothing, or empty."""
        try:
            if await self._behind.look():
                return "the pipeline is behind"
            now = self._clock()
            heard = await asyncio.to_thread(self._ask, now)
        except (StoreUnavailable, PermanentError, KafkaError, OSError, TimeoutError) as error:
            _log.debug("sources cannot be judged: %r", error)
            await self._behind.close()  # what is broken is made anew
            return f"{error!r}"[:200]
        if self._owned is not None and self._learned_at == now:
            await self._learn_owners(self._owned)
        for source, at in heard.items():
            rhythm = self._rhythms.of(source)
            self._meter.set("touchline_source_late", float(rhythm.is_late(at, now)), source=source)
            self._meter.set("touchline_source_late_after_seconds", rhythm.late_after_s, source=source)
        self._looked(heard, now)
        return ""

    async def _learn_owners(self, owned: Callable[[Mapping[str, str]], None]) -> None:
        """What was learned stays while it cannot be asked."""
        try:
            rows = await asyncio.to_thread(self._store.rows, _OWNERS.format(bi=self._bi))
        except (StoreUnavailable, PermanentError) as error:
            _log.debug("owners of accounts cannot be asked: %r", error)
            return
        owned({str(row["account_id"]): str(row["crm_owner"]) for row in rows})

    def _ask(self, now: datetime) -> dict[str, datetime]:
        rows: Sequence[Mapping[str, Any]] = self._store.rows(_HEARD)
        found = {str(row["source"]): aware(row["heard_at"]) for row in rows if row["source"] in self._sources}
        came_late = any(self._heard.get(source, at) != at <= self._learned_at for source, at in found.items())
        self._heard = found
        if came_late or not timedelta() <= now - self._learned_at < _LEARN_EVERY:
            self._rhythms.learn(self._store.rows(SLOTS, {"since": stamp(now - MEMORY)}), now)
            self._learned_at = now
        live = {source: self._rhythms.live(source, at) for source, at in found.items() if at > EPOCH}
        return {source: at for source, at in live.items() if at is not None}


class StagesBehind:
    """Compares what each stage's input had at the last look with what it has done since."""

    def __init__(self, kafka: KafkaConfig) -> None:
        self._kafka = kafka
        self._groups = {stage: GroupProgress(kafka, f"touchline-{stage}") for stage in INPUTS}
        self._ends: dict[str, dict[int, int]] = {}
        self._reader: Any = None

    async def look(self) -> bool:
        """Whether some stage has not done what it had half a minute ago; at the first look it is not known: True."""
        if self._reader is None:
            reader = broadcast_consumer(self._kafka, "touchline-alerts-behind")
            try:
                await reader.start()
            except BaseException:
                await close_all(reader.stop)
                raise
            self._reader = reader
        is_behind, ends = not self._ends, dict[str, dict[int, int]]()
        for stage, topic in INPUTS.items():
            before = self._ends.get(stage, {})
            ends[stage] = await end_offsets(self._reader, self._kafka, topic)
            done = await self._groups[stage].committed(topic)
            is_behind |= any(done.get(place, 0) < end for place, end in before.items())
        self._ends = ends  # a look that broke off half way is none
        return is_behind

    async def close(self) -> None:
        """Give the connections back."""
        closes = [group.close for group in self._groups.values()]
        await close_all(*closes, *((self._reader.stop,) if self._reader else ()))
        self._reader = None
