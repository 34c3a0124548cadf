"""A dbt project that names every view of `bi` as a source, with its columns, and who draws from which as exposures."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import yaml

from services.cli.generate import grafana_boards, superset_charts
from services.cli.generate.superset_sets import TIMES, columns_of
from services.sink.views import load_views

FOLDER: Final = Path("infra/dbt")
_VIEW_COMMENT: Final = re.compile(r"^COMMENT '((?:[^'\\]|\\.|'')*)'", re.M)
_READS: Final = re.compile(r"\bbi\.(\w+)")
_OWNER: Final = {"name": "Touchline", "email": "touchline@example.com"}


def project() -> str:
    """`dbt_project.yml`: copy the folder, or only `models/touchline`, into a project of yours."""
    return _text({"name": "touchline", "version": "1.0.0", "profile": "touchline", "model-paths": ["models"]})


def profile() -> str:
    """A connection of dbt-clickhouse as the reader; models need a user of yours that may write to a schema."""
    output = {
        "type": "clickhouse",
        "driver": "http",
        "host": "{{ env_var('TOUCHLINE_SQL_HOST', '127.0.0.1') }}",
        "port": "{{ env_var('TOUCHLINE_SQL_PORT', '8123') | int }}",
        "user": "{{ env_var('TOUCHLINE_SQL_USER', 'reader') }}",
        "password": "{{ env_var('TOUCHLINE_SQL_PASSWORD', '') }}",
        "schema": "{{ env_var('TOUCHLINE_DBT_SCHEMA', 'analytics') }}",
    }
    return _text({"touchline": {"target": "default", "outputs": {"default": output}}})


def sources() -> str:
    """Every view with its comments; `freshness` by its own time where its rows are about one."""
    tables = [_table(view.name, view.text) for view in load_views()]
    return _text({"version": 2, "sources": [{"name": "touchline", "schema": "bi", "tables": tables}]})


def exposures() -> str:
    """The dashboards that ship with Touchline, by the views they read."""
    boards = [
        _exposure(f"grafana_{name}", f"Grafana: {board.title}", (panel.query for panel in board.panels))
        for name, board in grafana_boards.BOARDS.items()
    ]
    drawn = (f"bi.{chart.view}" for chart in superset_charts.CHARTS.values())
    return _text(
        {"version": 2, "exposures": [*boards, _exposure("superset_touchline", "Superset: Customer journey", drawn)]}
    )


def _table(name: str, text: str) -> dict[str, Any]:
    comment = _VIEW_COMMENT.search(text)
    made: dict[str, Any] = {"name": name, "description": _plain(comment[1] if comment else "")}
    if name in TIMES:
        made["loaded_at_field"] = TIMES[name]
    columns = [
        {"name": column, "data_type": kind, "description": _plain(about)} for column, kind, about in columns_of(name)
    ]
    return made | {"columns": columns}


def _exposure(name: str, label: str, queries: Iterable[str]) -> dict[str, Any]:
    views = sorted({view for query in queries for view in _READS.findall(query)})
    return {
        "name": name,
        "label": label,
        "type": "dashboard",
        "owner": _OWNER,
        "depends_on": [f"source('touchline', '{view}')" for view in views],
    }


def _plain(comment: str) -> str:
    return comment.replace("''", "'")


def _text(value: dict[str, Any]) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=120)
