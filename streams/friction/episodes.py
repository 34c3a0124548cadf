"""What the patterns remember and conclude. Pure values: events come sorted by (ordered_at, event_id), so an
episode has one first event and one id, whatever order the events arrived in.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from math import hypot
from typing import NamedTuple
from uuid import NAMESPACE_URL

from schemas.touchpoints import AttributedTouchpoint, CleanTouchpoint
from streams.friction.compiled import CompiledRule, Targets
from streams.friction.words import Words, explain
from streams.friction.working_time import WorkingTime
from streams.ids import named_id
from streams.matching.conditions import number_of

MAX_EVIDENCE = 20
MAX_TRAIL = 32
MAX_PARTS = 50
MAX_FIELDS = 12


class Signal(NamedTuple):
    """One episode as it stands: a SignalFact without account and revision.

    `case_id` is the compound signal that adopted it; `parts` are the signals a compound one is made of.
    """

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
    case_id: str = ""
    parts: tuple[str, ...] = ()
    explanation_coded: str = ""


class Place(NamedTuple):
    """Where the touchpoint that carries a signal stands on the map."""

    touchpoint_type: str
    phase: str
    targets: Targets


class Mark(NamedTuple):
    """What is remembered of an event of a trail: `value` of the field that counts, `steps` it matches as bits."""

    at: datetime
    event_id: str
    value: str = ""
    steps: int = 0


class Spot(NamedTuple):
    """Where a click hit."""

    element: str
    x: float | None
    y: float | None


class Episode(NamedTuple):
    """A run of matching events of one subject. `signal` once it is one."""

    first: Mark
    last_at: datetime
    evidence: tuple[str, ...]
    size: int
    signal: Signal | None = None
    spot: Spot | None = None


class Wait(NamedTuple):
    """Something opened that must be closed by `deadline`; None while the clock is stopped, or for ever once done.

    `hours`: those in which its clock runs; None: all.
    """

    opener: AttributedTouchpoint
    allowed: timedelta
    deadline: datetime | None
    remaining: timedelta
    noted: tuple[str, ...] = ()
    signal: Signal | None = None
    done: bool = False
    hours: WorkingTime | None = None

    def after(self, at: datetime, span: timedelta) -> datetime:
        """When `span` has passed since `at`, by the clock of this wait."""
        return at + span if self.hours is None else self.hours.after(at, span)

    def until(self, deadline: datetime, at: datetime) -> timedelta:
        """What is left at `at`, by the clock of this wait."""
        return deadline - at if self.hours is None else self.hours.between(at, deadline)


def signal_id(key: str, first: str) -> str:
    """The same episode has the same id: it depends on the rule and the first event (or part) alone."""
    return named_id(NAMESPACE_URL, f"touchline:signal:{key}:{first}")


def begin(item: AttributedTouchpoint, count: int = 1) -> Episode:
    """An episode that this event opens."""
    mark = Mark(item.touchpoint.ordered_at, item.event_id)
    return Episode(mark, mark.at, (item.event_id,), count)


def grow(episode: Episode, item: AttributedTouchpoint) -> Episode:
    """The episode with one more event; evidence keeps the oldest."""
    evidence = episode.evidence
    if len(evidence) < MAX_EVIDENCE:
        evidence = (*evidence, item.event_id)
    return episode._replace(last_at=item.touchpoint.ordered_at, evidence=evidence, size=episode.size + 1)


def gathered(marks: tuple[Mark, ...], at: datetime, count: int) -> Episode:
    """An episode of events that were remembered until there were enough."""
    evidence = tuple(mark.event_id for mark in marks)
    return Episode(marks[0], at, evidence[:MAX_EVIDENCE], count)


def signalled(rule: CompiledRule, episode: Episode, item: AttributedTouchpoint, place: Place, words: Words) -> Episode:
    """The episode as a signal. The event that made it one carries it; `item` is its latest."""
    before = episode.signal
    why = explain(rule, item.touchpoint, episode.size, words)
    signal = Signal(
        signal_id=signal_id(rule.key, episode.first.event_id),
        rule=rule.id,
        rule_version=rule.rule.version,
        polarity=rule.rule.polarity,
        severity=rule.severity(item.touchpoint, place.targets, episode.size),
        event_id=before.event_id if before else item.event_id,
        person_id=before.person_id if before else item.attribution.person_id,
        opened_at=episode.first.at,
        closed_at=episode.last_at,
        evidence=episode.evidence,
        evidence_count=episode.size,
        explanation=why.text,
        explanation_coded=why.coded,
        touchpoint_type=before.touchpoint_type if before else place.touchpoint_type,
        phase=before.phase if before else place.phase,
    )
    return episode._replace(signal=signal)


def at_spot(episode: Episode, touchpoint: CleanTouchpoint) -> Episode:
    """The episode, last hit here."""
    return episode._replace(spot=spot_of(touchpoint))


def spot_of(touchpoint: CleanTouchpoint) -> Spot:
    """Where a click hit."""
    return Spot(touchpoint.element, number_of(touchpoint, "x"), number_of(touchpoint, "y"))


def is_near(one: Spot, other: Spot, within_px: float) -> bool:
    """The same element, or no further apart than that."""
    if one.element and one.element == other.element:
        return True
    if one.x is None or one.y is None or other.x is None or other.y is None:
        return False
    return hypot(one.x - other.x, one.y - other.y) <= within_px


def open_wait(item: AttributedTouchpoint, allowed: timedelta, hours: WorkingTime | None = None) -> Wait:
    """Begin to wait."""
    wait = Wait(item, allowed, None, allowed, hours=hours)
    return _noting(wait._replace(deadline=wait.after(item.touchpoint.ordered_at, allowed)), item)


def restart_wait(wait: Wait, item: AttributedTouchpoint, *, anew: bool) -> Wait:
    """A further opening event: noted, and the clock, if it runs, starts anew when the rule says so."""
    if anew and wait.deadline is not None:
        wait = wait._replace(deadline=wait.after(item.touchpoint.ordered_at, wait.allowed))
    return _noting(wait, item)


def pause_wait(wait: Wait, at: datetime) -> Wait:
    """Stop the clock: it is the customer's turn."""
    if wait.deadline is None:
        return wait
    return wait._replace(deadline=None, remaining=wait.until(wait.deadline, at))


