"""Facts as rows: what stands in each column (`columns`). Pure.

Times are sent as ticks, which the driver writes as they are: 10 times faster than datetimes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from math import nan
from typing import Final

import orjson
from msgspec.structs import asdict

from schemas.base import EPOCH, Contract, Item
from schemas.facts import (
    AccountFact,
    Correction,
    Fact,
    IgnoredFact,
    ProposalFact,
    SignalFact,
    Tombstone,
    TouchpointFact,
)
from schemas.incidents import Delivery
from schemas.links import AnyLink
from services.sink.columns import TABLES, Row

_VISIT: Final = (
    *("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "referrer_host", "browser", "country"),
)
_NO_VISIT: Final[Row] = dict.fromkeys(_VISIT, "")
_MS: Final = timedelta(milliseconds=1)
_MINUTE_MS: Final = 60_000
_BLANK: Final[Row] = {
    name: 0 if kind[0] in "UDF" else [] if kind.startswith("Array") else ""
    for name, kind in TABLES["touchpoints"].items()
}


def rows_of(facts: Iterable[Fact], written_at: datetime) -> dict[str, list[Row]]:
    """Table → rows of `facts`, in their order. `written_at` is what source freshness calls "now"."""
    rows: dict[str, list[Row]] = {name: [] for name in TABLES if name not in ("links", "deliveries")}
    newest: dict[str, tuple[int, int]] = {}
    for fact in facts:
        match fact.kind:  # a class pattern asks pydantic, which takes longer than making the row
            case "touchpoint":
                _add_touchpoint(rows, newest, fact)
            case "tombstone":
                rows["touchpoints"].append(_tombstone(fact))
                if not fact.is_kept:
                    rows["histories"].append(_forgotten(fact))
            case "signal":
                rows["signals"].append(_signal(fact))
            case "account":
                rows["account_journeys"].append(_account(fact))
            case "correction":
                rows["corrections"].append(_correction(fact))
            case "proposal":
                rows["proposals"].append(_proposal(fact))
            case "ignored":
                rows["ignored"].append(_ignored(fact))
    rows["source_freshness"] = [_freshness(source, *times, ticks(written_at)) for source, times in newest.items()]
    return {name: found for name, found in rows.items() if found}


def _freshness(source: str, occurred_at: int, received_at: int, written_at: int) -> Row:
    return {
        "source": source,
        "last_occurred_at": occurred_at,
        "last_received_at": received_at,
        "last_written_at": written_at,
    }


def _ignored(fact: IgnoredFact) -> Row:
    return {
        "received_at": ticks(fact.received_at),
        "source": fact.source,
        "reason": fact.reason,
        "request_id": fact.request_id,
        "messages": fact.messages,
    }


def link_rows(links: Iterable[tuple[AnyLink, int]]) -> list[Row]:
    """Rows of (link, position); of several with one id the last stands."""
    latest = {link.link_id: (link, position) for link, position in links}
    return [
        {
            "link_id": link_id,
            "position": position,
            "kind": link.kind,
            "payload": _json(link),
        }
        for link_id, (link, position) in latest.items()
    ]


def delivery_rows(lines: Iterable[tuple[Delivery, int]]) -> list[Row]:
    """Rows of (line of the delivery log, position)."""
    return [
        {
            "at": ticks(line.at),
            "notice_id": line.notice_id,
            "incident_id": line.incident_id,
            "account_id": line.account_id,
            "policy": line.policy,
            "kind": line.kind,
            "level": line.level,
            "channel": line.channel,
            "outcome": line.outcome,
            "attempt": line.attempt,
            "answer": line.answer,
            "position": position,
        }
        for line, position in lines
    ]


def ticks(at: datetime) -> int:
    """Milliseconds since 1970; exact, which `timestamp() * 1000` is not."""
    return (at - EPOCH) // _MS


def minute_of(at: datetime) -> int:
    """The minute whose cells a touchpoint of that time counts in: seconds since 1970."""
    return _minute(ticks(at))


def _minute(ticks_ms: int) -> int:
    return ticks_ms // _MINUTE_MS * 60


def _add_touchpoint(rows: dict[str, list[Row]], newest: dict[str, tuple[int, int]], fact: TouchpointFact) -> None:
    """Both rows of it; its times, which three tables need, are turned into ticks once."""
    touchpoint = fact.input.touchpoint
    occurred_at, received_at = ticks(touchpoint.occurred_at), ticks(touchpoint.received_at)
    rows["touchpoints"].append(_touchpoint(fact, occurred_at, received_at))
    rows["histories"].append(_history(fact, occurred_at, received_at))
    # a sender with a clock in the future must not look fresh for ever
    own = received_at if touchpoint.clock_suspect else occurred_at
    seen = newest.get(touchpoint.source, (0, 0))
    newest[touchpoint.source] = (max(seen[0], own), max(seen[1], received_at))


def _touchpoint(fact: TouchpointFact, occurred_at: int, received_at: int) -> Row:
    touchpoint, attribution = fact.input.touchpoint, fact.input.attribution
    return {
        "minute": _minute(occurred_at),
        "account_id": fact.account_id,
        "event_id": fact.event_id,
        "revision": fact.revision,
        "is_deleted": 0,
        "occurred_at": occurred_at,
        "received_at": received_at,
        "source": touchpoint.source,
        "vendor": touchpoint.vendor,
        "vendor_type": touchpoint.vendor_type,
        "vendor_event_id": touchpoint.vendor_event_id,
        "action": touchpoint.action,
        "touchpoint_type": fact.touchpoint_type,
        "phase": fact.phase,
        "home_phase": fact.home_phase,
        "persona": fact.persona,
        "segment": fact.segment,
        "channel": touchpoint.channel,
        "on_map": int(fact.on_map),
        "moment_of_truth": int(fact.moment_of_truth),
        "importance": fact.importance,
        "person_id": attribution.person_id,
        "account_method": attribution.method,
        "account_confidence": attribution.confidence,
        "has_emotion": int(fact.emotion is not None),
        "emotion": nan if fact.emotion is None else fact.emotion,
        "friction": len(fact.friction_signals),
        "friction_rules": fact.friction_rules,
        "delight": len(fact.delight_signals),
        "pain": fact.pain,
        "session_id": touchpoint.session_id,
        "page": touchpoint.page,
        "element": touchpoint.element,
        "subject": touchpoint.subject,
        "title": touchpoint.title,
        "text": touchpoint.text,
        "score": nan if touchpoint.score is None else touchpoint.score,
        "score_kind": touchpoint.score_kind,
        "clock_suspect": int(touchpoint.clock_suspect),
        "backfill": int(touchpoint.backfill),
        "blueprint_version": fact.blueprint_version,
        "properties": _json(touchpoint.properties) if touchpoint.properties else "{}",
        "traffic": "" if fact.traffic == "customer" else fact.traffic,
        "url_host": touchpoint.url_host,
        "agent": touchpoint.agent,
        "agent_kind": touchpoint.agent_kind,
        "device": touchpoint.device,
        **(_visit(touchpoint.visit) if touchpoint.visit else _NO_VISIT),
        "friction_signals": fact.friction_signals,
        "read_anew": int(touchpoint.read_anew),
    }


def _visit(visit: Mapping[str, str]) -> Row:
    return {name: visit.get(name, "") for name in _VISIT}


def _tombstone(fact: Tombstone) -> Row:
    return _BLANK | {
        "minute": minute_of(fact.occurred_at),
        "account_id": fact.account_id,
        "event_id": fact.event_id,
        "revision": fact.revision,
        "is_deleted": 1,
        "occurred_at": ticks(fact.occurred_at),
        "source": fact.source,
    }


def _history(fact: TouchpointFact, occurred_at: int, received_at: int) -> Row:
    return {
        "account_id": fact.account_id,
        "event_id": fact.event_id,
        "revision": fact.revision,
        "is_deleted": 0,
        "occurred_at": occurred_at,
        "received_at": received_at,
        "knowledge": fact.input.knowledge,
        "digest": fact.digest,
        "payload": fact.input.encoded().decode(),
    }


def _forgotten(fact: Tombstone) -> Row:
    mapping = "" if fact.mapping == 1 else str(fact.mapping)
    return {
        "account_id": fact.account_id,
        "event_id": fact.event_id,
        "revision": fact.revision,
        "is_deleted": 1,
        "occurred_at": ticks(fact.occurred_at),
        "received_at": 0,
        "knowledge": fact.knowledge,
        "digest": 0,
        "payload": mapping,
    }


def _signal(fact: SignalFact) -> Row:
    return {
        "account_id": fact.account_id,
        "signal_id": fact.signal_id,
        "revision": fact.revision,
        "is_deleted": int(fact.withdrawn),
        "digest": fact.digest,
        "rule": fact.rule,
        "rule_version": fact.rule_version,
        "polarity": fact.polarity,
        "severity": fact.severity,
        "event_id": fact.event_id,
        "person_id": fact.person_id,
        "touchpoint_type": fact.touchpoint_type,
        "phase": fact.phase,
        "opened_at": ticks(fact.opened_at),
        "is_closed": int(fact.closed_at is not None),
        "closed_at": _ticks_or_epoch(fact.closed_at),
        "evidence": fact.evidence,
        "evidence_count": fact.evidence_count,
        "explanation": fact.explanation,
        "case_id": fact.case_id,
        "parts": fact.parts,
        "explanation_coded": fact.explanation_coded,
    }


def _account(fact: AccountFact) -> Row:
    return {
        "account_id": fact.account_id,
        "revision": fact.revision,
        "is_deleted": int(fact.deleted),
        "digest": fact.digest,
        "name": fact.traits.get("name", ""),
        "phase": fact.phase,
        "phase_since": _ticks_or_epoch(fact.phase_since),
        "high_water_phase": fact.high_water_phase,
        "segment": fact.segment,
        "traits": _json(fact.traits),
        "touchpoints": fact.touchpoints,
        "on_map_touchpoints": fact.on_map_touchpoints,
        "people": fact.people,
        "friction_signals": fact.friction_signals,
        "first_seen_at": _ticks_or_epoch(fact.first_seen_at),
        "last_seen_at": _ticks_or_epoch(fact.last_seen_at),
        "transitions": _json(fact.transitions),
        "opportunities": _json(fact.opportunities),
        "committee": _json(fact.committee),
        "committee_completeness": nan if fact.committee_completeness is None else fact.committee_completeness,
        "blueprint_version": fact.blueprint_version,
        "blueprint_digest": fact.blueprint_digest,
        "next_deadline_at": _ticks_or_epoch(fact.next_deadline_at),
        "as_of": ticks(fact.as_of),
    }


def _correction(fact: Correction) -> Row:
    return {
        "account_id": fact.account_id,
        "correction_id": fact.correction_id,
        "corrected_at": ticks(fact.corrected_at),
        "cause": fact.cause,
        "what": fact.what,
        "touchpoints_changed": fact.touchpoints_changed,
        "touchpoints_removed": fact.touchpoints_removed,
        "signals_changed": fact.signals_changed,
        "signals_withdrawn": fact.signals_withdrawn,
        "cause_coded": fact.cause_coded,
        "what_coded": fact.what_coded,
    }


def _proposal(fact: ProposalFact) -> Row:
    return {
        "proposal_id": fact.proposal_id,
        "revision": fact.revision,
        "kind": fact.question,
        "a": fact.a,
        "b": fact.b,
        "reason": fact.reason,
        "evidence": fact.evidence,
        "confidence": fact.confidence,
        "since": ticks(fact.since),
        "status": fact.status,
        "by": fact.by,
        "decided_at": _ticks_or_epoch(fact.decided_at),
    }


def _json(value: object) -> str:
    """Whole: views and pages read it, who do not know what is left out."""
    return orjson.dumps(value, default=_fields, option=orjson.OPT_UTC_Z).decode()


def _fields(value: Contract | Item) -> dict[str, object]:
    return asdict(value) if isinstance(value, Item) else value.__dict__


def _ticks_or_epoch(at: datetime | None) -> int:
    return 0 if at is None else ticks(at)
