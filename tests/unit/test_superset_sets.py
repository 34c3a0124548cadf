"""The generated datasets know each view as the migrations make it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from services.cli.generate.superset_sets import OWN_NAME, TIMES, columns_of, dataset

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
