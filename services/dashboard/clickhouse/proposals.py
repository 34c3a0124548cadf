"""Questions of who is who."""

from __future__ import annotations

from collections.abc import Sequence

from services.dashboard import queries
from services.dashboard.clickhouse.asking import Asking
from services.dashboard.clickhouse.parameters import FAR_FUTURE
from services.dashboard.store import ProposalQuery, Row
from streams.runtime.clickhouse import stamp


class ProposalAnswers(Asking):
    """Questions of who is who."""

    async def proposals(self, query: ProposalQuery) -> Sequence[Row]:
        before, before_id = query.after or (FAR_FUTURE, "")
        asked = {"status": query.status, "before": stamp(before), "before_id": before_id}
        return await self.rows(queries.proposals.PROPOSALS, **asked, limit=query.limit + 1)

    async def proposal(self, proposal_id: str) -> Row | None:
        return next(iter(await self.rows(queries.proposals.PROPOSAL, proposal_id=proposal_id)), None)

    async def open_proposals(self) -> int:
        return int((await self.rows(queries.proposals.OPEN_PROPOSALS))[0]["open"])
