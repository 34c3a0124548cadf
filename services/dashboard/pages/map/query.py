"""What the map page shows."""

from __future__ import annotations

from services.dashboard.mapping import unmapped_of
from services.dashboard.pages.map.view import MapPage, drawn
from services.dashboard.ranking_inputs import weigh
from services.dashboard.reader import Reader
from services.dashboard.scope import Scope


async def ask(reader: Reader, scope: Scope) -> MapPage:
    """Raises StoreUnavailable."""
    weighed = await weigh(reader, scope)
    raw = await reader.unmapped(scope, weighed.span, weighed.now)
    return drawn(weighed, unmapped_of(reader.catalogue, weighed.now, raw))
