"""The operations dashboard of Grafana, as data: `touchline generate dashboards` writes its JSON.

Panels ask either Prometheus (how the pipeline does) or ClickHouse (what it stored); every ClickHouse query reads the
`bi` views only, as the user `reader` may, and is run in the tests.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

TITLE, UID = "Touchline operations", "touchline-operations"
PROMETHEUS = {"type": "prometheus", "uid": "touchline-prometheus"}
CLICKHOUSE = {"type": "grafana-clickhouse-datasource", "uid": "touchline-clickhouse"}
_COLUMNS, _HEIGHT = 24, 8
_SERIES, _TABLE = 0, 1  # the ClickHouse plugin's `format`


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. `legend` is for Prometheus; in a time series the first column of `query` is called `time`."""

    title: str
    kind: Literal["timeseries", "stat", "table", "barchart"]
    source: Literal["prometheus", "clickhouse"]
    query: str
    help: str
    unit: str = "short"
    legend: str = ""
    width: int = 8


PANELS: tuple[Panel, ...] = (
    Panel("Services up", "stat", "prometheus", 'sum(up{job="touchline"})', "Processes that answer."),
    Panel(
        "Open alerts", "stat", "prometheus", 'count(ALERTS{alertstate="firing"}) or vector(0)', "Rules that fire now."
    ),
    Panel(
        "Silence of the quietest source",
        "stat",
        "clickhouse",
        "SELECT max(silent_for_s) AS silent_for_s FROM bi.freshness",
        "Seconds since it last sent. Look here before trusting a quiet number.",
        unit="s",
    ),
    Panel(
        "Requests by answer",
        "timeseries",
        "prometheus",
        "sum by (status) (rate(touchline_gateway_requests_total[5m]))",
        "503 means that Kafka did not acknowledge; senders try again.",
        unit="reqps",
        legend="{{status}}",
    ),
    Panel(
        "Records behind",
        "timeseries",
        "prometheus",
        "sum by (stage) (touchline_consumer_lag_records)",
        "Late, not lost, until Kafka's retention ends.",
        legend="{{stage}}",
    ),
    Panel(
        "Waits for a dependency",
        "timeseries",
        "prometheus",
        "sum by (stage) (rate(touchline_stage_retries_total[5m]))",
        "A stage that waits for Kafka or ClickHouse goes on by itself.",
        legend="{{stage}}",
    ),
    Panel(
        "Touchpoints stored",
        "timeseries",
        "clickhouse",
        "SELECT $__timeInterval(received_at) AS time, source, count() AS touchpoints FROM bi.touchpoints"
        " WHERE $__timeFilter(received_at) GROUP BY time, source ORDER BY time",
        "By the time of receipt; each event once, however often it was sent.",
    ),
    Panel(
        "Way from receipt to store, 95th percentile",
        "timeseries",
        "clickhouse",
        "SELECT $__timeInterval(received_at) AS time,"
        " quantile(0.95)(dateDiff('millisecond', received_at, written_at)) / 1000 AS p95_s FROM bi.touchpoints"
        " WHERE $__timeFilter(received_at) GROUP BY time ORDER BY time",
        "Of the rows as they stand: a touchpoint that was corrected later counts with its latest write.",
        unit="s",
    ),
    Panel(
        "Friction signals",
        "timeseries",
        "clickhouse",
        "SELECT $__timeInterval(opened_at) AS time, rule, count() AS signals FROM bi.signals"
        " WHERE polarity = 'friction' AND $__timeFilter(opened_at) GROUP BY time, rule ORDER BY time",
        "Painful moments by the rule that found them.",
    ),
    Panel(
        "Most painful touchpoints, 30 days",
        "table",
        "clickhouse",
        "SELECT phase, touchpoint_type, moment_of_truth, volume, accounts, friction_rate, pain_index"
        " FROM bi.journey_map ORDER BY pain_index DESC LIMIT 15",
        "0 to 100: mean pain, weighted by importance, less for small volumes.",
        width=12,
    ),
    Panel(
        "Dead letters",
        "timeseries",
        "prometheus",
        "sum by (stage, reason) (increase(touchline_dead_letters_total[15m]))",
        "What could not be processed is kept: `touchline dlq ls`.",
        legend="{{stage}} {{reason}}",
        width=6,
    ),
    Panel(
        "Corrections",
        "timeseries",
        "clickhouse",
        "SELECT $__timeInterval(corrected_at) AS time, cause, count() AS corrections FROM bi.corrections"
        " WHERE $__timeFilter(corrected_at) GROUP BY time, cause ORDER BY time",
        "What late events, merged identities and new blueprints changed after the fact.",
        width=6,
    ),
)


def _target(panel: Panel) -> dict[str, Any]:
    if panel.source == "prometheus":
        return {"refId": "A", "datasource": PROMETHEUS, "expr": panel.query, "legendFormat": panel.legend}
    series = panel.kind == "timeseries"
    return {
        "refId": "A",
        "datasource": CLICKHOUSE,
        "editorType": "sql",
        "queryType": "timeseries" if series else "table",
        "format": _SERIES if series else _TABLE,
        "rawSql": panel.query,
    }


def _places(panels: Sequence[Panel]) -> Iterator[dict[str, int]]:
    """Left to right, then the next row."""
    x = y = 0
    for panel in panels:
        if x + panel.width > _COLUMNS:
            x, y = 0, y + _HEIGHT
        yield {"x": x, "y": y, "w": panel.width, "h": _HEIGHT}
        x += panel.width


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard. `since`: what its time range begins with."""

    uid: str
    title: str
    panels: tuple[Panel, ...]
    since: str = "now-6h"
    refresh: str = "30s"


OPERATIONS = Board(UID, TITLE, PANELS)


def dashboard(board: Board = OPERATIONS) -> dict[str, Any]:
    """The dashboard as Grafana provisions it."""
    panels = board.panels
    return {
        "uid": board.uid,
        "title": board.title,
        "schemaVersion": 39,
        "editable": False,
        "refresh": board.refresh,
        "time": {"from": board.since, "to": "now"},
        "timezone": "utc",
        "panels": [
            {
                "id": number,
                "title": panel.title,
                "description": panel.help,
                "type": panel.kind,
                "datasource": PROMETHEUS if panel.source == "prometheus" else CLICKHOUSE,
                "gridPos": place,
                "fieldConfig": {"defaults": {"unit": panel.unit}, "overrides": []},
                "options": {},
                "targets": [_target(panel)],
            }
            for number, (panel, place) in enumerate(zip(panels, _places(panels), strict=True), 1)
        ],
    }


def rendered(board: Board = OPERATIONS) -> str:
    """The dashboard's file."""
    return json.dumps(dashboard(board), indent=2, sort_keys=True) + "\n"