def resume_wait(wait: Wait, at: datetime) -> Wait:
    """Start the clock again with what remained."""
    return wait._replace(deadline=wait.after(at, wait.remaining)) if wait.deadline is None else wait


def put_off(wait: Wait, deadline: datetime) -> Wait:
    """The wait with a later deadline."""
    return wait._replace(deadline=deadline)


def done(wait: Wait) -> Wait:
    """The wait as over for good: its subject does not open again."""
    return wait._replace(deadline=None, done=True)


def fire_wait(rule: CompiledRule, wait: Wait, at: datetime, place: Place) -> Wait:
    """Silence became a signal at `at`; the opener carries it. Good silence is over at once, bad goes on."""
    opener = wait.opener
    words: Words = {"allowed": wait.allowed, "fields": wait.noted, "working": wait.hours is not None}
    why = explain(rule, opener.touchpoint, 1, words)
    signal = Signal(
        signal_id=signal_id(rule.key, opener.event_id),
        rule=rule.id,
        rule_version=rule.rule.version,
        polarity=rule.rule.polarity,
        severity=rule.severity(opener.touchpoint, place.targets, rule.rule.count),
        event_id=opener.event_id,
        person_id=opener.attribution.person_id,
        opened_at=at,
        closed_at=at if rule.rule.polarity == "delight" else None,
        evidence=(opener.event_id,),
        evidence_count=1,
        explanation=why.text,
        explanation_coded=why.coded,
        touchpoint_type=place.touchpoint_type,
        phase=place.phase,
    )
    return wait._replace(signal=signal, deadline=None, done=rule.rule.polarity == "delight")


def close_wait(signal: Signal, item: AttributedTouchpoint) -> Signal:
    """The signal as ended by `item`."""
    evidence = (*signal.evidence, item.event_id)[:MAX_EVIDENCE]
    closed_at = item.touchpoint.ordered_at
    return signal._replace(closed_at=closed_at, evidence=evidence, evidence_count=signal.evidence_count + 1)


def _noting(wait: Wait, item: AttributedTouchpoint) -> Wait:
    name = item.touchpoint.element
    if not name or name in wait.noted or len(wait.noted) >= MAX_FIELDS:
        return wait
    return wait._replace(noted=(*wait.noted, name))
