"""A ClickHouse with the made-up company of `tests/bi_story.py`, for tools that ask it from outside."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from schemas.config import ClickHouseConfig
from services.sink.blueprints import TABLE, TYPES, row
from services.sink.migrate import migrate
from streams.runtime.clickhouse import Store
from tests import dashboard_seed as seed
from tests.bi_story import BLUEPRINT, NOW
from tests.clickhouse_fixture import ClickHouse, warehouse


@contextmanager
def story_store(folder: Path, world: seed.World) -> Iterator[tuple[ClickHouse, Store]]:
    """Its views are in `bi`, as they are at a user's."""
    with warehouse(folder) as (running, _):
        config = ClickHouseConfig(url=running.base_url, user="internal")
        migrate(config, running.token)
        with Store(config, running.token) as store:
            store.insert(TABLE, TYPES, row(BLUEPRINT, NOW))
            seed.store(store.client, world)
            yield running, store
