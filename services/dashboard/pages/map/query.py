"""What the map page shows."""

from __future__ import annotations

import asyncio

from services.dashboard.mapping import MapInputs, build_map
from services.dashboard.pages.map.view import MapPage, drawn
from services.dashboard.reader import Reader
from services.dashboard.scope import Scope
from services.dashboard.weighing import weigh


async def ask(reader: Reader, scope: Scope) -> MapPage:
    """Raises StoreUnavailable."""
    weighed = await weigh(reader, scope)
    span = weighed.span
    raw, population, freshness = await asyncio.gather(
        reader.unmapped(scope, span, weighed.now), reader.population(scope, span), reader.freshness()
    )
    inputs = MapInputs(scope, span, weighed.as_of, weighed.now, {}, raw, population, freshness, weighed.rules)
    return drawn(weighed, build_map(reader.catalogue, inputs))
