"""A made-up company's store, straight as rows: B2B accounts on their way through the phases, with friction.

The rows are plain dicts, so a test recomputes every figure from them without the code it tests.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from clickhouse_connect.driver.client import Client

from schemas.blueprint import Blueprint, TouchpointType
from schemas.config import ClickHouseConfig
from services.sink.migrate import load
from services.sink.views import load_views

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Row = dict[str, Any]
CHUNK_ROWS = 8_000
"""One block of the driver."""

COMPANIES = (
    "Acme Robotics", "Juniper Retail", "Delphi Logistics", "Helios Solar", "Kestrel Air", "Ionic Labs",
    "Larkspur Foods", "Meridian Rail", "Northwind Paper", "Orchard Health", "Pinecone Games", "Quarry Stone",
    "Riverbend Water", "Saffron Hotels", "Tidewater Shipping", "Umber Tools", "Vesper Audio", "Willow Insurance",
    "Xenia Optics", "Yarrow Textiles", "Zephyr Wind", "Boreal Timber", "Cobalt Mining", "Dahlia Flowers",
)  # fmt: skip
PERSONAS = ("economic_buyer", "technical_evaluator", "procurement", "champion", "end_user", "unknown")
PAINFUL = {"sso_setup": 0.42, "security_review": 0.3, "contract": 0.24, "support_ticket": 0.16, "app_error": 0.35}
WORDS = {
    "rage_click": "clicked 4 times on “Continue” without effect",
    "client_error": "met an error: cannot read the licence file",
    "low_score": "scored 2 of 5",
    "ticket_reopened": "had to reopen a solved ticket",
    "first_response_breach": "waited 9 h for a first reply",
    "form_abandoned": "gave up on the form",
}
SOURCES = {"support_ticket": "support", "satisfaction_survey": "support", "demo_request": "crm", "sales_call": "crm"}


@dataclass
class World:
    """Rows by table."""

    touchpoints: list[Row] = field(default_factory=list)
    signals: list[Row] = field(default_factory=list)
    accounts: list[Row] = field(default_factory=list)
    corrections: list[Row] = field(default_factory=list)
    proposals: list[Row] = field(default_factory=list)
    erasures: dict[str, Row] = field(default_factory=dict)


def world(blueprint: Blueprint, now: datetime, *, touchpoints: int, days: float = 30, seed: int = 7) -> World:
    """`touchpoints` contacts spread over `days` before `now`; a tenth are visitors not yet identified."""
    rng = random.Random(seed)
    types = [kind for kind in blueprint.types if kind.on_map]
    made = World()
    ids = _account_ids(max(24, touchpoints // 60))
    for number in range(touchpoints):
        account_id, name = ids[int(len(ids) * rng.random() ** 1.5)]
        kind = rng.choice(types[:5] if account_id.startswith("anon:") else types)
        at = now - timedelta(seconds=rng.random() ** 1.3 * days * 86_400)
        made.touchpoints.append(_touchpoint(rng, number, account_id, kind, at))
        if made.touchpoints[-1]["friction"]:
            made.signals.append(_signal(rng, made.touchpoints[-1]))
    made.accounts = list(_accounts(blueprint, made, dict(ids)))
    return made


def correction(account_id: str, at: datetime, cause: str, **changed: int) -> Row:
    """A line of what later knowledge changed."""
    names = ("touchpoints_changed", "touchpoints_removed", "signals_changed", "signals_withdrawn")
    found: Row = {name: changed.get(name, 0) for name in names}
    return found | {
        "account_id": account_id, "correction_id": f"c-{cause}", "corrected_at": at, "cause": cause,
        "what": "phase changed",
    }  # fmt: skip


def proposal(proposal_id: str, a: str, b: str, since: datetime, **more: Any) -> Row:
    """An open question of who is who."""
    about_account = b.startswith(("crm:", "group:", "org:"))
    found = {
        "proposal_id": proposal_id, "revision": 7, "kind": "belongs" if about_account else "same_person",
        "a": a, "b": b, "reason": "both are CRM contacts", "evidence": "e-00000001", "confidence": 0.5,
        "since": since, "status": "open", "by": "", "decided_at": EPOCH,
    }  # fmt: skip
    return found | more


def _account_ids(count: int) -> list[tuple[str, str]]:
    known = [
        (f"crm:{i:04d}", COMPANIES[i] if i < len(COMPANIES) else f"{COMPANIES[i % 24]} {i // 24 + 1}")
        for i in range(count)
    ]
    return [*known, *((f"anon:{i:08x}", "") for i in range(1, count // 6 + 2))]


def _touchpoint(rng: random.Random, number: int, account_id: str, kind: TouchpointType, at: datetime) -> Row:
    at = at.replace(microsecond=at.microsecond // 1000 * 1000)
    painful = rng.random() < PAINFUL.get(kind.id, 0.05)
    rule = rng.choice(list(WORDS)) if painful else ""
    felt = rng.random() < 0.4
    mood = (kind.desired_emotion or 0.2) + 0.15 - 2.2 * PAINFUL.get(kind.id, 0.0)
    phase = kind.phase if rng.random() < 0.93 else "purchase"
    person = f"{account_id}/p{rng.randrange(4)}" if rng.random() < 0.9 else ""
    return {
        "minute": at.replace(second=0, microsecond=0), "account_id": account_id, "event_id": f"e-{number:08d}",
        "revision": 1 << 32, "is_deleted": 0, "occurred_at": at, "received_at": at + timedelta(seconds=1),
        "source": SOURCES.get(kind.id, "web"), "vendor": "segment", "vendor_type": f"track:{kind.name}",
        "action": "custom", "touchpoint_type": kind.id, "phase": phase, "home_phase": kind.phase,
        "persona": rng.choice(PERSONAS), "segment": rng.choice(("enterprise", "small", "")),
        "channel": rng.choice(("web", "email", "phone")), "on_map": 1, "moment_of_truth": int(kind.moment_of_truth),
        "importance": kind.importance, "person_id": person, "account_method": "crm_contact",
        "account_confidence": 0.95, "has_emotion": int(felt),
        "emotion": round(max(-1.0, min(1.0, rng.gauss(mood, 0.25))), 6) if felt else float("nan"),
        "friction": int(painful), "friction_rules": [rule] if rule else [], "delight": 0,
        "pain": rng.choice((0.4, 0.5, 0.6)) if painful else 0.0, "page": "/pricing" if number % 3 else "",
        "title": "", "text": "", "score": float("nan"), "score_kind": "", "blueprint_version": 1, "properties": "{}",
        "traffic": "", "url_host": "", "agent": "",
    }  # fmt: skip


def _signal(rng: random.Random, touchpoint: Row) -> Row:
    rule, is_closed = touchpoint["friction_rules"][0], rng.randrange(2)
    return {
        "account_id": touchpoint["account_id"], "signal_id": f"s-{touchpoint['event_id']}", "revision": 1,
        "is_deleted": 0, "digest": 1, "rule": rule, "rule_version": 1, "polarity": "friction",
        "severity": touchpoint["pain"], "event_id": touchpoint["event_id"], "person_id": touchpoint["person_id"],
        "touchpoint_type": touchpoint["touchpoint_type"], "phase": touchpoint["phase"],
        "opened_at": touchpoint["occurred_at"], "is_closed": is_closed,
        "closed_at": touchpoint["occurred_at"] if is_closed else EPOCH,
        "evidence": [touchpoint["event_id"]], "evidence_count": 1, "explanation": WORDS[rule],
    }  # fmt: skip


def _accounts(blueprint: Blueprint, made: World, names: Mapping[str, str]) -> Iterator[Row]:
    of: dict[str, list[Row]] = {}
    for row in made.touchpoints:
        of.setdefault(row["account_id"], []).append(row)
    for account_id, rows in of.items():
        rows.sort(key=lambda row: (row["occurred_at"], row["event_id"]))
        last = rows[-1]
        move = {
            "at": rows[0]["occurred_at"].isoformat(), "from_phase": blueprint.initial_phase,
            "to_phase": last["home_phase"], "event_id": rows[0]["event_id"], "cause": "decisive: deal won",
            "accepted": True, "dwell_s": 3600.0,
        }  # fmt: skip
        yield {
            "account_id": account_id, "revision": 1, "is_deleted": 0, "digest": 1, "name": names[account_id],
            "phase": last["home_phase"], "phase_since": rows[0]["occurred_at"], "high_water_phase": last["phase"],
            "segment": last["segment"], "traits": json.dumps({"industry": "manufacturing", "employees": "240"}),
            "touchpoints": len(rows), "on_map_touchpoints": len(rows),
            "people": len({row["person_id"] for row in rows} - {""}),
            "friction_signals": sum(row["friction"] for row in rows), "first_seen_at": rows[0]["occurred_at"],
            "last_seen_at": last["occurred_at"], "transitions": json.dumps([move]), "as_of": last["occurred_at"],
        }  # fmt: skip


def create_tables(client: Client, database: str) -> None:
    """The store's own DDL in `database`, by its migrations, and its views."""
    config = ClickHouseConfig(database=database, bi_database=f"{database}_bi")
    for migration in load():
        for statement in migration.statements(config):
            client.command(statement)
    for view in load_views():
        client.command(view.statement(config))


