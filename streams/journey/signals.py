"""What hurts and what delights: the order in which one touchpoint, or time alone, moves rules on."""

from __future__ import annotations

from datetime import datetime

from schemas.touchpoints import CleanTouchpoint
from streams.friction.rule_book import told_by
from streams.journey import absence_pattern, compounds, event_patterns
from streams.journey.compiled import CompiledBlueprint
from streams.journey.scene import Scene
from streams.journey.state import Effects, JourneyState, Placed, Slot

_PATTERNS = event_patterns.RUNS | {"absence": absence_pattern.absence}


def fire_until(
    blueprint: CompiledBlueprint, state: JourneyState, until: datetime, effects: Effects, *, inclusive: bool
) -> None:
    """Turn every silence whose deadline has passed into a signal, oldest first; and close what stayed calm.

    Before an event deadlines strictly earlier than it fire (an answer at the deadline is in time);
    at `as_of` deadlines up to and including it do.
    """
    while state.next_deadline is not None and (
        state.next_deadline < until or (inclusive and state.next_deadline == until)
    ):
        deadline = state.next_deadline
        _expire(blueprint, state, deadline, effects)
        state.clock = deadline if state.clock is None else max(state.clock, deadline)


def apply_rules(
    blueprint: CompiledBlueprint, state: JourneyState, placed: Placed, seen: CleanTouchpoint, effects: Effects
) -> Placed:
    """The touchpoint with the signals it carries. What it opens, grows and closes is in the state.

    `seen`: the touchpoint as conditions see it.
    """
    book, item = blueprint.rulebook, placed.item
    known = told_by(seen)
    watches = [one for one in book.watches(item.touchpoint) if not one.asks or not one.asks.isdisjoint(known)]
    moved = book.advances if state.transitions and state.transitions[-1].event_id == item.event_id else ()
    if placed.on_map:
        state.last_contact_at = item.touchpoint.ordered_at
    if not (watches or moved or (placed.on_map and state.silent)):
        return placed
    scene = Scene(book, state, placed, effects, seen)
    if placed.on_map and state.silent:
        absence_pattern.broken_silence(scene)
    for watch in watches:
        _PATTERNS[watch.pattern](watch, scene)
    for rule in moved:
        event_patterns.advance(rule, scene)
    if scene.stirred:
        absence_pattern.reschedule(book, state)
    return scene.placed


def _expire(blueprint: CompiledBlueprint, state: JourneyState, deadline: datetime, effects: Effects) -> None:
    """The first of what is due at the deadline: waits before incidents, each by their slots."""
    book = blueprint.rulebook
    due: list[Slot] = [slot for slot, wait in state.waits.items() if wait.deadline == deadline]
    if not due:
        calm = min(slot for slot, case in state.cases.items() if compounds.deadline(book, slot, case) == deadline)
        compounds.close(state, effects, calm)
    elif not absence_pattern.is_put_off(book.way(min(due)[0]), state, min(due)):
        absence_pattern.fire(book, state, min(due), deadline, effects)
    absence_pattern.reschedule(book, state)
