"""The store's rows as views, pure: names added, `nan` and epoch undone into null."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import orjson

from schemas.base import EPOCH
from schemas.facts import PhaseChange
from services.dashboard.catalogue import Catalogue
from services.dashboard.views.accounts import AccountRow, CorrectionView, PhaseMove, TouchpointView
from services.dashboard.views.proposals import ProposalView
from services.dashboard.views.signals import CaseStatus, CaseView, SignalView
from services.dashboard.why import corrected_words, moved_words
from services.dashboard.words import account_name, is_identified, is_provisional

Row = Mapping[str, Any]


def signal_view(catalogue: Catalogue, row: Row) -> SignalView:
    persona = row.get("persona", "")
    return SignalView(
        signal_id=row["signal_id"],
        account_id=row["account_id"],
        account_name=account_name(row["account_id"], row.get("account_name", "")),
        rule=row["rule"],
        rule_version=row["rule_version"],
        polarity=row["polarity"],
        severity=row["severity"],
        event_id=row["event_id"],
        person_id=row["person_id"],
        persona=persona,
        persona_name=catalogue.persona_name(persona),
        touchpoint_type=row["touchpoint_type"],
        type_name=catalogue.type_name(row["touchpoint_type"]),
        phase=row["phase"],
        phase_name=catalogue.phase_name(row["phase"]),
        opened_at=row["opened_at"],
        closed_at=row["closed_at"] if row["is_closed"] else None,
        evidence=tuple(row["evidence"]),
        evidence_count=row["evidence_count"],
        explanation=catalogue.explanation(row),
        case_id=row.get("case_id", ""),
        method=row.get("account_method", ""),
        confidence=row.get("account_confidence"),
    )


def case_view(case: SignalView, signals: Iterable[SignalView]) -> CaseView:
    """`signals` may be those of other cases, too."""
    parts = sorted((each for each in signals if each.case_id == case.signal_id), key=lambda each: each.opened_at)
    status: CaseStatus = "closed" if case.closed_at else "grown" if len(parts) > 2 else "opened"
    return CaseView(case, status, tuple(parts))


def account_row(catalogue: Catalogue, row: Row) -> AccountRow:
    return AccountRow(
        account_id=row["account_id"],
        name=account_name(row["account_id"], row["name"]),
        identified=is_identified(row["account_id"]),
        provisional=is_provisional(row["account_id"]),
        phase=row["phase"],
        phase_name=catalogue.phase_name(row["phase"]),
        phase_since=_since(row["phase_since"]),
        segment=row["segment"],
        touchpoints=row["touchpoints"],
        people=row["people"],
        friction_signals=row["friction_signals"],
        first_seen_at=_since(row["first_seen_at"]),
        last_seen_at=_since(row["last_seen_at"]),
    )


def phase_moves(transitions: str) -> tuple[PhaseMove, ...]:
    """From the account's JSON; newest first."""
    changes = [PhaseChange.of(each) for each in orjson.loads(transitions or "[]")]
    moves = sorted(map(_phase_move, changes), key=lambda move: move.at)
    return tuple(moves[::-1])  # of one instant too the last comes first


def _phase_move(change: PhaseChange) -> PhaseMove:
    return PhaseMove(
        at=change.at,
        from_phase=change.from_phase,
        to_phase=change.to_phase,
        event_id=change.event_id,
        cause=change.cause,
        accepted=change.accepted,
        dwell_s=change.dwell_s,
        why=moved_words(change.cause_coded, change.cause),
    )


def traits(text: str) -> dict[str, str]:
    """An account's traits; empty where the store holds none."""
    found = orjson.loads(text or "{}")
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}


def touchpoint_view(catalogue: Catalogue, row: Row) -> TouchpointView:
    return TouchpointView(
        event_id=row["event_id"],
        account_id=row["account_id"],
        occurred_at=row["occurred_at"],
        received_at=row["received_at"],
        source=row["source"],
        vendor_type=row["vendor_type"],
        action=row["action"],
        touchpoint_type=row["touchpoint_type"],
        type_name=catalogue.type_name(row["touchpoint_type"]),
        phase=row["phase"],
        phase_name=catalogue.phase_name(row["phase"]),
        persona=row["persona"],
        persona_name=catalogue.persona_name(row["persona"]),
        person_id=row["person_id"],
        method=row["account_method"],
        confidence=row["account_confidence"],
        channel=row["channel"],
        page=row["page"],
        title=row["title"],
        text=row["text"],
        emotion=row["emotion"] if row["has_emotion"] else None,
        score=None if math.isnan(row["score"]) or not row["score_kind"] else row["score"],
        score_kind=row["score_kind"],
        pain=row["pain"],
        on_map=bool(row["on_map"]),
        moment_of_truth=bool(row["moment_of_truth"]),
        clock_suspect=bool(row["clock_suspect"]),
        friction_rules=tuple(row["friction_rules"]),
        signals=tuple(signal_view(catalogue, each) for each in row["signals"]),
        traffic=row.get("traffic", ""),
    )


def correction_view(row: Row) -> CorrectionView:
    return CorrectionView(
        corrected_at=row["corrected_at"],
        cause=corrected_words(row.get("cause_coded", ""), row["cause"], "; "),
        what=corrected_words(row.get("what_coded", ""), row["what"], ", "),
        touchpoints_changed=row["touchpoints_changed"],
        touchpoints_removed=row["touchpoints_removed"],
        signals_changed=row["signals_changed"],
        signals_withdrawn=row["signals_withdrawn"],
    )


def proposal_view(row: Row, answer: str = "") -> ProposalView:
    """`answer` is one that was given and is not in the store yet."""
    return ProposalView(
        proposal_id=row["proposal_id"],
        kind=row["kind"],
        a=row["a"],
        b=row["b"],
        reason=row["reason"],
        evidence=row["evidence"],
        confidence=row["confidence"],
        since=row["since"],
        status=row["status"],
        by=row["by"],
        decided_at=_since(row["decided_at"]),
        answer=answer,
        would_move=row.get("would_move", 0),
    )


def _since(at: datetime) -> datetime | None:
    return at if at > EPOCH else None
