"""How long tables keep what has a date, as the configuration says: ClickHouse's TTL, set by `migrate`."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from clickhouse_connect.driver.client import Client

from schemas.base import EPOCH
from schemas.config import Config
from schemas.retention import TABLES_HELD, TTL_COLUMN
from services.sink.views import rendered
from streams.runtime.clickhouse import connect, query_rows, store_errors

_ENGINES: Final = "SELECT name, engine_full FROM system.tables WHERE database = {database:String}"
_TTL: Final = re.compile(r" TTL (.+?)(?: SETTINGS |$)")
_log = logging.getLogger("touchline.retention")


def days_of(table: str, config: Config) -> int:
    """How many days a table keeps a row; 0: until it is erased."""
    keeps = TABLES_HELD[table].keeps
    return {"journey": config.retention.journey_days, "ignored": config.retention.ignored_days}.get(keeps, 0)


def kept_since(config: Config, now: datetime) -> datetime:
    """From when on every touchpoint must still be there: a part of what is older may be gone already."""
    days = config.retention.journey_days
    return now - timedelta(days=days - 1) if days else EPOCH


def apply(config: Config, password: str = "") -> list[str]:
    """Give every table the configured TTL; returns the tables that had another. Raises StoreUnavailable."""
    client = connect(config.clickhouse, password)
    try:
        changed = list(_differing(client, config))
        for table, days in changed:
            with store_errors():
                client.command(_statement(table, days, config))
            _log.info("how long a table keeps its rows is set", extra={"table": table, "days": days})
        return [table for table, _ in changed]
    finally:
        client.close()


def _differing(client: Client, config: Config) -> Iterator[tuple[str, int]]:
    rows = query_rows(client, _ENGINES, {"database": config.clickhouse.database})
    engines = {str(row["name"]): str(row["engine_full"]) for row in rows}
    for table in TTL_COLUMN:
        days = days_of(table, config)
        if table in engines and ttl_days(engines[table]) != days:
            yield table, days


def ttl_days(engine: str) -> int:
    """The days in the TTL of a table's engine, as ClickHouse describes it; 0 without one, -1 for another kind."""
    found = _TTL.search(engine)
    if found is None:
        return 0
    days = re.search(r"toIntervalDay\((\d+)\)", found[1])
    return int(days[1]) if days else -1


def _statement(table: str, days: int, config: Config) -> str:
    place = rendered(f"ALTER TABLE {{database}}.{table} {{on_cluster}}", config.clickhouse)
    if not days:
        return f"{place} REMOVE TTL"
    return f"{place} MODIFY TTL toDateTime({TTL_COLUMN[table]}) + INTERVAL {days} DAY"
