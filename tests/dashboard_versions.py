"""A store of a few rows that are known by heart, each with a version before it, and with rows that were taken back.

Whoever reads it without FINAL, from a minute too early, or one condition short, finds other figures.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from clickhouse_connect.driver.client import Client

from services.dashboard.scope import Range
from services.sink.days import roll_up
from tests.dashboard_seed import EPOCH, Row, _insert, _kept, correction, proposal, recompute
from tests.integration.test_dashboard_store import Commands


def at(clock: str, day: int = 10) -> datetime:
    """A moment of that day in March: `11:59`, `11:59:30`."""
    return datetime.fromisoformat(f"2026-03-{day:02}T{clock}").replace(tzinfo=UTC)


NOW = at("12:00:30")
SPAN = Range(at("10:00"), at("11:59"), 300)
LONG = Range(at("00:00", 9), at("11:59"), 7200)
"""With the whole day before."""
TABLES = (
    "touchpoints", "histories", "signals", "account_journeys", "journey_minutes", "incidents", "proposals",
    "corrections", "journey_days", "source_freshness",
)  # fmt: skip


def touched(event_id: str, account_id: str, clock: str, kind: str, **more: Any) -> Row:
    """A touchpoint of that time."""
    when = at(clock)
    row: Row = {
        "minute": when.replace(second=0), "account_id": account_id, "event_id": event_id, "revision": 2,
        "is_deleted": 0, "occurred_at": when, "received_at": when + timedelta(seconds=1), "source": "web",
        "vendor": "segment", "vendor_type": f"track:{kind}", "action": "custom", "touchpoint_type": kind,
        "phase": "purchase", "home_phase": "purchase", "persona": "end_user", "segment": "small", "channel": "web",
        "on_map": 1, "moment_of_truth": 0, "importance": 3, "person_id": "", "account_method": "crm_contact",
        "account_confidence": 0.9, "has_emotion": 0, "emotion": float("nan"), "friction": 0, "friction_rules": [],
        "delight": 0, "pain": 0.0, "page": "", "title": "", "text": "", "score": float("nan"), "score_kind": "",
        "blueprint_version": 1, "properties": "{}", "traffic": "", "url_host": "", "agent": "", "device": "desktop",
        "subject": "", "backfill": 0,
    }  # fmt: skip
    return row | more


def hurting(event_id: str, account_id: str, clock: str, kind: str, pain: float, rule: str, **more: Any) -> Row:
    """A touchpoint that carries friction."""
    return touched(
        event_id, account_id, clock, kind, friction=1, pain=pain, friction_rules=[rule], **more
    )  # fmt: skip


def felt(emotion: float, text: str = "") -> Row:
    """Fields of a touchpoint at which somebody says how they feel."""
    return {"has_emotion": 1, "emotion": emotion, "text": text}


BUYER: Row = {"persona": "economic_buyer", "segment": "enterprise", "person_id": "p1"}
BOT: Row = {"on_map": 0, "traffic": "bot", "agent": "Pry"}
TOUCHPOINTS = [
    # a minute before, and it came late
    hurting("e0", "crm:1", "09:59", "contract", 0.875, "low_score", **BUYER, received_at=at("11:20")),
    hurting("e1", "crm:1", "10:00", "contract", 0.5, "low_score", **BUYER, **felt(-0.5, "slow")),
    hurting("e2", "crm:1", "11:59:59", "contract", 0.25, "reopened", **BUYER, **felt(0.25, "fine"), channel="email"),
    # a minute after
    hurting("e3", "crm:1", "12:00", "contract", 0.875, "low_score", **BUYER | {"persona": ""}),
    touched("e4", "crm:2", "10:30", "webinar", phase="awareness", person_id="p2", delight=1, channel="phone"),
    hurting("e5", "crm:2", "11:00", "contract", 0.5, "reopened", person_id="p2", **felt(-0.25, "slow")),
    touched("e6", "anon:1", "10:31", "website_visit", phase="awareness", persona="", segment=""),
    hurting("e7", "anon:2", "10:32", "website_visit", 0.5, "low_score", phase="awareness", persona="", segment=""),
    touched("e8", "crm:3", "10:40", "complaint", phase="initiate", person_id="p3", **felt(-1.0, "angry")),
    # whose sender's clock is ahead
    touched("e9", "crm:2", "10:41", "odd", source="desk", vendor_type="track:Odd Thing", received_at=at("10:39")),
    touched("e10", "crm:3", "11:10", "webinar", phase="awareness", person_id="p1", persona="", backfill=1),
    touched("b0", "crm:2", "08:59", "website_visit", phase="awareness", **BOT),
    touched("b1", "crm:2", "10:10", "website_visit", phase="awareness", **BOT),
    touched("b2", "crm:2", "10:11", "website_visit", phase="awareness", **{**BOT, "agent": "Pro"}),
    touched("b3", "crm:1", "11:01", "contract", on_map=0, traffic="internal", url_host="localhost", agent="x"),
    touched("b4", "crm:2", "10:12", "crm_record", source="desk", **BOT),
]
"""What counts. Of each there is an older version, and `GONE` were there once."""
#: The same a day before, which is rolled up.
DAY_BEFORE = [
    row | {
        "event_id": f"d{row['event_id']}", "minute": row["minute"] - timedelta(days=1),
        "occurred_at": row["occurred_at"] - timedelta(days=1), "received_at": row["received_at"] - timedelta(days=1),
    }
    for row in TOUCHPOINTS
    if row["event_id"] not in ("e0", "e3", "e10", "b2")
]  # fmt: skip
GONE = [hurting("g1", "crm:1", "10:05", "contract", 0.7, "low_score", **BUYER, **felt(-0.9, "gone"))]
WRONG: Row = {"revision": 1, "pain": 0.99, "friction": 3, "friction_rules": ["old"], **felt(0.77, "old")}
LATER_WRONG: Row = WRONG | {"persona": "old", "channel": "old", "segment": "old", "account_method": "old"}
"""What minutes are not made of: they know a version by its persona, segment and channel."""


def signalled(
    signal_id: str, event_id: str, account_id: str, clock: str, rule: str, severity: float, **more: Any
) -> Row:
    """A signal that is open."""
    row: Row = {
        "account_id": account_id, "signal_id": signal_id, "revision": 2, "is_deleted": 0, "digest": 1, "rule": rule,
        "rule_version": 1, "polarity": "friction", "severity": severity, "event_id": event_id, "person_id": "",
        "touchpoint_type": "contract", "phase": "purchase", "opened_at": at(clock), "is_closed": 0, "closed_at": EPOCH,
        "evidence": [event_id], "evidence_count": 1, "explanation": rule, "case_id": "", "parts": [],
    }  # fmt: skip
    return row | more


SIGNALS = [
    signalled("s0", "e0", "crm:1", "09:59", "low_score", 0.9),
    signalled("s1", "e1", "crm:1", "10:00", "low_score", 0.5, evidence=["e1", "e0"]),
    signalled("s2", "e2", "crm:1", "11:59:59", "reopened", 0.25, is_closed=1, closed_at=at("12:30")),
    signalled("s3", "e3", "crm:1", "12:00", "low_score", 0.9),
    signalled("s6", "e2", "crm:1", "11:30", "thanks", 0.9, polarity="delight"),
    signalled("s4", "e4", "crm:2", "10:30", "thanks", 0.8, polarity="delight", touchpoint_type="webinar"),
    signalled("s5", "e5", "crm:2", "11:00", "reopened", 0.5, case_id="c1", evidence=["e9"]),
    signalled("s7", "e7", "anon:2", "10:32", "low_score", 0.7, touchpoint_type="website_visit", phase="awareness"),
    signalled("s8", "e8", "crm:3", "10:40", "angry", 0.6, touchpoint_type="complaint", phase="initiate"),
    signalled("w1", "e9", "crm:2", "10:41", "odd", 0.125, touchpoint_type="odd"),
    signalled("w2", "e9", "crm:2", "10:42", "odd", 0.125, touchpoint_type="odd"),
    signalled("c1", "e5", "crm:2", "11:00:01", "struggle", 0.6, parts=["s5"]),
]
SIGNALS_GONE = [signalled("sg", "g1", "crm:1", "10:05", "low_score", 1.0)]


def account(account_id: str, name: str, phase: str, **more: Any) -> Row:
    """An account as it stands."""
    row: Row = {
        "account_id": account_id, "revision": 2, "is_deleted": 0, "digest": 1, "name": name, "phase": phase,
        "phase_since": at("08:00"), "high_water_phase": phase, "segment": "small", "traits": "{}", "touchpoints": 3,
        "on_map_touchpoints": 3, "people": 1, "friction_signals": 1, "first_seen_at": at("08:00", 1),
        "last_seen_at": at("11:00"), "transitions": "[]", "as_of": at("11:00"), "committee_completeness": float("nan"),
    }  # fmt: skip
    return row | more


FALL = {
    "at": at("11:30").isoformat(), "from_phase": "purchase", "to_phase": "awareness", "event_id": "e5",
    "cause": "fell", "accepted": True, "dwell_s": 1.0, "direction": "backward",
}  # fmt: skip
ACCOUNTS = [
    account(
        "crm:1", "Acme", "purchase", segment="enterprise", touchpoints=5, friction_signals=4, people=2,
        last_seen_at=at("12:00"), traits=json.dumps({"tier": "Gold", "arr": "48000", "owner": "Zoe"}),
        committee_completeness=0.5,
    ),
    account(
        "crm:2", "beta", "awareness", touchpoints=4, friction_signals=2, people=3, last_seen_at=at("11:00"),
        traits=json.dumps({"tier": "silver", "mrr": "900", "owner": "ann"}), transitions=json.dumps([FALL]),
        phase_since=EPOCH,
    ),
    account("crm:3", "", "initiate", touchpoints=1, friction_signals=0, last_seen_at=at("10:00")),
    account("anon:1", "", "awareness", touchpoints=1, on_map_touchpoints=1, last_seen_at=at("10:31")),
    account("anon:2", "", "awareness", touchpoints=1, last_seen_at=at("10:32")),
    account("anon:3", "", "awareness", touchpoints=1, on_map_touchpoints=0, last_seen_at=at("11:31")),
]  # fmt: skip
ACCOUNTS_GONE = [account("crm:9", "Gone", "purchase", traits=json.dumps({"tier": "lost"}))]

OPEN, OVER = {"done_at": EPOCH, "over_at": EPOCH}, {"done_at": EPOCH, "over_at": at("11:00")}


def incident(incident_id: str, account_id: str, **more: Any) -> Row:
    """An incident that stands."""
    row: Row = {"account_id": account_id, "incident_id": incident_id, "revision": 2, "is_deleted": 0}
    return row | OPEN | {"pained_at": at("11:00")} | more


INCIDENTS = [
    incident("i1", "crm:1"),
    incident("i2", "crm:1", done_at=at("10:59")),  # it hurt again after it was done
    incident("i3", "crm:2", done_at=at("11:00")),
    incident("i4", "crm:2", **OVER),
]
PROPOSALS = [
    proposal("q1", "user:a", "user:b", at("10:00")),
    proposal("q2", "crm:3", "crm:1", at("10:00"), kind="same_account"),
    proposal("q4", "crm:2", "crm:1", at("09:00"), kind="same_account", status="accepted", by="Bo"),
    proposal("q3", "user:c", "user:d", at("11:00"), status="accepted", by="Bo", decided_at=at("11:30")),
]
CORRECTIONS = [
    correction("crm:1", at("10:00"), "a", signals_changed=1),
    correction("crm:1", at("11:00"), "b"),
    correction("crm:1", at("11:00"), "c"),
]


def fresh(source: str, occurred: str, received: str, written: str) -> Row:
    """When the latest of a source happened, came and was written, as one writer saw it."""
    times = zip(("occurred", "received", "written"), (occurred, received, written), strict=True)
    return {"source": source} | {f"last_{name}_at": at(clock) for name, clock in times}


FRESH = [
    fresh("web", "11:59", "10:00", "10:01"),
    fresh("web", "10:00", "11:59", "12:00"),
    fresh("desk", "09:00", "09:01", "09:02"),
]


EMPTY_MINUTES = """
INSERT INTO journey_minutes (minute, phase, touchpoint_type, persona, segment, channel, traffic, version, volume)
VALUES ('2026-03-08 08:00:00', 'awareness', 'webinar', '', '', 'web', '', now64(6) - toIntervalHour(1), 0),
  ('2026-03-09 10:20:00', 'awareness', 'empty', '', '', 'web', '', now64(6) - toIntervalHour(1), 0),
  ('2026-03-10 10:20:00', 'awareness', 'empty', '', '', 'web', '', now64(6) - toIntervalHour(1), 0)"""
"""Whose touchpoints went to others."""
MOVING: Row = {"event_id": "m1"}
OLDER_DAYS = """
INSERT INTO journey_days SELECT * REPLACE (version - toIntervalHour(1) AS version, volume + 5 AS volume,
  pain_sum + 9 AS pain_sum, friction + 3 AS friction, [] AS account_set, [] AS hurts) FROM journey_days FINAL"""


def fill(client: Client) -> None:
    """Into empty tables, which are not merged: each version stays."""
    for table in TABLES:
        client.command(f"SYSTEM STOP MERGES {client.database}.{table}")
    rows = TOUCHPOINTS + DAY_BEFORE
    _insert(client, "touchpoints", [row | WRONG for row in rows])
    recompute(client)
    _insert(client, "touchpoints", rows)
    recompute(client)
    _insert(client, "touchpoints", [row | LATER_WRONG for row in rows])
    client.command(EMPTY_MINUTES)
    assert roll_up(Commands(client), None, limit=9)
    client.command(OLDER_DAYS)
    _with_versions(client, "touchpoints", [], GONE)
    histories = [_kept(row) for row in rows]
    gone = [_kept(row) for row in GONE] + [_kept(TOUCHPOINTS[1]) | {"account_id": "crm:9"}]
    _with_versions(client, "histories", histories, gone, occurred_at=at("09:00"))
    for account_id, revision in (("crm:1", 5), ("crm:2", 4)):  # it moves just now
        _insert(client, "histories", [histories[0] | MOVING | {"account_id": account_id, "revision": revision}])
    _with_versions(client, "signals", SIGNALS, SIGNALS_GONE, severity=1.0, rule="old")
    _with_versions(client, "account_journeys", ACCOUNTS, ACCOUNTS_GONE, name="Old", traits='{"tier": "old"}')
    _with_versions(client, "incidents", INCIDENTS, [incident("i9", "crm:1")], **OPEN)
    older = [row | {"revision": 1, "status": "open", "by": ""} for row in PROPOSALS]
    for some in (older, PROPOSALS, older):
        _insert(client, "proposals", some)
    _insert(client, "corrections", CORRECTIONS)
    _insert(client, "corrections", [row | {"corrected_at": at("09:00")} for row in CORRECTIONS])
    for row in FRESH:
        _insert(client, "source_freshness", [row])


def _with_versions(client: Client, table: str, rows: list[Row], gone: list[Row], **wrong: Any) -> None:
    older = [row | wrong | {"revision": 1} for row in rows]
    for some in filter(None, (older, rows, older)):  # what is read first or last is not what is newest
        _insert(client, table, some)
    _insert(client, table, [row | {"revision": 3, "is_deleted": 1} for row in gone])
    _insert(client, table, gone)
