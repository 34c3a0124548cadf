"""What the page of incidents shows."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.dashboard.happening import Happening, happenings
from services.dashboard.reader import Reader
from services.dashboard.scope import Scope
from services.dashboard.store import SignalQuery

SIGNALS = 400
INCIDENTS = 60
OPEN_WITHIN = timedelta(days=1)
"""Without a sign for so long an incident counts as over."""


@dataclass(frozen=True, slots=True)
class IncidentsPage:
    """Newest first. `unfed_rules`: no configured source can feed them, so they never fire."""

    as_of: datetime
    incidents: tuple[Happening, ...]
    unfed_rules: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        return not self.incidents

    @property
    def groups(self) -> tuple[tuple[str, tuple[Happening, ...]], ...]:
        """What still happens, and what does no longer."""
        fresh = [each for each in self.incidents if self.as_of - each.last_at < OPEN_WITHIN]
        return ("A sign within a day", tuple(fresh)), ("Quiet for a day or more", self.incidents[len(fresh) :])


async def ask(reader: Reader, scope: Scope) -> IncidentsPage:
    """Raises StoreUnavailable."""
    as_of, derived = reader.clock(), reader.catalogue.derived_rules
    span = await reader.span(scope, as_of)
    signs = SignalQuery(since=span.since, without=derived, limit=SIGNALS, scope=scope)
    made = SignalQuery(since=span.since, rules=derived, limit=SIGNALS, scope=scope)
    signals, tags = await asyncio.gather(reader.signals(signs), reader.signals(made) if derived else _none())
    return IncidentsPage(as_of, happenings(signals, INCIDENTS, tags), reader.unfed_rules())


async def _none() -> tuple[()]:
    return ()
