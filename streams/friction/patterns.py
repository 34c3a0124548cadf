"""The three patterns that turn events into episodes. Pure: they take a state's slots and return effects.

Events come sorted by (ordered_at, event_id); so an episode has one first event and one id,
whatever order the events arrived in. All boundaries are inclusive.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import NAMESPACE_URL, uuid5

from schemas.touchpoints import AttributedTouchpoint
from streams.friction.compiled import CompiledRule

MAX_EVIDENCE = 20


@dataclass(frozen=True, slots=True)
class Signal:
    """One episode as it stands: a SignalFact without account and revision."""

    signal_id: str
    rule: str
    rule_version: int
    polarity: str
    severity: float
    event_id: str
    person_id: str
    opened_at: datetime
    closed_at: datetime | None
    evidence: tuple[str, ...]
    evidence_count: int
    explanation: str
    touchpoint_type: str
    phase: str


Place = tuple[str, str]
"""(touchpoint type, phase) of the touchpoint that carries a signal."""


@dataclass(frozen=True, slots=True)
class Episode:
    """A run of matching events of one subject (burst, each). `signal` once it is one."""

    first: AttributedTouchpoint
    last_at: datetime
    evidence: tuple[str, ...]
    count: int
    signal: Signal | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Something opened that must be closed by `deadline`; None while the clock is stopped."""

    opener: AttributedTouchpoint
    deadline: datetime | None
    remaining: timedelta
    signal: Signal | None = None


def signal_id(rule_id: str, first_event_id: str) -> str:
    """The same episode has the same id: it depends on the rule and the first event alone."""
    return str(uuid5(NAMESPACE_URL, f"touchline:signal:{rule_id}:{first_event_id}"))


def burst(rule: CompiledRule, episode: Episode | None, item: AttributedTouchpoint, place: Place) -> Episode:
    """The episode after one more matching event: joined when it follows within the gap, else begun anew."""
    at = item.touchpoint.ordered_at
    if episode is None or at - episode.last_at > rule.within:
        grown = Episode(item, at, (item.event_id,), 1)
    else:
        grown = _grow(episode, item, at)
    return _with_signal(rule, grown, item, place) if grown.count >= rule.rule.count else grown


def each(rule: CompiledRule, episode: Episode | None, item: AttributedTouchpoint, place: Place) -> Episode:
    """Every matching event is an occurrence; those within `within_s` of the last (0: any time) join its episode."""
    at = item.touchpoint.ordered_at
    if episode is None or (rule.within and at - episode.last_at > rule.within):
        return _with_signal(rule, Episode(item, at, (item.event_id,), 1), item, place)
    return _with_signal(rule, _grow(episode, item, at), item, place)


def open_wait(rule: CompiledRule, wait: Wait | None, item: AttributedTouchpoint) -> Wait:
    """Begin to wait. A wait that is open goes on, or starts its clock anew when the rule restarts."""
    if wait is None or wait.signal is not None:
        return Wait(item, item.touchpoint.ordered_at + rule.within, rule.within)
    if rule.rule.restarts and wait.deadline is not None:
        return replace(wait, deadline=item.touchpoint.ordered_at + rule.within)
    return wait


def pause_wait(wait: Wait, at: datetime) -> Wait:
    """Stop the clock: it is the customer's turn."""
    if wait.deadline is None or wait.signal is not None:
        return wait
    return replace(wait, deadline=None, remaining=wait.deadline - at)


def resume_wait(wait: Wait, at: datetime) -> Wait:
    """Start the clock again with what remained."""
    if wait.deadline is not None or wait.signal is not None:
        return wait
    return replace(wait, deadline=at + wait.remaining)


def fire_wait(rule: CompiledRule, wait: Wait, at: datetime, place: Place) -> Wait:
    """Silence became a signal at `at`; the opener carries it."""
    opener = wait.opener
    signal = Signal(
        signal_id=signal_id(rule.id, opener.event_id),
        rule=rule.id,
        rule_version=rule.rule.version,
        polarity=rule.rule.polarity,
        severity=rule.severity(opener.touchpoint, rule.rule.count),
        event_id=opener.event_id,
        person_id=opener.attribution.person_id,
        opened_at=at,
        closed_at=None,
        evidence=(opener.event_id,),
        evidence_count=1,
        explanation=explain(rule, opener, 1),
        touchpoint_type=place[0],
        phase=place[1],
    )
    return replace(wait, signal=signal, deadline=None)


def close_wait(wait: Wait, item: AttributedTouchpoint) -> Signal | None:
    """The signal as closed by `item`; None when the wait was met in time."""
    if wait.signal is None:
        return None
    return replace(
        wait.signal,
        closed_at=item.touchpoint.ordered_at,
        evidence=(*wait.signal.evidence, item.event_id),
        evidence_count=wait.signal.evidence_count + 1,
    )


def explain(rule: CompiledRule, item: AttributedTouchpoint, count: int) -> str:
    """The rule's explanation with this episode's particulars."""
    touchpoint = item.touchpoint
    words = {
        "count": count,
        "element": touchpoint.element or "an element",
        "page": touchpoint.page or "the page",
        "score": f"{touchpoint.score:g}" if touchpoint.score is not None else "?",
        "waited": spoken(rule.within),
        "subject": touchpoint.subject or "it",
        "title": touchpoint.title or touchpoint.subject or "it",
    }
    return rule.rule.explanation.format_map(words)


def spoken(duration: timedelta) -> str:
    """A duration in its largest whole unit: `4 hours`, `30 minutes`."""
    seconds = int(duration.total_seconds())
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size} {unit}{'s' if seconds != size else ''}"
    return f"{seconds} seconds"


def _grow(episode: Episode, item: AttributedTouchpoint, at: datetime) -> Episode:
    evidence = episode.evidence
    if len(evidence) < MAX_EVIDENCE:
        evidence = (*evidence, item.event_id)
    return replace(episode, last_at=at, evidence=evidence, count=episode.count + 1)


def _with_signal(rule: CompiledRule, episode: Episode, item: AttributedTouchpoint, place: Place) -> Episode:
    first, before = episode.first, episode.signal
    signal = Signal(
        signal_id=signal_id(rule.id, first.event_id),
        rule=rule.id,
        rule_version=rule.rule.version,
        polarity=rule.rule.polarity,
        severity=rule.severity(item.touchpoint, episode.count),
        event_id=before.event_id if before else item.event_id,
        person_id=item.attribution.person_id,
        opened_at=first.touchpoint.ordered_at,
        closed_at=None,
        evidence=episode.evidence,
        evidence_count=episode.count,
        explanation=explain(rule, item, episode.count),
        touchpoint_type=before.touchpoint_type if before else place[0],
        phase=before.phase if before else place[1],
    )
    return replace(episode, signal=signal)
