"""One touchpoint's effect on an account. `fold` is nothing but this, repeated over sorted history."""

from __future__ import annotations

from dataclasses import dataclass, replace

from schemas.blueprint import TouchpointType
from schemas.touchpoints import AttributedTouchpoint
from schemas.traffic import Traffic
from streams.emotion.stated import stated_emotion
from streams.journey.amended import Amended
from streams.journey.compiled import CompiledBlueprint
from streams.journey.opportunities import follow_deal
from streams.journey.phases import move_phase
from streams.journey.profile import Profile
from streams.journey.signals import apply_rules, fire_until
from streams.journey.state import Effects, JourneyState, Placed


@dataclass(frozen=True, slots=True)
class Context:
    """What a step needs beside the state: the desired journey, who the people are, and what was taken back."""

    blueprint: CompiledBlueprint
    profile: Profile
    amended: Amended


def initial_state(blueprint: CompiledBlueprint) -> JourneyState:
    """An account before its first touchpoint."""
    return JourneyState(phase=blueprint.initial_phase, high_water_phase=blueprint.initial_phase)


def step(context: Context, state: JourneyState, item: AttributedTouchpoint, effects: Effects) -> None:
    """Apply one touchpoint. It must not sort before the state's `last_key` or its `clock`."""
    touchpoint = item.touchpoint
    at = touchpoint.ordered_at
    fire_until(context.blueprint, state, at, effects, inclusive=False)
    kind, traffic = context.blueprint.type_of(touchpoint), context.profile.consents.traffic(item)
    if not context.blueprint.traffic.counts(traffic):
        _leave_out(context, state, item, kind, traffic, effects)
        return
    if item.event_id in context.amended.back:
        _take_back(context, state, item, kind, traffic, effects)
        return
    is_customer = state.phase in context.blueprint.customer_phases
    seen = follow_deal(context.blueprint.deals, state, item, is_customer=is_customer)
    move_phase(context.blueprint, state, item, seen, kind)
    _count(state, item, kind, traffic)
    placed = _placed(context, state, item, kind, traffic, stated_emotion(touchpoint))
    placed = apply_rules(context.blueprint, state, placed, seen, effects)
    if item.event_id in state.openers:
        state.openers[item.event_id] = placed
    effects.place(placed)
    _pass(state, item)


def _leave_out(
    context: Context,
    state: JourneyState,
    item: AttributedTouchpoint,
    kind: TouchpointType,
    traffic: Traffic,
    effects: Effects,
) -> None:
    """Kept where it was, with what it is; it moves no phase, no rule and no wait, and is no contact moment."""
    state.touchpoints += 1
    if person := item.attribution.person_id:
        state.left_out[person] = None
    placed = _placed(context, state, item, kind, traffic, stated_emotion(item.touchpoint))
    effects.place(replace(placed, on_map=False))
    _pass(state, item)


def _take_back(
    context: Context,
    state: JourneyState,
    item: AttributedTouchpoint,
    kind: TouchpointType,
    traffic: Traffic,
    effects: Effects,
) -> None:
    """It happened, so it is a contact moment; but a later word took back what it said."""
    _count(state, item, kind, traffic)
    if kind.on_map:
        state.last_contact_at = item.touchpoint.ordered_at
    effects.place(_placed(context, state, item, kind, traffic))
    _pass(state, item)


def _placed(
    context: Context,
    state: JourneyState,
    item: AttributedTouchpoint,
    kind: TouchpointType,
    traffic: Traffic,
    emotion: float | None = None,
) -> Placed:
    """Where it stands; what it says of friction comes later. Of who declined it is told without their persona."""
    return Placed(
        item=item,
        touchpoint_type=kind.id,
        phase=state.phase,
        home_phase=kind.phase,
        persona=context.profile.persona("" if traffic == "declined" else item.attribution.person_id),
        segment=context.profile.segment,
        on_map=kind.on_map,
        moment_of_truth=kind.moment_of_truth,
        importance=kind.importance,
        emotion=emotion,
        traffic=traffic,
    )


def _pass(state: JourneyState, item: AttributedTouchpoint) -> None:
    """What sorts up to here was told."""
    at = item.touchpoint.ordered_at
    state.last_key = item.sort_key
    if state.clock is None or at > state.clock:
        state.clock = at


def _count(state: JourneyState, item: AttributedTouchpoint, kind: TouchpointType, traffic: Traffic) -> None:
    """Count it as a contact moment; of who declined, as nobody's."""
    at = item.touchpoint.ordered_at
    state.touchpoints += 1
    state.on_map_touchpoints += kind.on_map
    if person := item.attribution.person_id:
        (state.left_out if traffic == "declined" else state.people)[person] = None
    state.first_seen_at = state.first_seen_at or at
    state.last_seen_at = at
