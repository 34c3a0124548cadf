"""When what lets people in ends, such as tokens of the page and certificates of its addresses: told by a metric."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Iterable, Mapping
from datetime import datetime
from math import inf
from typing import Final, Protocol

from schemas.access import TokenEntry
from schemas.errors import TouchlineError
from streams.runtime.metrics import Meter

LOOK_EVERY_S: Final = 3600.0
SOON_S: Final = 14 * 86_400
_log = logging.getLogger(__name__)


class Look(Protocol):
    """When one thing ends; None: never. May raise TouchlineError while that is not known."""

    def __call__(self) -> Awaitable[datetime | None]: ...


def soonest(tokens: Iterable[TokenEntry], now: datetime) -> datetime | None:
    """When the next token ends; those that are over let nobody in any more. None: none ever does."""
    return min((one.expires_at for one in tokens if one.expires_at and one.expires_at > now), default=None)


class Expiring:
    """Looks until cancelled; what cannot be known now stays as it was known last."""

    def __init__(self, looks: Mapping[str, Look], meter: Meter) -> None:
        """`looks`: what ends, by the name it has in the metric."""
        self._looks, self._meter = looks, meter

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Once."""
        for what, look in self._looks.items():
            try:
                until = await look()
            except TouchlineError as error:
                _log.debug("when it ends is not known", extra={"what": what, "error": str(error)[:200]})
                continue
            self._meter.set("touchline_expires_timestamp_seconds", until.timestamp() if until else inf, what=what)
