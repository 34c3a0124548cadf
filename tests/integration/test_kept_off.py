"""What is kept off the map has cells of its own, by minute and by day: exact, apart from the map, and brought over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import permutations
from pathlib import Path

import pytest

from schemas.config import ClickHouseConfig
from schemas.facts import TouchpointFact
from schemas.traffic import Traffic
from services.sink import migrate as migrations
from services.sink.columns import TABLES, columns
from services.sink.days import roll_up
from services.sink.migrate import DEFAULT_DIR, migrate
from services.sink.rows import rows_of
from services.sink.verify import verify
from streams.runtime.clickhouse import Store
from tests.clickhouse_fixture import ClickHouse
from tests.integration.test_roll_ups import APART, daily, let_rest
from tests.sink_harness import store_config
from tests.store_facts import touchpoint_fact
from tests.store_fixture import fresh_store, put

pytestmark = pytest.mark.clickhouse
KEPT = """
SELECT traffic, sum(volume) AS n, argMax(example, {at}) AS seen FROM {table} FINAL
WHERE traffic != '' AND volume > 0 GROUP BY traffic
"""
MAP = "SELECT toInt64(sum(volume)) AS n FROM journey_minutes FINAL WHERE traffic = ''"


@pytest.fixture
def store(clickhouse_url: ClickHouse, clickhouse_database: str) -> Iterator[Store]:
    with fresh_store(clickhouse_url, clickhouse_database) as (made, _):
        yield made


def off(number: int, traffic: Traffic, *, revision: int = 1, host: str = "", agent: str = "") -> TouchpointFact:
    """A touchpoint that is off the map."""
    fact = touchpoint_fact(number, revision=revision, on_map=False, traffic=traffic, friction_signals=())
    told = fact.input.touchpoint.changed(url_host=host, agent=agent)
    return fact.changed(input=fact.input.changed(touchpoint=told))


def kept(store: Store, table: str = "journey_minutes") -> dict[str, tuple[int, str]]:
    at = "minute" if table == "journey_minutes" else "day"
    rows = store.rows(KEPT.format(at=at, table=table))
    return {str(row["traffic"]): (int(str(row["n"])), str(row["seen"])) for row in rows}


def noise() -> list[TouchpointFact]:
    return [
        off(1, "bot", agent="Pry"),
        off(2, "bot", agent="Spy"),
        off(3, "internal", host="localhost"),
        touchpoint_fact(4, friction_signals=()),
        touchpoint_fact(8, on_map=False, friction_signals=()),
    ]


def test_each_is_counted_once_and_the_map_does_not_know_of_it(store: Store) -> None:
    for order in list(permutations(noise()))[::17]:
        for table in ("touchpoints", "histories", "journey_minutes", "journey_days"):
            store.command(f"TRUNCATE TABLE {table}")
        for fact in order:
            put(store, [fact])
        assert kept(store) == {"bot": (2, "Spy"), "internal": (1, "localhost")}
        assert store.rows(MAP) == [{"n": 1}]
        assert [row["volume"] for row in daily(store)] == [1]
        assert verify(store.client) == []


def test_other_settings_move_it_onto_the_map_and_back(store: Store) -> None:
    put(store, noise())
    counted = touchpoint_fact(3, revision=2, traffic="internal", friction_signals=())
    put(store, [counted])
    assert kept(store) == {"bot": (2, "Spy")}
    assert store.rows(MAP) == [{"n": 2}]
    put(store, [off(3, "internal", revision=3, host="localhost")])
    assert kept(store) == {"bot": (2, "Spy"), "internal": (1, "localhost")}
    assert store.rows(MAP) == [{"n": 1}]
    assert verify(store.client) == []


def test_days_are_rolled_up_with_it(store: Store) -> None:
    facts = [off(APART * n, ("bot", "internal", "test")[n % 3], host=f"h{n}") for n in range(9)]
    put(store, facts)
    let_rest(store)
    assert len(roll_up(store, None, limit=100)) == 3
    assert kept(store, "journey_days") == kept(store) == {"bot": (3, "h6"), "internal": (3, "h7"), "test": (3, "h8")}
    assert daily(store) == [] and verify(store.client) == []
    wrong = "INSERT INTO journey_days SELECT * REPLACE (volume + 1 AS volume) FROM journey_days FINAL"
    store.command(wrong)
    assert verify(store.client)[0].check == "roll-ups of days that differ from their minutes"


def test_known_bad_a_cell_of_what_is_kept_off_that_is_wrong_is_found(store: Store) -> None:
    put(store, noise())
    store.command(
        "INSERT INTO journey_minutes SELECT * REPLACE (volume + 1 AS volume, version + 1 AS version)"
        " FROM journey_minutes FINAL WHERE traffic = 'bot'"
    )
    assert verify(store.client)[0].check == "cells of the map that differ from the touchpoints"


def test_who_declined_is_counted_as_nobody(store: Store) -> None:
    put(store, [touchpoint_fact(1), touchpoint_fact(19, traffic="declined")])
    assert [(row["volume"], row["people"]) for row in daily(store)] == [(2, 1)]
    assert verify(store.client) == []


def earlier(folder: Path, config: ClickHouseConfig, token: str, facts: Sequence[TouchpointFact]) -> None:
    """A store of before, with touchpoints; of the map's cells there are none, as nothing of it is on the map."""
    for path in DEFAULT_DIR.glob("*.sql"):
        if path.name < "0023":
            (folder / path.name).write_text(path.read_text())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(migrations, "load_views", lambda: [])  # they know the new columns
        migrate(config, token, directory=folder)
    with Store(config, token) as store:
        for table, rows in rows_of(facts, datetime.now(UTC)).items():
            if table in ("touchpoints", "histories"):
                store.insert(table, TABLES[table], columns(table, rows))


def test_an_earlier_store_is_brought_over_also_twice(
    clickhouse_url: ClickHouse, clickhouse_database: str, tmp_path: Path
) -> None:
    config = store_config(clickhouse_url.base_url, clickhouse_database, clickhouse_url.data_dir / "internal.token")
    facts = [off(APART * n, "bot" if n % 2 else "internal", host=f"h{n}") for n in range(6)]
    earlier(tmp_path, config, clickhouse_url.token, facts)
    assert "0023_kept_off" in migrate(config, clickhouse_url.token)
    with Store(config, clickhouse_url.token) as store:
        expected = {"internal": (3, "h4"), "bot": (3, "h5")}
        assert kept(store) == expected and verify(store.client) == []
        store.command("ALTER TABLE migrations DELETE WHERE version = 23 SETTINGS mutations_sync = 1")
        migrate(config, clickhouse_url.token)  # as after a kill at its very end
        assert kept(store) == expected
        put(store, [off(APART, "test", revision=2, host="h9")])
        assert kept(store) == {"internal": (3, "h4"), "bot": (2, "h5"), "test": (1, "h9")}
        assert verify(store.client) == []
        store.command(f"DROP DATABASE IF EXISTS {config.bi_database}")
