"""Little disk space, as the page tells it: of the data folder where it lies here, and of ClickHouse's disks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol

from schemas.errors import TouchlineError
from services.common.space import CLICKHOUSE, FIX, Space, of_clickhouse, of_folder
from services.dashboard.reader import Clock
from services.dashboard.service_status import STATUS_FILE_ENV
from services.dashboard.views.snapshot import Wait

LOOK_EVERY_S: Final = 10.0
SERVICE: Final = "disk"
"""The name under which it stands among what is waited for."""
_STATES: Final = {"low": "filling up", "short": "almost full"}
_log = logging.getLogger(__name__)


class Rows(Protocol):
    """The part of Store used here; blocks. Raises StoreUnavailable."""

    def rows(self, sql: str, parameters: dict[str, object] | None = None) -> list[dict[str, Any]]: ...


class Disks:
    """Looks now and then. What was seen last holds until the next look succeeds."""

    def __init__(self, store: Rows, env: Mapping[str, str], clock: Clock) -> None:
        status_file = env.get(STATUS_FILE_ENV)
        self._folder = Path(status_file).parent if status_file else None
        self._store = store
        self._clock = clock
        self._here: list[Space] = []
        self._there: list[Space] = []
        self._since: datetime | None = None

    def waiting(self) -> tuple[Wait, ...]:
        """The fullest disk, if little is left on it."""
        disks = [*self._here, *self._there]
        if self._since is None or not disks:
            return ()
        least = min(disks, key=lambda disk: disk.free_bytes)
        return (Wait(SERVICE, _STATES.get(least.state, least.state), self._since, f"{least.words}: {FIX}"),)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Asks the file system and ClickHouse."""
        try:
            self._here = [of_folder(self._folder, "data folder")] if self._folder else []
            self._there = self._elsewhere(of_clickhouse(await asyncio.to_thread(self._store.rows, CLICKHOUSE)))
        except (TouchlineError, OSError) as error:
            _log.debug("the disks cannot be asked for: %s", error)
        little = any(disk.state != "ok" for disk in [*self._here, *self._there])
        self._since = (self._since or self._clock()) if little else None

    def _elsewhere(self, disks: Sequence[Space]) -> list[Space]:
        """Those that do not lie in the data folder."""
        here = str(self._folder.resolve()) if self._folder else None
        return [disk for disk in disks if here is None or not disk.path.startswith(here)]
