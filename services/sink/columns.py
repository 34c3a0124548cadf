"""The columns of every table that the sink writes, with their types.

The lists are the schema's (a test compares them with ClickHouse's), never the first row's. A row names its columns. One
with others than `TABLES` has is refused, so a column that is added in one place only fails at once. Columns with a
server-side default (`written_at`) are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Final

Row = dict[str, object]
"""Column → value. Which columns a table has says `TABLES` alone; `columns` refuses a row with others."""
Types = Mapping[str, str]

_TEXT: Final = "String"
_WORD: Final = "LowCardinality(String)"
_TIME: Final = "DateTime64(3, 'UTC')"

TABLES: Final[Mapping[str, Types]] = {
    "touchpoints": {
        "minute": "DateTime('UTC')",
        **dict.fromkeys(("account_id", "event_id"), _TEXT),
        "revision": "UInt64",
        "is_deleted": "UInt8",
        **dict.fromkeys(("occurred_at", "received_at"), _TIME),
        **dict.fromkeys(("source", "vendor", "vendor_type"), _WORD),
        "vendor_event_id": _TEXT,
        **dict.fromkeys(("action", "touchpoint_type", "phase", "home_phase"), _WORD),
        **dict.fromkeys(("persona", "segment", "channel"), _WORD),
        **dict.fromkeys(("on_map", "moment_of_truth", "importance"), "UInt8"),
        "person_id": _TEXT,
        "account_method": _WORD,
        "account_confidence": "Float64",
        "has_emotion": "UInt8",
        "emotion": "Float64",
        "friction": "UInt16",
        "friction_rules": "Array(LowCardinality(String))",
        "delight": "UInt16",
        "pain": "Float64",
        **dict.fromkeys(("session_id", "page", "element", "subject", "title", "text"), _TEXT),
        "score": "Float64",
        "score_kind": _WORD,
        **dict.fromkeys(("clock_suspect", "backfill"), "UInt8"),
        "blueprint_version": "UInt32",
        "properties": _TEXT,
        **dict.fromkeys(("traffic", "url_host", "agent", "agent_kind", "device"), _WORD),
        **dict.fromkeys(("utm_source", "utm_medium", "utm_campaign"), _WORD),
        **dict.fromkeys(("utm_term", "utm_content"), _TEXT),
        **dict.fromkeys(("referrer_host", "browser", "country"), _WORD),
        "friction_signals": "Array(String)",
        "read_anew": "UInt8",
    },
    "histories": {
        **dict.fromkeys(("account_id", "event_id"), _TEXT),
        "revision": "UInt64",
        "is_deleted": "UInt8",
        **dict.fromkeys(("occurred_at", "received_at"), _TIME),
        **dict.fromkeys(("knowledge", "digest"), "UInt64"),
        "payload": _TEXT,
    },
    "signals": {
        **dict.fromkeys(("account_id", "signal_id"), _TEXT),
        "revision": "UInt64",
        "is_deleted": "UInt8",
        "digest": "UInt64",
        "rule": _WORD,
        "rule_version": "UInt32",
        "polarity": _WORD,
        "severity": "Float64",
        **dict.fromkeys(("event_id", "person_id"), _TEXT),
        **dict.fromkeys(("touchpoint_type", "phase"), _WORD),
        "opened_at": _TIME,
        "is_closed": "UInt8",
        "closed_at": _TIME,
        "evidence": "Array(String)",
        "evidence_count": "UInt32",
        "explanation": _TEXT,
        "case_id": _TEXT,
        "parts": "Array(String)",
        "explanation_coded": _TEXT,
    },
    "account_journeys": {
        "account_id": _TEXT,
        "revision": "UInt64",
        "is_deleted": "UInt8",
        "digest": "UInt64",
        "name": _TEXT,
        "phase": _WORD,
        "phase_since": _TIME,
        **dict.fromkeys(("high_water_phase", "segment"), _WORD),
        "traits": _TEXT,
        **dict.fromkeys(("touchpoints", "on_map_touchpoints", "people", "friction_signals"), "UInt64"),
        **dict.fromkeys(("first_seen_at", "last_seen_at"), _TIME),
        **dict.fromkeys(("transitions", "opportunities", "committee"), _TEXT),
        "committee_completeness": "Float64",
        "blueprint_version": "UInt32",
        "blueprint_digest": "UInt64",
        **dict.fromkeys(("next_deadline_at", "as_of"), _TIME),
    },
    "corrections": {
        **dict.fromkeys(("account_id", "correction_id"), _TEXT),
        "corrected_at": _TIME,
        **dict.fromkeys(("cause", "what"), _TEXT),
        **dict.fromkeys(
            ("touchpoints_changed", "touchpoints_removed", "signals_changed", "signals_withdrawn"), "UInt64"
        ),
        **dict.fromkeys(("cause_coded", "what_coded"), _TEXT),
    },
    "source_freshness": {
        "source": _WORD,
        **dict.fromkeys(
            ("last_occurred_at", "last_received_at", "last_written_at"),
            f"SimpleAggregateFunction(max, {_TIME})",
        ),
    },
    "proposals": {
        "proposal_id": _TEXT,
        "revision": "UInt64",
        "kind": _WORD,
        **dict.fromkeys(("a", "b", "reason", "evidence"), _TEXT),
        "confidence": "Float64",
        "since": _TIME,
        "status": _WORD,
        "by": _TEXT,
        "decided_at": _TIME,
    },
    "ignored": {
        "received_at": _TIME,
        **dict.fromkeys(("source", "reason"), _WORD),
        "request_id": _TEXT,
        "messages": "UInt32",
    },
    "links": {"link_id": _TEXT, "position": "UInt64", "kind": _WORD, "payload": _TEXT},
    "deliveries": {
        "at": _TIME,
        **dict.fromkeys(("notice_id", "incident_id", "account_id"), _TEXT),
        **dict.fromkeys(("policy", "kind", "level", "channel", "outcome"), _WORD),
        "attempt": "UInt32",
        "answer": _TEXT,
        "position": "UInt64",
    },
}
"""Table → column → type, in the order in which the sink writes tables and columns."""


def columns(table: str, rows: Sequence[Row]) -> dict[str, Sequence[object]]:
    """The rows turned into columns of `table`. Every row must have them all and no other, else ValueError."""
    names = TABLES[table]
    if odd := next((row for row in rows if row.keys() != names.keys()), None):
        raise ValueError(f"{table}: a row has other columns than the table: {sorted(odd.keys() ^ names.keys())}")
    return dict(zip(names, zip(*map(itemgetter(*names), rows), strict=True), strict=True))
