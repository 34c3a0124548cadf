"""Polars and DuckDB in a notebook, over clickhouse-connect's Arrow and over Parquet and Arrow from the address itself;
and Grafana's dashboards: the plugin cannot speak to the embedded ClickHouse, but its statements can be asked of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from services.cli.generate import grafana_boards
from tests.bi_store import story_store
from tests.bi_story import NOW, story
from tests.clickhouse_fixture import ClickHouse
from tests.integration.test_clickhouse_users import expanded
from tests.own_environment import ROOT, run_with

pytestmark = [pytest.mark.clickhouse, pytest.mark.slow]
PACKAGES: Final = ("polars==2.1.0", "duckdb==2.0.1", "pyarrow==26.0.1", "clickhouse-connect==1.12.0")
WAYS: Final = (
    "polars of query_arrow",
    "duckdb of query_arrow",
    "polars of Parquet",
    "polars of ArrowStream",
    "pyarrow of Arrow",
)
WORLD = story()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouse]:
    folder: Path = tmp_path_factory.mktemp("frames")
    with story_store(folder / "clickhouse", WORLD) as (running, _):
        yield running


@pytest.fixture(scope="module")
def told(running: ClickHouse) -> Any:
    script = ROOT / "tests" / "dialects" / "frames_live.py"
    return json.loads(run_with(PACKAGES, "python", str(script), running.host, str(running.port)))


@pytest.mark.parametrize("way", WAYS)
def test_a_frame_has_every_row_and_each_type(told: Any, way: str) -> None:
    found = told[way]
    assert found["rows"] == len(WORLD.touchpoints)
    assert found["pain"] == pytest.approx(sum(each["pain"] for each in WORLD.touchpoints))
    assert found["days"] == len({each["occurred_at"].date() for each in WORLD.touchpoints})
    types = {name: kind.lower() for name, kind in found["types"].items()}
    assert "date" in types["event_date"] and ("datetime" in types["occurred_at"] or "timestamp" in types["occurred_at"])
    assert types["text"].startswith(("str", "varchar")), "text is text, not bytes"
    assert types["importance"] in ("int64", "bigint") and "decimal" in types["emotion"]


@pytest.mark.parametrize("name", grafana_boards.BOARDS)
def test_the_embedded_engine_answers_every_panel(running: ClickHouse, name: str) -> None:
    """As Grafana's plugin expands its macros: by the guard, with the meaning of names that both engines give them."""
    for panel in grafana_boards.BOARDS[name].panels:
        answer = httpx.post(running.base_url, params={"user": "reader"}, content=expanded(panel.query).encode())
        assert answer.status_code == 200, (panel.title, answer.text)


def test_a_panel_over_time_shows_every_touchpoint(running: ClickHouse) -> None:
    panel = next(one for one in grafana_boards.BOARDS["journey_map"].panels if one.title == "Contact moments")
    lately = [each for each in WORLD.touchpoints if each["on_map"] and each["occurred_at"] >= NOW - timedelta(days=30)]
    sql = expanded(panel.query, seconds=int(timedelta(days=30).total_seconds()), step_s=86_400)
    answer = httpx.post(running.base_url, params={"user": "reader"}, content=f"{sql} FORMAT JSONEachRow".encode())
    rows = [json.loads(line) for line in answer.text.splitlines()]
    assert sum(int(row["touchpoints"]) for row in rows) == pytest.approx(len(lately), abs=1)
    assert len({row["time"] for row in rows}) <= 31, "a bucket a day, not one a touchpoint"
