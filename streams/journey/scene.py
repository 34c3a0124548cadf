"""One moment of one account: where rules read, and where what they find is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from schemas.touchpoints import CleanTouchpoint
from streams.friction.cases import Bearing
from streams.friction.compiled import Targets
from streams.friction.episodes import Place, Signal
from streams.friction.rule_book import RuleBook
from streams.journey import compounds
from streams.journey.state import Effects, JourneyState, Placed, with_case
from streams.matching.recognition import UNMAPPED


class Scene:
    """`placed` is the touchpoint that happens, or the opener of a wait whose time is up; `seen`: as conditions see it.

    `stirred`: something was found, so deadlines of incidents may have moved.
    """

    __slots__ = ("at", "book", "effects", "placed", "seen", "state", "stirred")

    def __init__(
        self, book: RuleBook, state: JourneyState, placed: Placed, effects: Effects, seen: CleanTouchpoint | None = None
    ) -> None:
        self.book, self.state, self.placed, self.effects = book, state, placed, effects
        self.seen = placed.item.touchpoint if seen is None else seen
        self.stirred, self.at = False, placed.item.touchpoint.ordered_at

    @property
    def targets(self) -> Targets:
        """Those of the touchpoint's type."""
        return self.book.targets(self.placed.touchpoint_type)

    @property
    def place(self) -> Place:
        """Where the touchpoint stands."""
        return Place(self.placed.touchpoint_type, self.placed.phase, self.targets)

    def found(self, signal: Signal, at: datetime, *, is_new: bool) -> None:
        """A signal, or one that grew: the touchpoint carries it, and compound rules see it."""
        self.state.friction_signals += is_new and signal.polarity == "friction"
        self.placed = _carry(self.placed, signal)
        self.effects.signal(with_case(signal, self.state.adopted))
        self._note(signal, self.placed, at)
        self.stirred = True

    def ended(self, signal: Signal, carrier: Placed) -> None:
        """A signal that is over; `carrier` is the touchpoint that carries it."""
        self.effects.signal(with_case(signal, self.state.adopted))
        self._note(signal, carrier, None)

    def _note(self, signal: Signal, carrier: Placed, at: datetime | None) -> None:
        if not self.book.compounds:
            return
        touchpoint = carrier.item.touchpoint
        bearing = Bearing(
            stated=self.book.rule(signal.rule).stated,
            role=self.book.roles.get(carrier.persona, ""),
            moment_of_truth=carrier.moment_of_truth,
            fields={
                "person": signal.person_id,
                "touchpoint_type": "" if signal.touchpoint_type == UNMAPPED.id else signal.touchpoint_type,
                "page": touchpoint.page,
                "subject": touchpoint.subject,
            },
        )
        compounds.note(self.book, self.state, self.effects, signal, bearing, at)


def _carry(placed: Placed, signal: Signal) -> Placed:
    """The touchpoint with the signal; never twice."""
    if signal.polarity == "delight":
        kept = tuple(known for known in placed.delight if known.signal_id != signal.signal_id)
        return replace(placed, delight=(*kept, signal))
    kept = tuple(known for known in placed.friction if known.signal_id != signal.signal_id)
    return replace(placed, friction=(*kept, signal))
