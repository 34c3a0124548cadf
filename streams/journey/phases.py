"""Where an account stands: decisive and indicative evidence moved along the allowed transitions."""

from __future__ import annotations

from schemas.blueprint import TouchpointType
from schemas.facts import PhaseChange
from schemas.touchpoints import AttributedTouchpoint
from streams.journey.compiled import UNMAPPED, CompiledBlueprint
from streams.journey.state import MAX_TRANSITIONS, JourneyState


def move_phase(
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
