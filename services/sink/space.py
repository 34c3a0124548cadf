"""How much disk space ClickHouse has left, and in how many parts its tables are: told by metrics, asked now and then.

When space is little, /healthz says so, too.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final, Protocol

from schemas.errors import TouchlineError
from services.common.space import CLICKHOUSE, FIX, Space, of_clickhouse
from streams.runtime.metrics import Meter

LOOK_EVERY_S: Final = 15.0
PARTS: Final = """
SELECT max(parts) AS parts FROM (
  SELECT count() AS parts FROM system.parts WHERE active AND database = currentDatabase() GROUP BY table, partition_id)
"""
_log = logging.getLogger("touchline.sink")


class Rows(Protocol):
    """The part of Store used here; blocks. Raises StoreUnavailable."""

    def rows(self, sql: str, parameters: dict[str, object] | None = None) -> list[dict[str, Any]]: ...


class SpaceWatch:
    """Knows the fullest of ClickHouse's disks. `words` is empty while there is enough."""

    def __init__(self, store: Rows, meter: Meter) -> None:
        self._store = store
        self._meter = meter
        self.words = ""

    async def run(self) -> None:
        """Until cancelled. While ClickHouse is away nothing new is known."""
        while True:
            try:
                self.look(of_clickhouse(await asyncio.to_thread(self._store.rows, CLICKHOUSE)))
                for row in await asyncio.to_thread(self._store.rows, PARTS):
                    self._meter.set("touchline_store_parts", float(row["parts"]))
            except TouchlineError as error:
                _log.debug("the disks cannot be asked for", extra={"error": str(error)[:200]})
            await asyncio.sleep(LOOK_EVERY_S)

    def look(self, disks: list[Space]) -> None:
        """What the disks are like now."""
        if not disks:
            return
        least = min(disks, key=lambda disk: disk.free_bytes)
        self._meter.set("touchline_disk_free_bytes", least.free_bytes, holder=least.holder)
        words = "" if least.state == "ok" else f"{least.words}: {FIX}"
        if words and not self.words:
            _log.warning("little disk space is left for ClickHouse", extra={"free": least.words})
        self.words = words
