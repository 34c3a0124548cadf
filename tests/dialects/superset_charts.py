"""The statements of Superset's charts, made by Superset itself and the dialect of clickhouse-connect.

Needs no database and no part of Touchline, but 800 MB of packages, so it has an environment of its own. From the root:

    uv run --no-project --isolated --python 3.11 --with apache-superset==6.1.0 --with flask-caching==2.3.1 --with rich \
        --with cachetools --with pillow --with clickhouse-connect==1.12.0 python tests/dialects/superset_charts.py

It writes `tests/fixtures/statements/superset-VERSION-clickhouse-connect-VERSION.json`. The dialect of
clickhouse-connect 0.8 repeats an expression in GROUP BY, that of 1.12 names the alias: there is a file of each.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "fixtures" / "statements"
RANGE = "2026-01-01T10:00:00 : 2027-01-01T00:00:00"
COLUMNS = {
    "occurred_at": "DateTime64(3, 'UTC')",
    "event_date": "Date",
    "phase": "LowCardinality(String)",
    "account_id": "String",
    "emotion": "Nullable(Float64)",
    "pain": "Float64",
}


def _app(home: str) -> Any:
    config = Path(home) / "superset_config.py"
    config.write_text(f"SECRET_KEY = 'only here'\nSQLALCHEMY_DATABASE_URI = 'sqlite:///{home}/superset.db'\n")
    os.environ |= {"SUPERSET_HOME": home, "SUPERSET_CONFIG_PATH": str(config)}
    from superset.app import create_app

    return create_app()


def _dataset() -> Any:
    from flask_appbuilder import Model
    from superset import db
    from superset.connectors.sqla.models import SqlaTable, SqlMetric, TableColumn
    from superset.models.core import Database

    Model.metadata.create_all(db.engine)
    database = Database(database_name="touchline", sqlalchemy_uri="clickhousedb://reader@127.0.0.1:1/bi")
    dataset = SqlaTable(table_name="touchpoints", schema="bi", database=database, main_dttm_col="occurred_at")
    dataset.columns = [
        TableColumn(column_name=name, type=kind, is_dttm=kind.startswith("Date")) for name, kind in COLUMNS.items()
    ]
    # as in the generated datasets, for servers
    kind = COLUMNS["occurred_at"]
    dataset.columns.append(TableColumn(column_name="event_time", expression="occurred_at", type=kind, is_dttm=True))
    dataset.metrics = [SqlMetric(metric_name="count", expression="COUNT(*)")]
    db.session.add_all([database, dataset])
    db.session.commit()
    return dataset


def _axis(column: str, grain: str | None) -> dict[str, Any]:
    """The x axis of a chart."""
    axis = {"columnType": "BASE_AXIS", "sqlExpression": column, "label": column, "expressionType": "SQL"}
    return axis | ({"timeGrain": grain} if grain else {})


def _metric(function: str, column: str, label: str = "") -> dict[str, Any]:
    """A metric as it is made by dragging a column; `label` is what the user calls it."""
    chosen = {"expressionType": "SIMPLE", "column": {"column_name": column}, "aggregate": function}
    return chosen | {"label": label or f"{function}({column})", "hasCustomLabel": bool(label)}


def _chart(**more: Any) -> dict[str, Any]:
    within = {"col": "occurred_at", "op": "TEMPORAL_RANGE", "val": RANGE}
    plain = {"columns": [], "metrics": ["count"], "filters": [within], "orderby": [], "row_limit": 10_000}
    return plain | {"extras": {"having": "", "where": ""}} | more


def _charts(grains: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    for grain in grains:
        yield f"series {grain}", _chart(columns=[_axis("occurred_at", grain)], orderby=[["count", False]])
        yield f"dates {grain}", _chart(columns=[_axis("event_date", grain)], orderby=[["count", False]])
        own = {"col": "event_time", "op": "TEMPORAL_RANGE", "val": RANGE}
        yield (
            f"own name {grain}",
            _chart(columns=[_axis("event_time", grain)], filters=[own], orderby=[["count", False]]),
        )
        by_phase = [_axis("occurred_at", grain), "phase"]
        yield f"series by phase {grain}", _chart(columns=by_phase, series_columns=["phase"], series_limit=2)
        old = {"time_grain_sqla": grain, "having": "", "where": ""}
        yield f"granularity {grain}", _chart(granularity="occurred_at", is_timeseries=True, extras=old)
    day = _axis("occurred_at", "P1D")
    yield "ordered by time", _chart(columns=[day], orderby=[["occurred_at", True]])
    yield "mean and sum", _chart(metrics=[_metric("AVG", "emotion"), _metric("SUM", "pain")])
    yield (
        "sum with the name of its column",
        _chart(
            columns=["phase"],
            metrics=[_metric("SUM", "pain", "pain")],
            orderby=[[_metric("SUM", "pain", "pain"), False]],
        ),
    )
    yield "having", _chart(columns=[day], extras={"having": "COUNT(*) > 10", "where": ""})
    yield "rows", _chart(columns=["occurred_at", "phase"], metrics=[], orderby=[["occurred_at", False]])
    for time in ("occurred_at", "event_time"):
        yield from ((f"{name} by {time}", chart) for name, chart in _kinds(time))


def _kinds(time: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Other kinds of charts: what Superset leaves to the database; the rest of each is the work of pandas."""

    def within(period: str = RANGE) -> list[dict[str, Any]]:
        return [{"col": time, "op": "TEMPORAL_RANGE", "val": period}]

    def made(**more: Any) -> dict[str, Any]:
        return _chart(**({"filters": within()} | more))

    day, biggest, in_order = _axis(time, "P1D"), [["count", False]], [[time, True]]
    pain, mean, days = _metric("SUM", "pain"), _metric("AVG", "pain"), _metric("COUNT_DISTINCT", "event_date")
    yield "pivot", made(columns=["phase", day], metrics=["count", pain], orderby=biggest)
    yield "pivot, totals", made(metrics=["count", pain])
    yield "pivot, totals of rows", made(columns=["phase"], metrics=["count", pain])
    yield "time comparison", made(columns=[day], filters=within("2025-12-31T10:00:00 : 2026-01-01T10:00:00"))
    share = _custom("COUNT(*) * 100.0 / SUM(COUNT(*)) OVER ()", "share")
    yield "percent of total", made(columns=["phase"], metrics=[share], orderby=[[share, False]])
    rolling = _custom(f"AVG(COUNT(*)) OVER (ORDER BY {time} ROWS 1 PRECEDING)", "rolling")
    yield "rolling mean", made(columns=[day], metrics=[rolling])
    so_far = _custom(f"SUM(SUM(pain)) OVER (ORDER BY {time})", "so far")
    yield "cumulative", made(columns=[day], metrics=[so_far])
    top = {"series_columns": ["phase"], "series_limit": 1, "series_limit_metric": pain}
    yield "top 1", made(columns=[day, "phase"], **top)
    yield "top 1 and others", made(columns=[day, "phase"], group_others_when_limit_reached=True, **top)
    yield "histogram", made(columns=["pain"], metrics=[])
    yield "box plot", made(columns=["phase", day], metrics=[mean])
    yield "word cloud", made(columns=["phase"], metrics=[days], orderby=biggest)
    search = {"col": "phase", "op": "ILIKE", "val": "%A%"}
    yield "table with a search", made(columns=["phase", "pain"], metrics=[], filters=[*within(), search])
    yield "second page", made(columns=[time], metrics=[], orderby=in_order, row_limit=5, row_offset=5)
    chosen = [
        {"col": "phase", "op": "IN", "val": ["b", "it's"]},
        {"col": "pain", "op": ">=", "val": 1},
        {"col": "pain", "op": "<", "val": "2.5"},
        {"col": "emotion", "op": "IS NULL"},
    ]
    crossed = {"having": "", "where": "(phase NOT IN ('c')) AND (pain <> 2)"}
    yield "native and cross filters", made(columns=[day], filters=[*within(), *chosen], extras=crossed)


