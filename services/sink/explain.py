"""Why a touchpoint counts as it does: whose it is, how we know, what it was taken for, what it set off."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson
from clickhouse_connect.driver.client import Client

from schemas.touchpoints import AttributedTouchpoint
from streams.emotion.feeling import FELT_BY, VERSION, described
from streams.runtime.clickhouse import query_rows

Explanation = dict[str, Any]

_FIND: Final = """
SELECT account_id, event_id, payload, revision, knowledge, written_at
FROM histories FINAL
WHERE event_id = {event_id:String}
ORDER BY revision DESC
LIMIT 1
"""
_BY_VENDOR_ID: Final = """
SELECT DISTINCT event_id FROM touchpoints FINAL WHERE vendor_event_id = {id:String} ORDER BY event_id LIMIT 20
"""
_VISIBLE: Final = """
SELECT
    touchpoint_type, phase, home_phase, persona, segment, on_map, moment_of_truth, importance, has_emotion,
    if(has_emotion, emotion, 0) AS emotion, pain, friction_rules, blueprint_version, backfill
FROM touchpoints FINAL
WHERE minute = toStartOfMinute({occurred_at:DateTime64(3, 'UTC')})
  AND account_id = {account_id:String} AND event_id = {event_id:String}
"""
_SIGNALS: Final = """
SELECT
    signal_id, rule, rule_version, polarity, severity, explanation, evidence, evidence_count, opened_at, is_closed,
    is_deleted AS withdrawn, event_id = {event_id:String} AS is_carrier
