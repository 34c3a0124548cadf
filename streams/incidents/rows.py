"""Incidents as rows of the store, for analysts: what the page shows of them. Pure; SQL as text.

Nothing in a row changes by time alone: where an incident stands now is asked when the row is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final

from schemas.base import EPOCH
from streams.incidents.incident import signs_of
from streams.incidents.listing import Listed

TABLE: Final = "incidents"
_AT: Final = "DateTime64(3, 'UTC')"
TYPES: Final[dict[str, str]] = {
    "account_id": "String",
    "incident_id": "String",
    "revision": "UInt64",
    "is_deleted": "UInt8",
    "digest": "UInt64",
    "event_id": "String",
    "level": "LowCardinality(String)",
    "severity": "Float64",
    "what": "String",
    "touchpoint_type": "LowCardinality(String)",
    "phase": "LowCardinality(String)",
    "tags": "Array(String)",
    "people": "UInt64",
    "signs": "UInt64",
    "evidence": "Array(String)",
    "pain": "Float64",
    "opened_at": _AT,
    "pained_at": _AT,
    "over_at": _AT,
    "taken_by": "String",
    "taken_at": _AT,
    "assigned_by": "String",
    "silenced_until": _AT,
    "silenced_by": "String",
    "done_by": "String",
    "done_at": _AT,
    "told_at": _AT,
    "channels": "Array(String)",
}
"""Column → type, in the order in which they are written."""
_BLANK: Final[dict[str, Any]] = {
    "String": "",
    "LowCardinality(String)": "",
    "Array(String)": (),
    "UInt8": 0,
    "UInt64": 0,
    "Float64": 0.0,
    _AT: EPOCH,
}
KEPT: Final = f"""
SELECT
    account_id, incident_id, max(revision) AS version, argMax(digest, revision) AS digest,
    argMax(is_deleted, revision) AS is_gone, argMax(pained_at, revision) AS pained_at
FROM {TABLE} WHERE account_id IN {{accounts:Array(String)}} GROUP BY account_id, incident_id
"""
"""What the table has of some accounts, with what it had: a row that comes back must be later than its withdrawal."""
PAINS: Final = """
SELECT account_id, event_id, pain FROM touchpoints FINAL
WHERE account_id IN {accounts:Array(String)} AND on_map AND pain > 0
"""
Row = dict[str, Any]
Key = tuple[str, str]
"""(account, incident)."""


def row_of(account_id: str, one: Listed, pains: Mapping[str, float]) -> Row:
    """`pains`: touchpoint → its pain. The revision is left to `changes`."""
    incident, standing, lead = one.incident, one.standing, one.incident.lead
    evidence = tuple(dict.fromkeys(event for part in incident.parts for event in part.proof))
    row: Row = {
        "account_id": account_id,
        "incident_id": one.incident_id,
        "is_deleted": 0,
        "event_id": incident.events[0],
        "level": one.level,
        "severity": incident.severity,
        "what": lead.words,
        "touchpoint_type": lead.touchpoint_type,
        "phase": lead.phase,
        "tags": incident.tags,
        "people": len({part.person_id for part in incident.roots} - {""}),
        "signs": len(signs_of(incident.roots)),
        "evidence": evidence,
        "pain": sum(pains.get(event, 0.0) for event in evidence),
        "opened_at": incident.opened_at,
        "pained_at": incident.pained_at,
        "over_at": incident.over_at() or EPOCH,
        "taken_by": standing.taken_by,
        "taken_at": standing.taken_at or EPOCH,
        "assigned_by": standing.assigned_by,
        "silenced_until": standing.silenced_until or EPOCH,
        "silenced_by": standing.silenced_by,
        "done_by": standing.done_by,
        "done_at": standing.done_at or EPOCH,
        "told_at": (one.thread.told_at if one.thread else None) or EPOCH,
        "channels": one.thread.channels if one.thread else (),
    }
    return row | {"digest": int.from_bytes(blake2b(repr(row).encode(), digest_size=8).digest())}


def changes(rows: Iterable[Row], kept: Iterable[Mapping[str, Any]], now: datetime) -> list[Row]:
    """What must be written so that the store has these rows, and of what it keeps no other. Nothing where it has."""
    there: dict[Key, Mapping[str, Any]] = {(str(row["account_id"]), str(row["incident_id"])): row for row in kept}
    at_ms = int(now.timestamp() * 1000)
    found: list[Row] = []
    for row in rows:
        before = there.pop((row["account_id"], row["incident_id"]), None)
        if before is None or before["is_gone"] or before["digest"] != row["digest"]:
            found.append(row | {"revision": _after(before, at_ms)})
    return [*found, *_withdrawn(there, at_ms)]


def _withdrawn(there: Mapping[Key, Mapping[str, Any]], at_ms: int) -> Iterator[Row]:
    """Rows that say that there is no such incident. They say nothing else of it, but when they may be forgotten."""
    blank = {name: _BLANK[kind] for name, kind in TYPES.items()}
    for (account_id, incident_id), before in there.items():
        if before["is_gone"]:
            continue
        mine = {"account_id": account_id, "incident_id": incident_id, "pained_at": before["pained_at"]}
        yield blank | mine | {"is_deleted": 1, "revision": _after(before, at_ms)}


def _after(before: Mapping[str, Any] | None, at_ms: int) -> int:
    """Later than what it replaces, even where the clock of whoever wrote that was ahead."""
    return max(at_ms, int(before["version"]) + 1) if before else at_ms


def columns(rows: list[Row]) -> dict[str, list[Any]]:
    """Rows as a block to insert."""
    return {name: [row[name] for row in rows] for name in TYPES}
