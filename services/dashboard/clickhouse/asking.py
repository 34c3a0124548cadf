"""One store over ClickHouse's HTTP interface: bound parameters in, plain rows out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from schemas.config import ClickHouseConfig
from schemas.errors import PermanentError, StoreUnavailable
from services.dashboard import queries
from services.dashboard.answer_cache import Remembered
from services.dashboard.clickhouse.parameters import day_of
from services.dashboard.scope import Reading, Scope, reading
from services.dashboard.store import Daily
from streams.runtime import clickhouse

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

THREADS = 4
MAX_PASTS = 8
"""Filters whose settled days are remembered: some megabytes each."""
TIMEOUT_S = 10
_SETTINGS = {
    "readonly": 2,
    "max_execution_time": TIMEOUT_S,
    # A row's partition is part of its key: versions of it never lie in two partitions.
    "do_not_merge_across_partitions_select_final": 1,
}


def connect(config: ClickHouseConfig, password: str) -> Client:
    """A client that only reads, and that our threads share. Raises StoreUnavailable when ClickHouse does not answer."""
    return clickhouse.connect(config, password, timeout_s=TIMEOUT_S, settings=_SETTINGS, name=clickhouse.PAGE)


class Asking:
    """Asks one store, from threads; connects at the first question and again after a failure."""

    def __init__(self, dial: Callable[[], Client]) -> None:
        self._dial = dial
        self._client: Client | None = None
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="store")
        self._under_way: dict[str, asyncio.Task[list[dict[str, Any]]]] = {}
        """Questions of several parts of one page, which are asked at once: statement → its answer."""
        self._reaches: dict[tuple[Scope, int], timedelta] = {}
        """Scope and number of pains → how far back so many lay."""
        self._past: Remembered[Daily] = Remembered(MAX_PASTS)

    def close(self) -> None:
        """Let running queries end; safe to call twice."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        if self._client is not None:
            self._client.close()
            self._client = None

    async def rows(self, statement: str, **parameters: object) -> list[dict[str, Any]]:
        """The answer to one statement. Raises StoreUnavailable."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._ask, statement, parameters)

    def _ask(self, statement: str, parameters: dict[str, object]) -> list[dict[str, Any]]:
        try:
            client = self._client = self._client or self._dial()
            return clickhouse.query_rows(client, statement, parameters, zoned=True)
        except (StoreUnavailable, PermanentError) as error:
            code = getattr(error.__cause__, "code", None)
            if code is None:  # the driver's own words about sockets are for nobody
                raise StoreUnavailable("ClickHouse does not answer") from error
            raise StoreUnavailable(f"ClickHouse cannot answer now: {str(error).splitlines()[0][:200]}") from error

    async def _shared(self, statement: str) -> list[dict[str, Any]]:
        """Whoever asks while it is asked for waits for that answer."""
        task = self._under_way.get(statement)
        if task is None or task.done():
            task = self._under_way[statement] = asyncio.create_task(self.rows(statement))
        return await asyncio.shield(task)

    async def _reading(self, scope: Scope, since: datetime, until: datetime, days: Sequence[date]) -> Reading:
        """Days are of all accounts: of some, everything is read from the touchpoints."""
        return reading(since, until, () if scope.of_accounts else await self._settled(days))

    async def _settled(self, days: Collection[date]) -> dict[date, str]:
        """Those of `days` that may be read from their roll-ups, and when these were made: anew is later."""
        if not days:
            return {}
        found = {day_of(row["name"]): str(row["made"]) for row in await self._shared(queries.cells.SETTLED)}
        return {day: found[day] for day in days if day in found}

    async def fingerprint(self) -> str:
        return repr([(row["table"], row["inserts"]) for row in await self.rows(queries.cells.FINGERPRINT)])

    async def first_minute(self) -> datetime | None:
        row = (await self.rows(queries.cells.FIRST_MINUTE))[0]
        return row["minute"] if row["cells"] else None