FROM (SELECT * FROM signals WHERE account_id = {account_id:String} ORDER BY revision DESC LIMIT 1 BY signal_id)
WHERE event_id = {event_id:String} OR has(evidence, {event_id:String})
ORDER BY opened_at, signal_id
"""
_CORRECTIONS: Final = """
SELECT corrected_at, cause, what, touchpoints_changed, touchpoints_removed, signals_changed, signals_withdrawn
FROM corrections FINAL WHERE account_id = {account_id:String} ORDER BY corrected_at DESC LIMIT 10
"""
_PHASES: Final = """
SELECT phase, phase_since, transitions FROM account_journeys FINAL WHERE account_id = {account_id:String}
"""


def explain(client: Client, event_id: str) -> Explanation:
    """Everything known about one touchpoint, by our id or the vendor's.

    `found` is False when nothing is stored under it. `other_event_ids` lists further touchpoints with the same
    vendor id. Raises StoreUnavailable.
    """
    found = query_rows(client, _FIND, {"event_id": event_id})
    others: list[str] = []
    if not found:
        ids = [str(row["event_id"]) for row in query_rows(client, _BY_VENDOR_ID, {"id": event_id})]
        if not ids:
            return {"event_id": event_id, "found": False}
        found, others = query_rows(client, _FIND, {"event_id": ids[0]}), ids[1:]
        if not found:  # between two inserts of the sink
            return {"event_id": event_id, "found": False}
    return _explained(client, found[0]) | {"other_event_ids": others}


def _explained(client: Client, history: Mapping[str, object]) -> Explanation:
    payload = AttributedTouchpoint.decoded(str(history["payload"]))
    touchpoint, attribution = payload.touchpoint.fields(), payload.attribution.fields()
    key = {"account_id": str(history["account_id"]), "event_id": str(history["event_id"])}
    at = {"occurred_at": touchpoint["occurred_at"].replace("Z", "").replace("+00:00", "").replace("T", " ")}
    visible = query_rows(client, _VISIBLE, key | at)
    account = query_rows(client, _PHASES, {"account_id": key["account_id"]})
    return key | {
        "found": True,
        "touchpoint": touchpoint,
        "attribution": attribution,
        "judged": _judged(visible[0]) if visible else None,
        "signals": query_rows(client, _SIGNALS, key),
        "account": _account(account[0], key["event_id"]) if account else None,
        "corrections": query_rows(client, _CORRECTIONS, {"account_id": key["account_id"]}),
        "knowledge": history["knowledge"],
        "revision": history["revision"],
        "written_at": history["written_at"],
    }


def _judged(row: dict[str, object]) -> dict[str, object]:
    judged = dict(row)
    if not judged.pop("has_emotion"):
        judged["emotion"] = None
    return judged


def _account(row: Mapping[str, object], event_id: str) -> dict[str, object]:
    caused = [change for change in orjson.loads(str(row["transitions"])) if change["event_id"] == event_id]
    return {"phase": row["phase"], "phase_since": row["phase_since"], "caused": caused}


def as_text(explanation: Explanation) -> str:
    """The explanation for a terminal."""
    if not explanation["found"]:
        return f"{explanation['event_id']}: nothing is stored under this id; is it in `touchline dlq ls`?"
    return "\n".join(_lines(explanation))


def _lines(found: Explanation) -> Iterator[str]:
    touchpoint, judged = found["touchpoint"], found["judged"]
    yield f"{found['event_id']}  {touchpoint['occurred_at']}  {touchpoint['source']} ({touchpoint['vendor_type']})"
    yield from _whose(found["account_id"], found["attribution"])
    if judged is None:
        yield "taken for  not on the table of touchpoints (yet)"
    else:
        where = "on the map" if judged["on_map"] else "not on the map: a record about a record"
        yield f"taken for  {judged['touchpoint_type']} in phase {judged['phase']} ({where})"
        yield f"persona    {judged['persona'] or 'unknown'}; segment {judged['segment'] or 'unknown'}"
        feeling, version = _feeling(touchpoint, judged["emotion"]), judged["blueprint_version"]
        yield f"emotion    {feeling}; pain {judged['pain']:.2f}; blueprint version {version}"
    for signal in found["signals"]:
        yield from _signal(signal)
    for change in (found["account"] or {}).get("caused", ()):
        verb = "moved the account" if change["accepted"] else "was refused as a move"
        yield f"phase      {verb} from {change['from_phase']} to {change['to_phase']}: {change['cause']}"
    for line in found["corrections"][:3]:
        yield f"corrected  {line['corrected_at']:%Y-%m-%d %H:%M:%S}: {line['cause']} ({line['what'] or 'the account'})"
    if found["other_event_ids"]:
        yield f"also       {', '.join(found['other_event_ids'])} have this vendor id"


def _whose(account_id: str, attribution: Mapping[str, Any]) -> Iterator[str]:
    how = f"{attribution['method']}, confidence {attribution['confidence']:.2f}"
    because = f", because of {attribution['evidence']}" if attribution["evidence"] else ""
    yield f"account    {account_id} by {how}{because}; rule version {attribution['rule_version']}"
    yield f"person     {attribution['person_id'] or 'none involved'}"
    for candidate in attribution["rejected"]:
        yield f"rejected   {candidate['account_id']} by {candidate['method']}: {candidate['why']}"


def _feeling(touchpoint: Mapping[str, Any], emotion: float | None) -> str:
    if emotion is None:
        return "no evidence"
    if touchpoint.get("score") is not None and touchpoint.get("score_kind"):
        return f"{emotion:+.2f}, a stated score"
    version = touchpoint.get("properties", {}).get(FELT_BY, VERSION)
    return f"{emotion:+.2f}, {described(touchpoint.get('language', ''), version)}"


def _signal(signal: Mapping[str, Any]) -> Iterator[str]:
    state = "withdrawn" if signal["withdrawn"] else "closed" if signal["is_closed"] else "open"
    part = "carries it" if signal["is_carrier"] else "is part of the evidence"
    yield (
        f"{signal['polarity']:<10} {signal['rule']} v{signal['rule_version']}, severity {signal['severity']:.2f}, "
        f"{state}; this touchpoint {part}"
    )
    yield f"           {signal['explanation']} ({signal['evidence_count']} touchpoints of evidence)"
