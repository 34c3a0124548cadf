"""What the page of sources shows."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from services.dashboard.reader import Reader
from services.dashboard.scope import Scope
from services.dashboard.views import Freshness, ProposalPage


@dataclass(frozen=True, slots=True)
class SourcesPage:
    """How recent each source is, and what is asked of people."""

    freshness: Freshness
    questions: ProposalPage

    @property
    def is_empty(self) -> bool:
        return False


async def ask(reader: Reader, _: Scope) -> SourcesPage:
    """Raises StoreUnavailable."""
    return SourcesPage(*await asyncio.gather(reader.freshness(), reader.open_questions()))
