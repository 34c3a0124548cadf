"""What the map page shows."""

from __future__ import annotations

from dataclasses import dataclass

from services.dashboard.reader import Reader
from services.dashboard.scope import Scope
from services.dashboard.views import MapView


@dataclass(frozen=True, slots=True)
class MapPage:
    """The map of a scope."""

    map: MapView

    @property
    def is_empty(self) -> bool:
        return not self.map.totals.touchpoints


async def ask(reader: Reader, scope: Scope) -> MapPage:
    """Raises StoreUnavailable."""
    return MapPage(await reader.map(scope))
