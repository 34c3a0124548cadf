"""The tables that landed versions wrote open, migrate and show the same; what stands in them can be read."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import TypeAdapter

from schemas.links import AnyLink
from schemas.touchpoints import AttributedTouchpoint
from services.sink.migrate import migrate
from tests.clickhouse_fixture import warehouse
from tests.data.landed import LANDED, landed_figures, restored
from tests.data.landed.record import figures
from tests.sink_harness import store_config

pytestmark = pytest.mark.clickhouse
_LINK: TypeAdapter[AnyLink] = TypeAdapter(AnyLink)
HURTS = """
SELECT toString(arraySort(groupArrayArray(hurts))) AS hurts FROM journey_minutes FINAL
UNION ALL
SELECT toString(arraySort(groupArray((sipHash64(account_id), occurred_at, toUInt32(round(pain * 1e6))))))
FROM touchpoints FINAL WHERE on_map AND account_id NOT LIKE 'anon:%'
  AND (friction > 0 OR touchpoint_type IN ('complaint', 'cancellation', 'status_page'))
"""


@pytest.mark.parametrize("version", LANDED)
def test_a_landed_versions_tables_show_the_same(version: str, tmp_path: Path) -> None:
    data = restored(version, tmp_path)
    with warehouse(data / "clickhouse") as (clickhouse, _):
        config = store_config(clickhouse.base_url, "touchline", data / "clickhouse" / "internal.token")
        migrate(config.model_copy(update={"bi_database": "bi"}), clickhouse.token)
        client = clickhouse.client(database="touchline")
        assert figures(client) == landed_figures(version)
        assert len(set(client.query(HURTS).result_rows)) == 1, "whom each minute hurt is made of what is there"
        assert client.query("SELECT count(arrayJoin(hurts)) FROM journey_minutes FINAL").result_rows[0][0] > 0
        for (payload,) in client.query("SELECT payload FROM histories FINAL").result_rows:
            AttributedTouchpoint.decoded(payload)
        links = client.query("SELECT payload FROM links FINAL").result_rows
        assert any(_LINK.validate_json(payload).kind == "erasure" for (payload,) in links)
        for (view,) in client.query("SELECT name FROM system.tables WHERE database = 'bi'").result_rows:
            client.query(f"SELECT * FROM bi.{view} LIMIT 1")
        client.close()
