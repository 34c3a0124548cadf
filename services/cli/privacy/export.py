"""`touchline person export`: all that is known of one person, as one JSON document."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from schemas.touchpoints import AttributedTouchpoint
from services.cli.commands.identity import identify
from services.common.linked import LinkSource
from streams.identity.directories import Directories
from streams.runtime.clickhouse import query_rows

Export = dict[str, Any]
_OF_IDENTITY: Final = ("edges", "memberships", "declared", "decisions", "proposals")
_CONCLUDED: Final = ("account_id", "touchpoint_type", "phase", "persona", "friction_rules", "pain")
_ROWS: Final = """
SELECT t.event_id AS event_id, t.account_id AS account_id, t.phase AS phase, t.persona AS persona,
  t.touchpoint_type AS touchpoint_type, t.has_emotion AS has_emotion, t.emotion AS emotion, t.pain AS pain,
  t.friction_rules AS friction_rules, h.payload AS payload
FROM touchpoints AS t FINAL INNER JOIN (SELECT account_id, event_id, payload FROM histories FINAL) AS h
  ON h.account_id = t.account_id AND h.event_id = t.event_id
WHERE t.person_id = {person:String} ORDER BY t.occurred_at, t.event_id
"""
_SIGNALS: Final = """
SELECT signal_id, account_id, rule, polarity, severity, event_id, touchpoint_type, phase, opened_at, is_closed,
  closed_at, explanation, case_id
FROM signals FINAL WHERE person_id = {person:String} ORDER BY opened_at, signal_id
"""
_INCIDENTS: Final = """
SELECT signal_id, account_id, rule, severity, opened_at, explanation FROM signals FINAL
WHERE signal_id IN (SELECT case_id FROM signals FINAL WHERE person_id = {person:String} AND case_id != '')
ORDER BY opened_at, signal_id
"""


def export(client: Client, source: LinkSource, asked: str, now: datetime, directories: Directories) -> Export:
    """Touchpoints with what was concluded from each, ids and why they are theirs, signals. `found` is False for nobody.

    Raises UsageError for what names nobody, StoreUnavailable.
    """
    identity = identify(source, asked, now, directories)
    if not identity["found"]:
        return {"asked": asked, "found": False}
    person = {"person": identity["person_id"]}
    touchpoints = [_touchpoint(row) for row in query_rows(client, _ROWS, person)]
    # the domain of an address may be known, and nothing of who has it
    if not (touchpoints or any(identity[kind] for kind in _OF_IDENTITY)):
        return {"asked": asked, "found": False}
    return {
        "asked": asked,
        "found": True,
        "exported_at": now,
        "identity": {key: value for key, value in identity.items() if key not in ("asked", "found")},
        "touchpoints": touchpoints,
        "signals": [_signal(row) for row in query_rows(client, _SIGNALS, person)],
        "incidents": query_rows(client, _INCIDENTS, person),
    }


def _touchpoint(row: dict[str, object]) -> Export:
    item = AttributedTouchpoint.decoded(str(row["payload"]))
    fields: Export = item.touchpoint.fields()
    concluded = {name: row[name] for name in _CONCLUDED} | {"emotion": row["emotion"] if row["has_emotion"] else None}
    return fields | {"concluded": concluded, "attribution": item.attribution.fields()}


def _signal(row: dict[str, object]) -> Export:
    closed_at = row["closed_at"] if row["is_closed"] else None
    return {name: value for name, value in row.items() if name != "is_closed"} | {"closed_at": closed_at}
