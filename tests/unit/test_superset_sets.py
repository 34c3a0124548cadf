"""The generated datasets know each view as the migrations make it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from services.cli.generate.superset_charts import CHARTS, WIDTH, chart, dashboard
from services.cli.generate.superset_sets import OWN_NAME, TIMELESS, TIMES, columns_of, dataset

COLUMNS = json.loads((Path(__file__).parents[1] / "integration" / "bi_columns.json").read_text())


@pytest.mark.parametrize("view", TIMES)
def test_no_column_is_a_time_that_a_chart_could_take(view: str) -> None:
    made = yaml.safe_load(dataset(view))
    assert [f"{name} {kind}" for name, kind, _ in columns_of(view)] == COLUMNS[view]
    assert [column["column_name"] for column in made["columns"] if column["is_dttm"]] == [OWN_NAME]
    assert not any(column.startswith(f"{OWN_NAME} ") for column in COLUMNS[view])
    assert made["columns"][0]["expression"] == TIMES[view]
    assert all(column["type"] and column["description"] for column in made["columns"])


def test_the_first_time_of_a_view_is_the_one_its_rows_are_about() -> None:
    """Where a tool picks a time by itself, it picks the first."""
    firsts = {
        view: next(c.split()[0] for c in columns if " Date" in c) for view, columns in COLUMNS.items() if view in TIMES
    }
    assert firsts == TIMES
    with_times = {view for view, columns in COLUMNS.items() if any(" Date" in column for column in columns)}
    assert with_times - set(TIMES) == {"freshness", "source_health", "unmapped"}


@pytest.mark.parametrize("view", TIMELESS)
def test_a_view_of_now_has_no_time_to_draw_over(view: str) -> None:
    made = yaml.safe_load(dataset(view))
    assert [f"{name} {kind}" for name, kind, _ in columns_of(view)] == COLUMNS[view]
    assert made["main_dttm_col"] is None and not any(column["is_dttm"] for column in made["columns"])


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_asks_for_what_its_dataset_has(name: str) -> None:
    made = yaml.safe_load(chart(name))
    told = yaml.safe_load(dataset(CHARTS[name].view))
    (query,) = json.loads(made["query_context"])["queries"]
    columns = {column["column_name"] for column in told["columns"]}
    metrics = {metric["metric_name"] for metric in told["metrics"]}
    assert made["dataset_uuid"] == told["uuid"]
    assert {c["sqlExpression"] if isinstance(c, dict) else c for c in query["columns"]} <= columns
    assert set(query["metrics"] or ()) <= metrics
    assert not CHARTS[name].order or CHARTS[name].order in columns | metrics
    assert not CHARTS[name].grain or told["main_dttm_col"] == OWN_NAME


def test_the_dashboard_has_every_chart_once_in_full_rows() -> None:
    position = yaml.safe_load(dashboard())["position"]
    places = [each for each in position.values() if isinstance(each, dict) and each["type"] == "CHART"]
    assert sorted(each["meta"]["uuid"] for each in places) == sorted(each.uuid for each in CHARTS.values())
    for name in position["GRID_ID"]["children"]:
        assert sum(position[child]["meta"]["width"] for child in position[name]["children"]) == WIDTH