def store(client: Client, made: World) -> None:
    """Insert every row, then recompute the map's cells from them."""
    _insert(client, "touchpoints", made.touchpoints)
    _insert(client, "histories", [_kept(row) for row in made.touchpoints])
    _insert(client, "signals", made.signals)
    _insert(client, "account_journeys", made.accounts)
    _insert(client, "source_freshness", [_fresh(row) for row in made.touchpoints[-1000:]])
    recompute(client)


def _insert(client: Client, table: str, rows: Sequence[Row]) -> None:
    for start in range(0, len(rows), CHUNK_ROWS):
        chunk = rows[start : start + CHUNK_ROWS]
        names = list(chunk[0])
        client.insert(table, [[row[name] for name in names] for row in chunk], column_names=names)


def _kept(row: Row) -> Row:
    attribution = {
        "person_id": row["person_id"], "account_id": row["account_id"], "method": row["account_method"],
        "confidence": row["account_confidence"], "evidence": "crm_contact:51 belongs to it",
        "rejected": [{"account_id": "domain:mail.example", "method": "email_domain", "why": "a mail provider"}],
    }  # fmt: skip
    names = ("account_id", "event_id", "revision", "is_deleted", "occurred_at", "received_at")
    kept = {name: row[name] for name in names}
    return kept | {"knowledge": 1, "digest": 1, "payload": json.dumps({"attribution": attribution})}


