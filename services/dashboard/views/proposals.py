"""Questions of who is who."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ProposalView:
    """A question of who is who that evidence leaves to people. `answer`: given, and on its way through the pipeline.

    `would_move`: touchpoints that are the account's of their own, and move to another one with a yes.
    """

    proposal_id: str
    kind: str
    a: str
    b: str
    reason: str
    evidence: str
    confidence: float
    since: datetime
    status: str
    by: str
    decided_at: datetime | None
    answer: str = ""
    would_move: int = 0


@dataclass(frozen=True, slots=True)
class ProposalPage:
    """`open` counts all open questions, whatever the page shows."""

    proposals: tuple[ProposalView, ...]
    open: int
    next_cursor: str | None
