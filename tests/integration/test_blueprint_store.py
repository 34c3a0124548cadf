"""The blueprint in the database: what analysts read is what the YAML says, and gaps in it are visible."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas.config import Config
from services.sink import blueprints
from streams.journey.blueprints import DEFAULT, load, parse
from streams.runtime.clickhouse import Store
from tests.clickhouse_fixture import ClickHouse
from tests.store_facts import touchpoint_fact
from tests.store_fixture import fresh_store, put

pytestmark = pytest.mark.clickhouse
ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def stored(clickhouse_url: ClickHouse, clickhouse_database: str) -> Iterator[tuple[Store, Config]]:
    with fresh_store(clickhouse_url, clickhouse_database) as (store, config):
        yield store, Config(clickhouse=config)


async def test_the_views_say_what_the_blueprint_says(stored: tuple[Store, Config]) -> None:
    store, config = stored
    bi, source = config.clickhouse.bi_database, load().source
    assert store.rows(f"SELECT * FROM {bi}.touchpoint_types") == []
    await blueprints.keep(config, NOW)
    kinds = store.rows(f"SELECT * FROM {bi}.touchpoint_types ORDER BY position")
    assert [row["touchpoint_type"] for row in kinds] == [kind.id for kind in source.types]
    for row, kind in zip(kinds, source.types, strict=True):
        assert (row["importance"], row["risk"], row["is_on_map"]) == (kind.importance, kind.risk, kind.on_map)
        assert (row["started_by"], row["is_moment_of_truth"]) == (kind.started_by, kind.moment_of_truth)
        assert (row["excellent"], row["customer_goal"]) == (kind.excellent, kind.goal)
        assert row["owner_people"] == (", ".join(kind.owner.people) if kind.owner else "")
        assert row["has_desired_emotion"] == (kind.desired_emotion is not None)
        assert _number(row["desired_emotion"]) == kind.desired_emotion
        assert _number(row["target_answer_s"]) == kind.targets.get("answer_s")
    phases = store.rows(f"SELECT phase, questions FROM {bi}.phases ORDER BY position")
    assert [(row["phase"], row["questions"]) for row in phases] == [
        (p.id, "\n".join(p.questions)) for p in source.phases
    ]
    personas = store.rows(f"SELECT persona, motivation, buying_role FROM {bi}.personas ORDER BY persona")
    assert {tuple(row.values()) for row in personas} == {(p.id, p.motivation, p.buying_role) for p in source.personas}


def _number(value: Any) -> float | None:
    """A Nullable(Decimal) as Python has numbers."""
    return None if value is None else float(value)


def test_the_blueprint_in_force_is_the_one_a_sink_started_with_last(stored: tuple[Store, Config]) -> None:
    store, config = stored
    newer = parse(DEFAULT.read_text(encoding="utf-8").replace("\nversion: 1\n", "\nversion: 2\n"))
    for blueprint, hours in ((load(), 0), (newer, 1), (load(), 2)):
        store.insert(blueprints.TABLE, blueprints.TYPES, blueprints.row(blueprint, NOW + timedelta(hours=hours)))
        versions = store.rows(f"SELECT DISTINCT blueprint_version AS v FROM {config.clickhouse.bi_database}.phases")
        assert versions == [{"v": blueprint.version}]
    assert len(store.rows("SELECT * FROM blueprints FINAL")) == 2, "one row a version, however often it was started"


def test_what_has_no_place_in_the_blueprint_is_listed_commonest_first(stored: tuple[Store, Config]) -> None:
    store, config = stored
    facts = [touchpoint_fact(number) for number in range(6)]
    odd = []
    for number, fact in enumerate(facts):
        name = "track:Odd Thing" if number < 4 else "track:Odder Thing"
        clean = fact.input.touchpoint.changed(vendor_type=name, source="web", action="custom")
        kind = "unmapped" if number != 5 else "pricing_page"
        item = fact.input.changed(touchpoint=clean)
        odd.append(fact.changed(touchpoint_type=kind, input=item))
    put(store, odd)
    found = store.rows(f"SELECT vendor_type, touchpoints, position FROM {config.clickhouse.bi_database}.unmapped")
    assert {(row["position"], row["vendor_type"], row["touchpoints"]) for row in found} == {
        (1, "track:Odd Thing", 4),
        (2, "track:Odder Thing", 1),
    }


async def test_the_query_of_the_documentation_runs(stored: tuple[Store, Config]) -> None:
    store, config = stored
    await blueprints.keep(config, NOW)
    put(store, [touchpoint_fact(number) for number in range(6)])
    page = (ROOT / "docs" / "reference" / "blueprint.md").read_text(encoding="utf-8")
    (query,) = re.findall(r"```sql\n(.+?)```", page, re.DOTALL)
    assert store.rows(query.replace("bi.", f"{config.clickhouse.bi_database}.")) is not None
