"""Compound signals: several signals of one account as one incident. Pure values, like the patterns."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from schemas.friction_rules import SignalMatch
from streams.friction.compiled import CompiledRule
from streams.friction.episodes import MAX_EVIDENCE, MAX_PARTS, Signal, signal_id
from streams.friction.words import explained


class Bearing(NamedTuple):
    """What compound rules ask about a signal beside the signal itself."""

    stated: bool
    role: str
    moment_of_truth: bool
    fields: Mapping[str, str]


class Case(NamedTuple):
    """Signals that belong together. `met` are the (alternative, kind) pairs of the rule that some part is.

    `parts` holds the first ones as they stand now; beyond MAX_PARTS they only count.
    """

    parts: tuple[Signal, ...]
    size: int
    met: frozenset[tuple[int, int]]
    keys: tuple[str, ...]
    last_at: datetime
    signal: Signal | None = None


def kinds_of(rule: CompiledRule, signal: Signal, bearing: Bearing) -> frozenset[tuple[int, int]]:
    """The kinds of signal the rule asks for that this one is."""
    return frozenset(
        (alternative, kind)
        for alternative, wanted in enumerate(rule.rule.of)
        for kind, match in enumerate(wanted)
        if _holds(match, signal, bearing)
    )


def keys_of(rule: CompiledRule, bearing: Bearing) -> tuple[str, ...]:
    """What signals of one case share: any of `joins_by`, or else all of `group_by`; empty: it joins nothing."""
    if rule.rule.joins_by:
        return tuple(f"{name}={bearing.fields[name]}" for name in rule.rule.joins_by if bearing.fields[name])
    values = [bearing.fields[name] for name in rule.rule.group_by]
    return ("\x1f".join(values),) if all(values) else ()


def with_part(
    case: Case | None, signal: Signal, met: frozenset[tuple[int, int]], keys: tuple[str, ...], at: datetime
) -> Case:
    """The case with one more part, or a new one."""
    if case is None:
        return Case((signal,), 1, met, keys, at)
    parts = (*case.parts, signal) if len(case.parts) < MAX_PARTS else case.parts
    joined = (*case.keys, *(key for key in keys if key not in case.keys))
    return case._replace(parts=parts, size=case.size + 1, met=case.met | met, keys=joined, last_at=at)


def with_changed(case: Case, signal: Signal, at: datetime | None) -> Case:
    """The case with a part as it stands now; `at`: the part grew then, None: it only ended."""
    parts = tuple(signal if part.signal_id == signal.signal_id else part for part in case.parts)
    return case._replace(parts=parts, last_at=case.last_at if at is None else max(at, case.last_at))


def judged(rule: CompiledRule, case: Case) -> Case:
    """The case with its signal, if it is one by now."""
    if case.signal is None and not _fires(rule, case):
        return case
    rules = tuple(dict.fromkeys(part.rule for part in case.parts))
    first = case.parts[0]
    known = {"count": case.size, "parts": rules, "waited_s": int(rule.within.total_seconds()), "working": False}
    why = explained(rule, {name: known[name] for name in rule.parameters})
    signal = Signal(
        signal_id=signal_id(rule.key, first.signal_id),
        rule=rule.id,
        rule_version=rule.rule.version,
        polarity=rule.rule.polarity,
        severity=_severity(rule, case, len(rules)),
        event_id=first.event_id,
        person_id=first.person_id,
        opened_at=first.opened_at,
        closed_at=None,
        evidence=tuple(dict.fromkeys(part.event_id for part in case.parts))[:MAX_EVIDENCE],
        evidence_count=case.size,
        explanation=why.text,
        explanation_coded=why.coded,
        touchpoint_type=first.touchpoint_type,
        phase=first.phase,
        parts=tuple(part.signal_id for part in case.parts),
    )
    return case._replace(signal=signal)


def calmed(case: Case) -> Signal | None:
    """The case's signal as ended: nothing came for long enough."""
    return case.signal._replace(closed_at=case.last_at) if case.signal else None


def _fires(rule: CompiledRule, case: Case) -> bool:
    """Some alternative is complete; and several rules must have found something in several moments."""
    whole = any(all((i, kind) in case.met for kind in range(len(wanted))) for i, wanted in enumerate(rule.rule.of))
    least = rule.rule.count
    return (
        whole
        and len({part.rule for part in case.parts}) >= least
        and len({part.event_id for part in case.parts}) >= least
    )


def _severity(rule: CompiledRule, case: Case, rules: int) -> float:
    severity = rule.rule.severity
    worst = max(part.severity for part in case.parts) if severity.of_parts else 0.0
    return round(min(max(severity.base, worst) + severity.step * max(rules - rule.rule.count, 0), 1.0), 4)


def _holds(match: SignalMatch, signal: Signal, bearing: Bearing) -> bool:
    return (
        (not match.polarity or match.polarity == signal.polarity)
        and (match.stated is None or match.stated == bearing.stated)
        and (not match.rules or signal.rule in match.rules)
        and signal.severity >= match.at_least
        and (not match.roles or bearing.role in match.roles)
        and (not match.moment_of_truth or bearing.moment_of_truth)
    )
