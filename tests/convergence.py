"""Touchpoints as they arrive, through an account's writer; and what of it a reader would see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from schemas.touchpoints import AttributedTouchpoint
from streams.friction.episodes import Signal
from streams.journey.account import AccountJourney, Changes
from streams.journey.compiled import CompiledBlueprint
from streams.journey.fold import Journey
from streams.journey.state import JourneyState, Placed
from tests.journeys import AS_OF

Batches = list[list[AttributedTouchpoint]]
Clock = Callable[[Batches], datetime]


@dataclass
class Told:
    """What a reader of the store would see: the latest row of each id."""

    placed: dict[str, Placed] = field(default_factory=dict)
    signals: dict[str, Signal] = field(default_factory=dict)

    def apply(self, changes: Changes) -> None:
        self.placed |= changes.placed
        self.signals |= changes.signals
        for signal_id in changes.withdrawn:
            self.signals.pop(signal_id, None)


def live(
    batches: Batches, blueprint: CompiledBlueprint, clock: Clock, as_of: datetime = AS_OF
) -> tuple[Told, JourneyState]:
    """Batches as they arrive; a refold reads all that arrived so far. Silence counts up to `as_of` in the end."""
    account, told = AccountJourney("crm:1", blueprint), Told()
    arrived: list[AttributedTouchpoint] = []
    for index, batch in enumerate(batches):
        arrived += batch
        now = clock(batches[: index + 1])
        changes = account.accept(batch, now)
        told.apply(changes)
        if changes.refold or changes.incomplete:
            account, journey = AccountJourney.rebuilt("crm:1", blueprint, arrived, now)
            told = Told(dict(journey.placed), dict(journey.signals))
    told.apply(account.advance(as_of))
    return told, account.state


def last_event(batches: Batches) -> datetime:
    """A clock that follows the events."""
    return max(item.touchpoint.ordered_at for batch in batches for item in batch)


def visible(journey: Journey) -> tuple[object, ...]:
    """All that can be seen of a fold, and what it goes on from."""
    return (journey.placed, journey.signals, comparable(journey.state))


def comparable(state: JourneyState) -> tuple[object, ...]:
    """The part of a state that decides what comes next."""
    return (
        state.phase, state.high_water_phase, state.phase_since, state.transitions, state.touchpoints,
        state.friction_signals, sorted(state.people), state.episodes, state.trails, state.waits, state.silent,
        state.last_contact_at, state.cases, state.case_of, state.adopted, state.next_deadline, state.opportunities,
        state.deal_words,
    )  # fmt: skip
