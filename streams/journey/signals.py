"""What hurts and what delights: one touchpoint's effect on an account's episodes and waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from schemas.touchpoints import AttributedTouchpoint
from streams.friction import patterns
from streams.friction.compiled import CompiledRule
from streams.friction.patterns import Episode, Place, Signal, Wait
from streams.journey.compiled import CompiledBlueprint
from streams.journey.state import Effects, JourneyState, Placed, Slot

MAX_EPISODES = 512


def fire_until(
    blueprint: CompiledBlueprint, state: JourneyState, until: datetime, effects: Effects, *, inclusive: bool
) -> None:
    """Turn every silence whose deadline has passed into a signal, oldest first.

    Before an event deadlines strictly earlier than it fire (an answer at the deadline is in time);
    at `as_of` deadlines up to and including it do.
    """
    while state.next_deadline is not None and (
        state.next_deadline < until or (inclusive and state.next_deadline == until)
    ):
        deadline = state.next_deadline
        due = min(slot for slot, wait in state.waits.items() if wait.deadline == deadline)
        _fire(blueprint.rule(due[0]), state, due, deadline, effects)
        state.clock = deadline if state.clock is None else max(state.clock, deadline)


def apply_rules(blueprint: CompiledBlueprint, state: JourneyState, placed: Placed, effects: Effects) -> Placed:
    for rule in blueprint.rules_for(placed.item.touchpoint.action):
        placed = _PATTERNS[rule.rule.pattern](rule, state, placed, effects)
    return placed


def _episode(
    grow: Callable[[CompiledRule, Episode | None, AttributedTouchpoint, Place], Episode],
) -> Callable[[CompiledRule, JourneyState, Placed, Effects], Placed]:
    def apply(rule: CompiledRule, state: JourneyState, placed: Placed, effects: Effects) -> Placed:
        if not rule.counts(placed.item.touchpoint):
            return placed
        slot = (rule.id, rule.subject(placed.item))
        before = state.episodes.get(slot)
        episode = grow(rule, before, placed.item, (placed.touchpoint_type, placed.phase))
        state.episodes[slot] = episode
        if len(state.episodes) > MAX_EPISODES:
            _forget_oldest(state)
        if episode.signal is None:
            return placed
        if before is None or before.signal is None or before.signal.signal_id != episode.signal.signal_id:
            state.friction_signals += episode.signal.polarity == "friction"
        effects.signal(episode.signal)
        return _carry(placed, episode.signal)

    return apply


def _absence(rule: CompiledRule, state: JourneyState, placed: Placed, effects: Effects) -> Placed:
    touchpoint = placed.item.touchpoint
    slot = (rule.id, rule.subject(placed.item))
    wait = state.waits.get(slot)
    if wait is None:
        if rule.opens(touchpoint):
            _open(rule, state, slot, placed)
    elif rule.closes(touchpoint):
        _close(state, slot, wait, placed.item, effects)
    elif rule.opens(touchpoint) and wait.signal is not None:
        _close(state, slot, wait, placed.item, effects)
        _open(rule, state, slot, placed)
    elif rule.ends(touchpoint) and wait.signal is None:
        _fire(rule, state, slot, touchpoint.ordered_at, effects)
    else:
        _turn_clock(rule, state, slot, placed.item)
    return placed


def _open(rule: CompiledRule, state: JourneyState, slot: Slot, placed: Placed) -> None:
    state.openers[placed.item.event_id] = placed
    state.waits[slot] = patterns.open_wait(rule, None, placed.item)
    if len(state.waits) > MAX_EPISODES:
        _drop_wait(state, next(iter(state.waits)))
    _reschedule(state)


def _turn_clock(rule: CompiledRule, state: JourneyState, slot: Slot, item: AttributedTouchpoint) -> None:
    """Stop the clock, start it again, or start it anew."""
    wait, at = state.waits[slot], item.touchpoint.ordered_at
    if rule.pauses(item.touchpoint):
        state.waits[slot] = patterns.pause_wait(wait, at)
    elif rule.resumes(item.touchpoint):
        state.waits[slot] = patterns.resume_wait(wait, at)
    elif rule.opens(item.touchpoint):
        state.waits[slot] = patterns.open_wait(rule, wait, item)
    _reschedule(state)


def _close(state: JourneyState, slot: Slot, wait: Wait, item: AttributedTouchpoint, effects: Effects) -> None:
    closed = patterns.close_wait(wait, item)
    if closed is not None:
        effects.signal(closed)
    _drop_wait(state, slot)
    _reschedule(state)


def _fire(rule: CompiledRule, state: JourneyState, slot: Slot, at: datetime, effects: Effects) -> None:
    """The wait became a signal; the touchpoint that opened it carries it from now on."""
    opener = state.openers[state.waits[slot].opener.event_id]
    wait = patterns.fire_wait(rule, state.waits[slot], at, (opener.touchpoint_type, opener.phase))
    assert wait.signal is not None
    state.waits[slot] = wait
    state.friction_signals += wait.signal.polarity == "friction"
    opener = _carry(opener, wait.signal)
    state.openers[wait.opener.event_id] = opener
    effects.signal(wait.signal)
    effects.place(opener)
    _reschedule(state)


def _carry(placed: Placed, signal: Signal) -> Placed:
    if signal.polarity == "delight":
        return replace(placed, delight=(*placed.delight, signal))
    return replace(placed, friction=(*placed.friction, signal))


def _drop_wait(state: JourneyState, slot: Slot) -> None:
    opener = state.waits.pop(slot).opener.event_id
    if all(wait.opener.event_id != opener for wait in state.waits.values()):
        state.openers.pop(opener, None)


def _forget_oldest(state: JourneyState) -> None:
    """Keep the younger half: an episode that long without a successor is over."""
    by_age = sorted(state.episodes.items(), key=lambda slot_episode: (slot_episode[1].last_at, slot_episode[0]))
    state.episodes = dict(by_age[len(by_age) // 2 :])


def _reschedule(state: JourneyState) -> None:
    state.next_deadline = min((w.deadline for w in state.waits.values() if w.deadline is not None), default=None)


_PATTERNS: dict[str, Callable[[CompiledRule, JourneyState, Placed, Effects], Placed]] = {
    "burst": _episode(patterns.burst),
    "each": _episode(patterns.each),
    "absence": _absence,
}
