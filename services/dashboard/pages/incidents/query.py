"""What the page of incidents shows."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from services.dashboard.reader import FEED_LENGTH, Reader
from services.dashboard.scope import Scope
from services.dashboard.store import SignalQuery
from services.dashboard.views import CaseView, SignalView


@dataclass(frozen=True, slots=True)
class IncidentsPage:
    """`unfed_rules`: no configured source can feed them, so they never fire."""

    cases: tuple[CaseView, ...]
    signals: tuple[SignalView, ...]
    unfed_rules: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        return not self.cases and not self.signals


async def ask(reader: Reader, scope: Scope) -> IncidentsPage:
    """Raises StoreUnavailable."""
    span = await reader.span(scope, reader.clock())
    feed = SignalQuery(since=span.since, without=reader.catalogue.derived_rules, limit=FEED_LENGTH, scope=scope)
    cases, signals = await asyncio.gather(reader.cases(span.since, scope), reader.signals(feed))
    return IncidentsPage(cases, signals, reader.unfed_rules())
