"""One touchpoint's effect on an account. `fold` is nothing but this, repeated over sorted history."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from schemas.blueprint import TouchpointType
from schemas.facts import PhaseChange
from schemas.touchpoints import AttributedTouchpoint, CleanTouchpoint
from streams.friction import patterns
from streams.friction.compiled import CompiledRule
from streams.friction.patterns import Episode, Place, Signal, Wait
from streams.journey.compiled import UNMAPPED, CompiledBlueprint
from streams.journey.profile import Profile
from streams.journey.state import MAX_TRANSITIONS, JourneyState, Placed, Slot

MAX_EPISODES = 512


class Effects(Protocol):
    """Where a step tells what became visible; a later telling of the same id replaces the earlier one."""

    def place(self, placed: Placed) -> None: ...
    def signal(self, signal: Signal) -> None: ...


@dataclass(frozen=True, slots=True)
class Context:
    """What a step needs beside the state: the desired journey, and who the people are."""

    blueprint: CompiledBlueprint
    profile: Profile


def initial_state(blueprint: CompiledBlueprint) -> JourneyState:
    """An account before its first touchpoint."""
    return JourneyState(phase=blueprint.initial_phase, high_water_phase=blueprint.initial_phase)


def step(context: Context, state: JourneyState, item: AttributedTouchpoint, effects: Effects) -> None:
    """Apply one touchpoint. It must not sort before the state's `last_key` or its `clock`."""
    touchpoint = item.touchpoint
    at = touchpoint.ordered_at
    fire_until(context, state, at, effects, inclusive=False)
    kind = context.blueprint.type_of(touchpoint)
    _move_phase(context.blueprint, state, item, kind)
    _count(state, item, kind)
    placed = Placed(
        item=item,
        touchpoint_type=kind.id,
        phase=state.phase,
        home_phase=kind.phase,
        persona=context.profile.persona(item.attribution.person_id),
        segment=context.profile.segment,
        on_map=kind.on_map,
        moment_of_truth=kind.moment_of_truth,
        importance=kind.importance,
        emotion=stated_emotion(touchpoint),
    )
    placed = _apply_rules(context.blueprint, state, placed, effects)
    if item.event_id in state.openers:
        state.openers[item.event_id] = placed
    effects.place(placed)
    state.last_key = item.sort_key
    state.clock = at if state.clock is None else max(state.clock, at)


def fire_until(context: Context, state: JourneyState, until: datetime, effects: Effects, *, inclusive: bool) -> None:
    """Turn every silence whose deadline has passed into a signal, oldest first.

    Before an event deadlines strictly earlier than it fire (an answer at the deadline is in time);
    at `as_of` deadlines up to and including it do.
    """
    while state.next_deadline is not None and (
        state.next_deadline < until or (inclusive and state.next_deadline == until)
    ):
        deadline = state.next_deadline
        due = min(slot for slot, wait in state.waits.items() if wait.deadline == deadline)
        _fire(context.blueprint.rule(due[0]), state, due, deadline, effects)
        state.clock = deadline if state.clock is None else max(state.clock, deadline)


def stated_emotion(touchpoint: CleanTouchpoint) -> float | None:
    """The stated score on −1…1; None without one (never zero for `no evidence`)."""
    if touchpoint.score is None:
        return None
    centre, half = {"nps": (5.0, 5.0), "csat": (3.0, 2.0), "rating": (3.0, 2.0), "ces": (4.0, 3.0)}.get(
        touchpoint.score_kind, (0.0, 0.0)
    )
    return round(min(max((touchpoint.score - centre) / half, -1.0), 1.0), 4) if half else None


def _count(state: JourneyState, item: AttributedTouchpoint, kind: TouchpointType) -> None:
    at = item.touchpoint.ordered_at
    state.touchpoints += 1
    state.on_map_touchpoints += kind.on_map
    if item.attribution.person_id:
        state.people[item.attribution.person_id] = None
    state.first_seen_at = at if state.first_seen_at is None else min(state.first_seen_at, at)
    state.last_seen_at = at if state.last_seen_at is None else max(state.last_seen_at, at)


def _move_phase(
    blueprint: CompiledBlueprint, state: JourneyState, item: AttributedTouchpoint, kind: TouchpointType
) -> None:
    decisive = blueprint.decisive_phase(item.touchpoint, state.phase)
    if decisive is not None:
        if decisive.phase != state.phase:
            _walk(blueprint, state, item, decisive.phase, f"decisive: {item.touchpoint.vendor_type}")
        return
    target = blueprint.indicative.get(state.phase)
    if target and kind is not UNMAPPED and kind.on_map and blueprint.order[kind.phase] > blueprint.order[state.phase]:
        _walk(blueprint, state, item, target, f"indicative: {kind.id}")


def _walk(
    blueprint: CompiledBlueprint, state: JourneyState, item: AttributedTouchpoint, target: str, cause: str
) -> None:
    """Move along the allowed transitions, or record that there is no such way."""
    path = blueprint.path(state.phase, target)
    if not path:
        refusal = f"{cause}; no allowed transition from {state.phase} to {target}"
        _record(state, item, target, refusal, accepted=False)
    for phase in path:
        passing = "" if phase == target else f" (on the way to {target})"
        _record(state, item, phase, cause + passing, accepted=True)
        state.phase, state.phase_since = phase, item.touchpoint.ordered_at
        if phase not in blueprint.exits and blueprint.order[phase] > blueprint.order[state.high_water_phase]:
            state.high_water_phase = phase


def _record(state: JourneyState, item: AttributedTouchpoint, target: str, cause: str, *, accepted: bool) -> None:
    at = item.touchpoint.ordered_at
    since = state.phase_since or state.first_seen_at or at
    change = PhaseChange.model_construct(
        at=at,
        from_phase=state.phase,
        to_phase=target,
        event_id=item.event_id,
        cause=cause,
        accepted=accepted,
        dwell_s=(at - since).total_seconds(),
    )
    state.transitions = (*state.transitions, change)[-MAX_TRANSITIONS:]


def _apply_rules(blueprint: CompiledBlueprint, state: JourneyState, placed: Placed, effects: Effects) -> Placed:
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
