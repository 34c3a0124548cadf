"""The pain of a touchpoint can be made again from the views alone, of a burst longer than its evidence, too."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from schemas.facts import TouchpointFact
from services.sink.columns import TABLES, columns
from services.sink.rows import rows_of
from streams.journey.account import AccountJourney
from streams.journey.blueprints import load
from streams.journey.facts import facts_of
from streams.runtime.clickhouse import Store
from tests.clickhouse_fixture import ClickHouse
from tests.journeys import at, attributed
from tests.store_facts import START
from tests.store_fixture import fresh_store

pytestmark = pytest.mark.clickhouse
DOCS = Path(__file__).parents[2] / "docs" / "reference" / "numbers.md"
CLICKS = 30


def documented() -> str:
    """The query of docs/reference/numbers.md."""
    found = re.search(r"```sql\n(SELECT event_id, any\(t\.pain\).*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return found[1]


def test_pain_is_made_again_from_the_views(clickhouse_url: ClickHouse, clickhouse_database: str) -> None:
    clicks = [
        attributed(f"c{n:02}", n * 0.4, "click", page="/a", element="save", session_id="s1") for n in range(CLICKS)
    ]
    error = attributed("x", 2.1, "client_error", page="/a", session_id="s1", properties={"error_type": "E"})
    plain = attributed("v", 900, "page_view", page="/b", session_id="s1")
    account, as_of = AccountJourney("crm:1", load()), at(100_000)
    facts = facts_of(account, account.accept([*clicks, error, plain], as_of), as_of)
    hurt = {one.event_id: one.pain for one in facts if isinstance(one, TouchpointFact) and one.pain}
    assert len(hurt) > 20 and len(set(hurt.values())) > 1, "more than a signal names as evidence"
    with fresh_store(clickhouse_url, clickhouse_database) as (store, config):
        for table, rows in rows_of(facts, START).items():
            store.insert(table, TABLES[table], columns(table, rows))
        told = again(store, documented().replace("bi.", f"{config.bi_database}."))
        assert told == pytest.approx(hurt, abs=1e-6)
        named_alone = f"SELECT event_id, severity AS pain, severity AS again FROM {config.bi_database}.signals"
        assert again(store, named_alone) != pytest.approx(hurt, abs=1e-6), "known bad: only whom a signal names"


def again(store: Store, sql: str) -> dict[str, float]:
    return {str(row["event_id"]): float(str(row["again"])) for row in store.rows(sql)}
