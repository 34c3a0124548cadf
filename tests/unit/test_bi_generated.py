"""What is generated for Grafana and dbt names views and columns that there are."""

from __future__ import annotations

import re

import pytest
import yaml

from services.alerting.prometheus.board import CLICKHOUSE, Board, Panel, dashboard
from services.cli.generate import dbt_sources, grafana_boards
from services.cli.generate.command import GENERATED, GROUPS, ROOT, generate
from services.sink.views import load_views

VIEWS = {view.name for view in load_views()}


def test_dbt_knows_every_view_with_its_columns_and_what_they_mean() -> None:
    (source,) = yaml.safe_load(dbt_sources.sources())["sources"]
    assert source["schema"] == "bi" and {table["name"] for table in source["tables"]} == VIEWS
    for table in source["tables"]:
        assert table["description"] and table["columns"], table["name"]
        assert all(column["description"] and column["data_type"] for column in table["columns"]), table["name"]
        assert table.get("loaded_at_field") in {None, *(column["name"] for column in table["columns"])}


def test_every_exposure_draws_from_views_that_there_are() -> None:
    exposures = yaml.safe_load(dbt_sources.exposures())["exposures"]
    assert len({exposure["name"] for exposure in exposures}) == len(grafana_boards.BOARDS) + 1
    for exposure in exposures:
        named = [re.fullmatch(r"source\('touchline', '(\w+)'\)", each) for each in exposure["depends_on"]]
        assert named and {match[1] for match in named if match} <= VIEWS and all(named), exposure["name"]


@pytest.mark.parametrize("board", grafana_boards.BOARDS.values(), ids=list(grafana_boards.BOARDS))
def test_a_board_reads_views_alone_through_the_readers_connection(board: Board) -> None:
    made = dashboard(board)
    assert made["uid"] == board.uid and not made["editable"]
    for panel in made["panels"]:
        assert panel["datasource"] == CLICKHOUSE and panel["description"]
    for panel in board.panels:
        assert strange(panel) == set(), panel.title


def strange(panel: Panel) -> set[str]:
    """What a panel reads that is no view."""
    read = set(re.findall(r"(?:FROM|JOIN)\s+([\w.]+)", panel.query))
    return read - {f"bi.{view}" for view in VIEWS}


def test_a_panel_that_reads_a_table_would_be_seen() -> None:
    bad = Panel("x", "table", "clickhouse", "SELECT 1 FROM bi.accounts JOIN touchline.links ON 1", "y")
    assert strange(bad) == {"touchline.links"}


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_is_all_that_begins_with_its_name_and_is_as_committed(group: str) -> None:
    assert generate(group, check=True, root=ROOT) == []
    assert sum(name.startswith(f"{group}-") for name in GENERATED) > 3
