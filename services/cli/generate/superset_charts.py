"""Charts and the dashboard for Superset, on the datasets beside them. A chart is a form and the query that it makes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID, uuid5

import yaml

from services.cli.generate.superset_sets import DATABASE_UUID, OWN_NAME

WIDTH: Final = 12
HEIGHT: Final = 50
_DASHBOARD: Final = str(uuid5(UUID(DATABASE_UUID), "dashboard"))


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart. `metrics` are the dataset's own; without any it shows rows, of `columns`."""

    title: str
    view: str
    kind: str
    columns: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    grain: str = ""
    """ISO 8601 duration: over time, by the dataset's time."""
    where: str = ""
    order: str = ""
    """Column or metric, the largest first."""
    limit: int = 1000
    wide: int = 6

    @property
    def uuid(self) -> str:
        return str(uuid5(UUID(DATABASE_UUID), f"chart {self.title}"))


CHARTS: Final = {
    "touchpoints_by_day": Chart(
        "Contact moments by day", "touchpoints", "echarts_timeseries_bar", metrics=("count",), grain="P1D",
        where="on_map",
    ),
    "friction_by_phase": Chart(
        "Friction by phase", "touchpoints", "table", columns=("phase_position", "phase_name"),
        metrics=("count", "friction_share", "mean_emotion", "accounts"), where="on_map",
    ),
    "pain_by_owner": Chart(
        "Pain by owner and week", "pain_daily", "echarts_timeseries_bar", columns=("owner_department",),
        metrics=("pain",), grain="P1W",
    ),
    "painful_touchpoints": Chart(
        "What hurts most", "pain_daily", "table", columns=("touchpoint_name", "owner_department"),
        metrics=("pain", "friction_share", "mean_emotion"), order="pain", limit=15,
    ),
    "accounts_at_risk": Chart(
        "Accounts at risk", "accounts", "table",
        columns=("account_name", "phase", "crm_owner", "annual_revenue", "pain_30d", "open_incidents", "last_pain_at"),
        where="is_identified AND (pain_30d > 0 OR open_incidents > 0)", order="pain_30d", limit=25, wide=12,
    ),
    "funnel": Chart(
        "How far accounts have come", "funnel", "table",
        columns=("position", "phase_name", "accounts_reached", "share_of_previous", "accounts_now"),
    ),
    "first_replies": Chart(
        "Tickets and their first reply", "tickets", "echarts_timeseries_line", metrics=("first_reply_h", "count"),
        grain="P1W",
    ),
    "sources": Chart(
        "Sources", "source_health", "table",
        columns=("source", "last_received_at", "silent_for_s", "touchpoints_24h", "unmapped_24h", "ignored_24h"),
        wide=12,
    ),
}  # fmt: skip
"""File → chart, in the order in which they stand."""


def chart(name: str) -> str:
    """One of `CHARTS`, as Superset's import reads it."""
    made = CHARTS[name]
    return _text(
        {
            "slice_name": made.title,
            "viz_type": made.kind,
            "params": _form(made),
            "query_context": json.dumps(_context(made)),
            "cache_timeout": None,
            "uuid": made.uuid,
            "version": "1.0.0",
            "dataset_uuid": str(uuid5(UUID(DATABASE_UUID), made.view)),
        }
    )


def dashboard() -> str:
    """All charts, filled into rows from the top."""
    position: dict[str, Any] = {
        "DASHBOARD_VERSION_KEY": "v2",
        "ROOT_ID": {"type": "ROOT", "id": "ROOT_ID", "children": ["GRID_ID"]},
        "HEADER_ID": {"type": "HEADER", "id": "HEADER_ID", "meta": {"text": "Customer journey"}},
    }
    rows: list[list[Chart]] = [[]]
    for each in CHARTS.values():
        if sum(other.wide for other in rows[-1]) + each.wide > WIDTH:
            rows.append([])
        rows[-1].append(each)
    names = [f"ROW-{number}" for number in range(len(rows))]
    position["GRID_ID"] = {"type": "GRID", "id": "GRID_ID", "children": names, "parents": ["ROOT_ID"]}
    for name, row in zip(names, rows, strict=True):
        position |= _row(name, row)
    return _text(
        {
            "dashboard_title": "Customer journey",
            "slug": "touchline",
            "uuid": _DASHBOARD,
            "position": position,
            "metadata": {},
            "version": "1.0.0",
        }
    )


def _row(name: str, row: list[Chart]) -> dict[str, Any]:
    above = ["ROOT_ID", "GRID_ID"]
    made: dict[str, Any] = {}
    for each in row:
        key = f"CHART-{each.uuid[:8]}"
        number = [*CHARTS.values()].index(each) + 1  # wanted by the import, which gives it another one
        meta = {"uuid": each.uuid, "chartId": number, "sliceName": each.title, "width": each.wide, "height": HEIGHT}
        made[key] = {"type": "CHART", "id": key, "children": [], "parents": [*above, name], "meta": meta}
    children = list(made)
    made[name] = {
        "type": "ROW",
        "id": name,
        "children": children,
        "parents": above,
        "meta": {"background": "BACKGROUND_TRANSPARENT"},
    }
    return made


def _form(made: Chart) -> dict[str, Any]:
    """What Superset's page shows as the chart's settings."""
    form: dict[str, Any] = {
        "viz_type": made.kind,
        "row_limit": made.limit,
        "adhoc_filters": [
            *({"clause": "WHERE", "expressionType": "SQL", "sqlExpression": part} for part in (made.where,) if part)
        ],
    }
    if made.grain:
        over_time = {"x_axis": OWN_NAME, "time_grain_sqla": made.grain, "groupby": list(made.columns)}
        return form | over_time | {"metrics": list(made.metrics)}
    if not made.metrics:
        order = [json.dumps([made.order, False])] if made.order else []
        return form | {"query_mode": "raw", "all_columns": list(made.columns), "order_by_cols": order}
    rows = {"query_mode": "aggregate", "groupby": list(made.columns), "metrics": list(made.metrics)}
    return form | rows | ({"timeseries_limit_metric": made.order, "order_desc": True} if made.order else {})


def _context(made: Chart) -> dict[str, Any]:
    """What it asks; the import puts the dataset's number in."""
    axis = {"columnType": "BASE_AXIS", "sqlExpression": OWN_NAME, "label": OWN_NAME, "expressionType": "SQL"}
    columns: list[Any] = [axis | {"timeGrain": made.grain}] if made.grain else []
    query = {
        "columns": columns + list(made.columns),
        "metrics": list(made.metrics) or None,
        "filters": [],
        "extras": {"having": "", "where": f"({made.where})" if made.where else ""},
        "orderby": [[made.order, False]] if made.order else [],
        "row_limit": made.limit,
        "series_columns": list(made.columns) if made.grain else [],
    }
    return {
        "datasource": {"id": 0, "type": "table"},
        "force": False,
        "queries": [query],
        "form_data": _form(made),
        "result_format": "json",
        "result_type": "full",
    }


def _text(value: dict[str, object]) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=120)