def _custom(sql: str, label: str) -> dict[str, Any]:
    """A metric in SQL of the user's own."""
    return {"expressionType": "SQL", "sqlExpression": sql, "label": label, "hasCustomLabel": True}


def main() -> int:
    """Write the file; what it holds is `name of the chart: its statement`."""
    with tempfile.TemporaryDirectory() as home, _app(home).app_context():
        from superset.common.chart_data import ChartDataResultType
        from superset.common.query_actions import get_query_results
        from superset.common.query_context_factory import QueryContextFactory

        dataset = _dataset()
        grains = [grain for grain in dataset.database.db_engine_spec.get_time_grain_expressions() if grain]
        source = {"id": dataset.id, "type": "table"}
        made = {}
        for name, chart in _charts(grains):
            context = QueryContextFactory().create(datasource=source, queries=[chart], form_data={})
            made[name] = get_query_results(ChartDataResultType.QUERY, context, context.queries[0], False)["query"]
    versions = {name: version(name) for name in ("apache-superset", "clickhouse-connect", "sqlalchemy")}
    name = f"superset-{versions['apache-superset']}-clickhouse-connect-{versions['clickhouse-connect']}.json"
    FOLDER.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"versions": versions, "statements": made}, indent=1, ensure_ascii=False)
    (FOLDER / name).write_text(text + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
