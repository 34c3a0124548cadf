"""Facts as rows: which columns a table gets, and what stands in them. Pure.

The column lists are the schema's (a test compares them with ClickHouse's), never the first row's.
Columns with a server-side default (`written_at`) are left out. Times are sent as ticks, which the driver
writes as they are: 10 times faster than datetimes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from math import nan
from typing import Final

import orjson

from schemas.base import EPOCH, Contract
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

Row = tuple[object, ...]
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

_VISIT: Final = (
    *("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "referrer_host", "browser", "country"),
)
_NO_VISIT: Final = ("",) * len(_VISIT)
_MS: Final = timedelta(milliseconds=1)
_MINUTE_MS: Final = 60_000
_BLANK: Final[dict[str, object]] = {
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
    rows["source_freshness"] = [(source, *times, ticks(written_at)) for source, times in newest.items()]
    return {name: found for name, found in rows.items() if found}


def _ignored(fact: IgnoredFact) -> Row:
    return (ticks(fact.received_at), fact.source, fact.reason, fact.request_id, fact.messages)


def link_rows(links: Iterable[tuple[AnyLink, int]]) -> list[Row]:
    """Rows of (link, position); of several with one id the last stands."""
    latest = {link.link_id: (link, position) for link, position in links}
    return [(link_id, position, link.kind, _json(link)) for link_id, (link, position) in latest.items()]


def delivery_rows(lines: Iterable[tuple[Delivery, int]]) -> list[Row]:
    """Rows of (line of the delivery log, position)."""
    return [
        (
            ticks(line.at),
            line.notice_id,
            line.incident_id,
            line.account_id,
            line.policy,
            line.kind,
            line.level,
            line.channel,
            line.outcome,
            line.attempt,
            line.answer,
            position,
        )
        for line, position in lines
    ]


def columns(table: str, rows: Sequence[Row]) -> dict[str, Sequence[object]]:
    """The rows turned into columns of `table`; every row must have them all."""
    return dict(zip(TABLES[table], zip(*rows, strict=True), strict=True))


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
    return (
        _minute(occurred_at),
        fact.account_id,
        fact.event_id,
        fact.revision,
        0,
        occurred_at,
        received_at,
        touchpoint.source,
        touchpoint.vendor,
        touchpoint.vendor_type,
        touchpoint.vendor_event_id,
        touchpoint.action,
        fact.touchpoint_type,
        fact.phase,
        fact.home_phase,
        fact.persona,
        fact.segment,
        touchpoint.channel,
        int(fact.on_map),
        int(fact.moment_of_truth),
        fact.importance,
        attribution.person_id,
        attribution.method,
        attribution.confidence,
        int(fact.emotion is not None),
        nan if fact.emotion is None else fact.emotion,
        len(fact.friction_signals),
        fact.friction_rules,
        len(fact.delight_signals),
        fact.pain,
        touchpoint.session_id,
        touchpoint.page,
        touchpoint.element,
        touchpoint.subject,
        touchpoint.title,
        touchpoint.text,
        nan if touchpoint.score is None else touchpoint.score,
        touchpoint.score_kind,
        int(touchpoint.clock_suspect),
        int(touchpoint.backfill),
        fact.blueprint_version,
        _json(touchpoint.properties) if touchpoint.properties else "{}",
        "" if fact.traffic == "customer" else fact.traffic,
        touchpoint.url_host,
        touchpoint.agent,
        touchpoint.agent_kind,
        touchpoint.device,
        *(_visit(touchpoint.visit) if touchpoint.visit else _NO_VISIT),
        fact.friction_signals,
    )


def _visit(visit: Mapping[str, str]) -> Row:
    return tuple([visit.get(name, "") for name in _VISIT])


def _tombstone(fact: Tombstone) -> Row:
    known: dict[str, object] = {
        "minute": minute_of(fact.occurred_at),
        "account_id": fact.account_id,
        "event_id": fact.event_id,
        "revision": fact.revision,
        "is_deleted": 1,
        "occurred_at": ticks(fact.occurred_at),
        "source": fact.source,
    }
    return tuple((_BLANK | known).values())


def _history(fact: TouchpointFact, occurred_at: int, received_at: int) -> Row:
    return (
        fact.account_id,
        fact.event_id,
        fact.revision,
        0,
        occurred_at,
        received_at,
        fact.input.knowledge,
        fact.digest,
        fact.input.encoded().decode(),
    )


def _forgotten(fact: Tombstone) -> Row:
    mapping = "" if fact.mapping == 1 else str(fact.mapping)
    return (fact.account_id, fact.event_id, fact.revision, 1, ticks(fact.occurred_at), 0, fact.knowledge, 0, mapping)


def _signal(fact: SignalFact) -> Row:
    return (
        fact.account_id,
        fact.signal_id,
        fact.revision,
        int(fact.withdrawn),
        fact.digest,
        fact.rule,
        fact.rule_version,
        fact.polarity,
        fact.severity,
        fact.event_id,
        fact.person_id,
        fact.touchpoint_type,
        fact.phase,
        ticks(fact.opened_at),
        int(fact.closed_at is not None),
        _ticks_or_epoch(fact.closed_at),
        fact.evidence,
        fact.evidence_count,
        fact.explanation,
        fact.case_id,
        fact.parts,
    )


def _account(fact: AccountFact) -> Row:
    return (
        fact.account_id,
        fact.revision,
        int(fact.deleted),
        fact.digest,
        fact.traits.get("name", ""),
        fact.phase,
        _ticks_or_epoch(fact.phase_since),
        fact.high_water_phase,
        fact.segment,
        _json(fact.traits),
        fact.touchpoints,
        fact.on_map_touchpoints,
        fact.people,
        fact.friction_signals,
        _ticks_or_epoch(fact.first_seen_at),
        _ticks_or_epoch(fact.last_seen_at),
        _json(fact.transitions),
        _json(fact.opportunities),
        _json(fact.committee),
        nan if fact.committee_completeness is None else fact.committee_completeness,
        fact.blueprint_version,
        fact.blueprint_digest,
        _ticks_or_epoch(fact.next_deadline_at),
        ticks(fact.as_of),
    )


def _correction(fact: Correction) -> Row:
    return (
        fact.account_id,
        fact.correction_id,
        ticks(fact.corrected_at),
        fact.cause,
        fact.what,
        fact.touchpoints_changed,
        fact.touchpoints_removed,
        fact.signals_changed,
        fact.signals_withdrawn,
    )


def _proposal(fact: ProposalFact) -> Row:
    return (
        fact.proposal_id,
        fact.revision,
        fact.question,
        fact.a,
        fact.b,
        fact.reason,
        fact.evidence,
        fact.confidence,
        ticks(fact.since),
        fact.status,
        fact.by,
        _ticks_or_epoch(fact.decided_at),
    )


def _json(value: object) -> str:
    """As pydantic writes it, in half the time."""
    return orjson.dumps(value, default=_fields, option=orjson.OPT_UTC_Z).decode()


def _fields(value: Contract) -> dict[str, object]:
    return value.__dict__


def _ticks_or_epoch(at: datetime | None) -> int:
    return 0 if at is None else ticks(at)
