"""What the fold remembers of an account between two touchpoints. Values are immutable, so a copy is shallow."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from schemas.facts import Opportunity, PhaseChange
from schemas.touchpoints import AttributedTouchpoint
from schemas.traffic import Traffic
from streams.friction.cases import Case
from streams.friction.episodes import Episode, Mark, Signal, Wait
from streams.journey.deal_words import DealWords
from streams.journey.pain import pain_of

SortKey = tuple[datetime, str]
Slot = tuple[str, str]
"""(key of the rule's way, subject) of an episode, a trail, a wait or a case."""

MAX_TRANSITIONS = 200


@dataclass(slots=True)  # frozen would double the cost of the one thing made for every touchpoint
class Placed:
    """A touchpoint's place on the map: a TouchpointFact without revision and digest. Nobody changes one."""

    item: AttributedTouchpoint
    touchpoint_type: str
    phase: str
    home_phase: str
    persona: str
    segment: str
    on_map: bool
    moment_of_truth: bool
    importance: int
    emotion: float | None
    traffic: Traffic = "customer"
    friction: tuple[Signal, ...] = ()
    delight: tuple[Signal, ...] = ()

    @property
    def shown(self) -> tuple[object, ...]:
        """What a reader sees of it: that a signal has more evidence now is no other signal."""
        signals = [(s.signal_id, s.severity) for s in (*self.friction, *self.delight)]
        where = (self.touchpoint_type, self.phase, self.persona, self.segment, self.on_map, self.traffic)
        return (*where, self.emotion, signals)

    @property
    def pain(self) -> float:
        """Of its friction signals, 0…1."""
        return pain_of(self.friction) if self.friction else 0.0


def with_case(signal: Signal, adopted: dict[str, str]) -> Signal:
    """The signal naming the case that adopted it, if one did."""
    case_id = adopted.get(signal.signal_id, "")
    return signal if signal.case_id == case_id else signal._replace(case_id=case_id)


class Effects(Protocol):
    """Where a step tells what became visible; a later telling of the same id replaces the earlier one."""

    def place(self, placed: Placed) -> None: ...
    def signal(self, signal: Signal) -> None: ...


@dataclass(slots=True)
class JourneyState:
    """The account after some prefix of its sorted touchpoints."""

    phase: str
    high_water_phase: str
    phase_since: datetime | None = None
    last_key: SortKey | None = None
    clock: datetime | None = None
    touchpoints: int = 0
    on_map_touchpoints: int = 0
    friction_signals: int = 0
    first_seen_at: datetime | None = None
    last_seen_at: datetime | None = None
    people: dict[str, None] = field(default_factory=dict)
    left_out: dict[str, None] = field(default_factory=dict)  # people of what counts for nobody; links may move it
    transitions: tuple[PhaseChange, ...] = ()
    opportunities: dict[str, Opportunity] = field(default_factory=dict)  # never changed, always replaced
    deal_words: dict[str, DealWords] = field(default_factory=dict)  # what the CRM said of each; also replaced
    last_contact_at: datetime | None = None
    episodes: dict[Slot, Episode] = field(default_factory=dict)
    trails: dict[Slot, tuple[Mark, ...]] = field(default_factory=dict)
    waits: dict[Slot, Wait] = field(default_factory=dict)
    openers: dict[str, Placed] = field(default_factory=dict)
    silent: tuple[Slot, ...] = ()
    cases: dict[Slot, Case] = field(default_factory=dict)
    case_of: dict[Slot, str] = field(default_factory=dict)
    adopted: dict[str, str] = field(default_factory=dict)
    next_deadline: datetime | None = None

    def open_signals(self) -> dict[str, Signal]:
        """Every signal that may be told again: those of episodes, waits and cases, and the cases' parts."""
        slots: list[Episode | Wait | Case] = [*self.cases.values(), *self.episodes.values(), *self.waits.values()]
        parts = [part for case in self.cases.values() for part in case.parts]
        own = [slot.signal for slot in slots if slot.signal is not None]
        return {signal.signal_id: with_case(signal, self.adopted) for signal in [*parts, *own]}

    def copy(self) -> JourneyState:
        """Independent of the original; costs the size of its dicts, not of what is in them."""
        return JourneyState(
            phase=self.phase,
            high_water_phase=self.high_water_phase,
            phase_since=self.phase_since,
            last_key=self.last_key,
            clock=self.clock,
            touchpoints=self.touchpoints,
            on_map_touchpoints=self.on_map_touchpoints,
            friction_signals=self.friction_signals,
            first_seen_at=self.first_seen_at,
            last_seen_at=self.last_seen_at,
            people=dict(self.people),
            left_out=dict(self.left_out),
            transitions=self.transitions,
            opportunities=self.opportunities,
            deal_words=self.deal_words,
            last_contact_at=self.last_contact_at,
            episodes=dict(self.episodes),
            trails=dict(self.trails),
            waits=dict(self.waits),
            openers=dict(self.openers),
            silent=self.silent,
            cases=dict(self.cases),
            case_of=dict(self.case_of),
            adopted=dict(self.adopted),
            next_deadline=self.next_deadline,
        )
