"""What sources sent, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from services.common.open_organisations import CLAIMS
from services.dashboard import queries
from services.dashboard.clickhouse.asking import Asking
from services.dashboard.store import Row
from streams.identity.aliases import NOBODY
from streams.incidents.rhythm import SLOTS
from streams.runtime.clickhouse import stamp


class SourceAnswers(Asking):
    """What sources sent, and what became of it."""

    async def freshness(self) -> Sequence[Row]:
        return await self._shared(queries.sources.FRESHNESS)

    async def slots(self, since: datetime) -> Sequence[Row]:
        return await self.rows(SLOTS, since=stamp(since))

    async def ignored(self, since: datetime) -> Sequence[Row]:
        return await self.rows(queries.sources.IGNORED, since=stamp(since))

    async def nobodies(self, since: datetime, most: int) -> Sequence[Row]:
        return await self.rows(queries.sources.NOBODIES, since=stamp(since), name=NOBODY, most=most)

    async def traffic(self, since: datetime) -> Sequence[Row]:
        return await self.rows(queries.sources.TRAFFIC, since=stamp(since))

    async def claims(self) -> Sequence[Row]:
        return await self.rows(CLAIMS.format(links="links"))

    async def flow(self, since: datetime) -> Sequence[Row]:
        return await self.rows(queries.sources.FLOW, since=int(since.timestamp()))

    async def latest(self, since: datetime, limit: int) -> Sequence[Row]:
        return await self.rows(queries.sources.LATEST, since=int(since.timestamp()), limit=limit)