def _fresh(row: Row) -> Row:
    return {
        "source": row["source"], "last_occurred_at": row["occurred_at"], "last_received_at": row["received_at"],
        "last_written_at": row["received_at"] + timedelta(milliseconds=400),
    }  # fmt: skip


def recompute(client: Client) -> None:
    """journey_minutes of every minute, from touchpoints FINAL, written apart from the sink's statement; at rest."""
    client.command("""
        INSERT INTO journey_minutes (minute, phase, touchpoint_type, persona, segment, channel, traffic, version,
          volume, visitor_volume, friction, delight, emotion_sum, emotion_count, pain_sum, account_set, visitor_set,
          person_set, hurts, blueprint_version, importance, moment_of_truth, example)
        SELECT minute, phase, touchpoint_type, persona, segment, channel, if(on_map = 1, '', traffic),
          now64(6) - toIntervalHour(1), count(),
          countIf(account_id LIKE 'anon:%'), countIf(friction > 0),
          countIf(delight > 0), sumIf(emotion, has_emotion = 1), countIf(has_emotion = 1), sum(pain),
          groupUniqArrayIf(sipHash64(account_id), account_id NOT LIKE 'anon:%'),
          groupUniqArrayIf(sipHash64(account_id), account_id LIKE 'anon:%'),
          groupUniqArrayIf(sipHash64(person_id), person_id != ''),
          groupArrayIf((sipHash64(account_id), occurred_at, toUInt32(round(pain * 1000000))),
            account_id NOT LIKE 'anon:%'
            AND (friction > 0 OR touchpoint_type IN ('complaint', 'cancellation', 'status_page'))),
          max(blueprint_version), any(importance),
          any(moment_of_truth), argMax(if(on_map = 1, '', if(url_host = '', agent, url_host)), occurred_at)
        FROM touchpoints FINAL WHERE on_map = 1 OR traffic != ''
        GROUP BY minute, phase, touchpoint_type, persona, segment, channel, if(on_map = 1, '', traffic)
        SETTINGS max_partitions_per_insert_block = 0""")


def identified(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if not row["account_id"].startswith("anon:")]
