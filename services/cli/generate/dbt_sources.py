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
#: View → the column that names one of its rows, where one does: `dbt test` checks that. Not of views that grow with
#: every touchpoint: a reader's memory is not enough to look at each id of millions.
KEYS: Final = {
    "accounts": "account_id",
    "cases": "case_id",
    "funnel": "phase",
    "incidents": "incident_id",
    "opportunities": "opportunity_id",
    "people": "person_id",
    "personas": "persona",
    "phases": "phase",
    "source_health": "source",
    "tickets": "ticket_id",
    "touchpoint_types": "touchpoint_type",
}
_FRESH: Final = {"warn_after": {"count": 1, "period": "day"}, "error_after": {"count": 3, "period": "day"}}
_OWNER: Final = {"name": "Touchline", "email": "touchline@example.com"}


def project() -> str:
    """`dbt_project.yml`: copy the folder, or only `models/touchline`, into a project of yours."""
    return _text({"name": "touchline", "version": "1.0.0", "profile": "touchline", "model-paths": ["models"]})


def profile() -> str:
    """A connection of dbt-clickhouse as the reader, whose only schema is `bi`; models need a user that may write."""
    output = {
        "type": "clickhouse",
        "driver": "http",
        "host": "{{ env_var('TOUCHLINE_SQL_HOST', '127.0.0.1') }}",
        "port": "{{ env_var('TOUCHLINE_SQL_PORT', '8123') | int }}",
        "user": "{{ env_var('TOUCHLINE_SQL_USER', 'reader') }}",
        "password": "{{ env_var('TOUCHLINE_SQL_PASSWORD', '') }}",
        "schema": "{{ env_var('TOUCHLINE_DBT_SCHEMA', 'bi') }}",
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
    if name == "touchpoints":
        made["config"] = {"freshness": _FRESH}
    return made | {"columns": [_column(name, *about) for about in columns_of(name)]}


def _column(view: str, name: str, kind: str, about: str) -> dict[str, Any]:
    checks = {"data_tests": ["unique", "not_null"]} if KEYS.get(view) == name else {}
    return {"name": name, "data_type": kind, "description": _plain(about), **checks}


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
