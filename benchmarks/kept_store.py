"""A running ClickHouse with touchpoints and BI views, filled once and kept if its folder is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.pages import fill
from schemas.config import ClickHouseConfig
from services.sink.migrate import migrate
from streams.journey.blueprints import load
from streams.runtime.clickhouse import Store
from tests.clickhouse_fixture import ClickHouse, warehouse
from tests.sink_harness import store_config

_PATIENCE_S = 1_200


@contextmanager
def kept_store(
    folder: Path, touchpoints: int, *flags: str, then: Callable[[Store], None] | None = None
) -> Iterator[tuple[ClickHouse, ClickHouseConfig]]:
    """`folder` may hold a store that an earlier run filled; `then` adds to one that is new."""
    is_there = folder.exists()
    with warehouse(folder, *flags) as (clickhouse, _):
        config = store_config(clickhouse.base_url, "bench", folder / "internal.token")
        config = config.model_copy(update={"bi_database": "bi"})
        migrate(config, clickhouse.token)
        if not is_there:
            with Store(config, clickhouse.token, timeout_s=_PATIENCE_S) as store:
                fill(store, load().source, touchpoints)
                if then is not None:
                    then(store)
        yield clickhouse, config
