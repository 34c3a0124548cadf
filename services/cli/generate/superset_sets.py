"""Datasets for Superset: each view with its time under a name that no column has, and with what is measured of it.

A ClickHouse server takes a name that is both a column and an alias for the column: a chart over `occurred_at` would be
one of raw stamps. Here `event_time` stands for it, and the columns themselves are no times to Superset, so no chart
takes them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final
from uuid import UUID, uuid5

import yaml

from services.sink.views import VIEWS_DIR

FOLDER: Final = Path("infra/superset")
OWN_NAME: Final = "event_time"
#: View → the time its rows are about.
TIMES: Final = {
    "account_phases": "changed_at",
    "accounts": "first_seen_at",
    "alerts_sent": "sent_at",
    "cases": "opened_at",
    "compounds": "opened_at",
    "corrections": "corrected_at",
    "deal_stages": "entered_at",
    "directory": "since",
    "incidents": "opened_at",
    "journey_map_daily": "event_date",
    "opportunities": "opened_at",
    "pain_daily": "event_date",
    "people": "first_seen_at",
    "proposals": "since",
    "quotes": "occurred_at",
    "sessions": "started_at",
    "signals": "opened_at",
    "tickets": "created_at",
    "touchpoints": "occurred_at",
    "traffic": "event_date",
}
#: Views of what is now: without a time of their own.
TIMELESS: Final = ("funnel", "paths", "source_health")
#: View → measure → what it is; `count` is in all. None is wrong whatever it is grouped by.
MEASURES: Final[dict[str, dict[str, str]]] = {
    "accounts": {"accounts": "count()", "revenue": "sum(annual_revenue)", "pain_of_30_days": "sum(pain_30d)"},
    "alerts_sent": {"messages": "uniqExactIf(notice_id, is_sent)", "given_up": "countIf(outcome = 'gave_up')"},
    "incidents": {
        "open_now": "countIf(is_open)",
        "nobody_has": "countIf(state = 'open')",
        "pain": "sum(pain_sum)",
    },
    "opportunities": {"amounts": "sum(amount)"},
    "pain_daily": {
        "pain": "sum(pain_sum)",
        "friction_share": "sum(friction_touchpoints) / sum(touchpoints)",
        "mean_emotion": "sum(emotion_sum) / nullIf(sum(emotion_count), 0)",
    },
    "people": {"pain": "sum(pain_sum)", "mean_emotion": "sum(emotion_sum) / nullIf(sum(emotion_count), 0)"},
    "sessions": {"friction_share": "countIf(friction_touchpoints > 0) / count()", "pain": "sum(pain_sum)"},
    "tickets": {
        "first_reply_h": "medianExact(toFloat64(first_reply_s)) / 3600",
        "resolution_h": "medianExact(toFloat64(resolution_s)) / 3600",
        "reopened_share": "countIf(reopened > 0) / count()",
    },
    "touchpoints": {
        "accounts": "uniqExact(account_id)",
        "people": "uniqExactIf(person_id, person_id != '')",
        "friction_share": "countIf(friction > 0) / count()",
        "pain": "sum(pain)",
        "mean_emotion": "sum(emotion_sum) / nullIf(sum(emotion_count), 0)",
    },
}
DATABASE_UUID: Final = "6f1c4f5e-4f0e-5c55-9b43-0c1f6a3a9d01"
_VIEW: Final = re.compile(r"CREATE OR REPLACE VIEW \{bi\}\.\w+ [^(]*\((.*?)\n\)\n", re.S)
_COLUMN: Final = re.compile(r"^ {4}(\w+) +(.+?) COMMENT '((?:[^'\\]|\\.|'')*)',?$", re.M)


def metadata() -> str:
    """The file by which Superset knows what is imported."""
    return _text({"version": "1.0.0", "type": "Dashboard", "timestamp": "2026-01-01T00:00:00+00:00"})


def database() -> str:
    """The connection; its address and password are given at the import.

    Superset's "Group remaining as Others" asks whether a joined name is NULL, so joins must give NULL.
    """
    uri = "clickhousedb://reader:XXXXXXXXXX@clickhouse:8123/bi"
    extra = {"engine_params": {"connect_args": {"join_use_nulls": "1"}}}
    named: dict[str, object] = {"database_name": "Touchline", "sqlalchemy_uri": uri, "extra": extra}
    return _text(named | {"uuid": DATABASE_UUID, "version": "1.0.0"})


def dataset(view: str) -> str:
    """One view of `TIMES` or `TIMELESS`, as Superset's import reads it."""
    columns: list[dict[str, object]] = [
        {"column_name": name, "type": kind, "is_dttm": False, "description": comment.replace("''", "'")}
        for name, kind, comment in columns_of(view)
    ]
    measures = {"count": "COUNT(*)"} | MEASURES.get(view, {})
    return _text(
        {
            "table_name": view,
            "schema": "bi",
            "main_dttm_col": OWN_NAME if view in TIMES else None,
            "columns": [*_own_time(view, columns), *columns],
            "metrics": [{"metric_name": name, "expression": expression} for name, expression in measures.items()],
            "uuid": str(uuid5(UUID(DATABASE_UUID), view)),
            "database_uuid": DATABASE_UUID,
            "version": "1.0.0",
        }
    )


def _own_time(view: str, columns: list[dict[str, object]]) -> list[dict[str, object]]:
    return [
        column | {"column_name": OWN_NAME, "expression": TIMES[view], "is_dttm": True}
        for column in columns
        if column["column_name"] == TIMES.get(view)
    ]


def columns_of(view: str) -> list[tuple[str, str, str]]:
    """Name, type and comment of each column of the view."""
    made = _VIEW.search((VIEWS_DIR / f"{view}.sql").read_text(encoding="utf-8"))
    return _COLUMN.findall(made[1]) if made else []


def _text(value: dict[str, object]) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=120)
