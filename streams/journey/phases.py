"""Where an account stands: decisive and indicative evidence moved along the allowed transitions."""

from __future__ import annotations

from schemas.blueprint import Decisive, TouchpointType
from schemas.facts import PhaseChange
from schemas.ids import bare
from schemas.touchpoints import AttributedTouchpoint, CleanTouchpoint
from streams.journey.compiled import CompiledBlueprint
from streams.journey.opportunities import is_about_deal
from streams.journey.state import MAX_TRANSITIONS, JourneyState
from streams.sentences import english, said


def move_phase(
    blueprint: CompiledBlueprint,
    state: JourneyState,
    item: AttributedTouchpoint,
    seen: CleanTouchpoint,
    kind: TouchpointType,
) -> None:
    """What one touchpoint says of the phase: decisive evidence first; what does not move it so may be a hint.

    `seen`: the touchpoint as conditions see it.
    """
    found = blueprint.evidence(seen, state.phase)
    if found is not None and not _runs_beside(blueprint, state, item, found[0]):
        decisive, counts = found
        if decisive.phase == state.phase or _follow(blueprint, state, item, decisive, counts=counts):
            return
    hinted = blueprint.indicative.get(state.phase)
    if hinted and kind.on_map and blueprint.transitions.is_later(kind.phase, state.phase):
        _move(blueprint, state, item, hinted, said("indicative", type=kind.id))


def _follow(
    blueprint: CompiledBlueprint, state: JourneyState, item: AttributedTouchpoint, decisive: Decisive, *, counts: bool
) -> bool:
    """Walk where decisive evidence leads, or record why not."""
    target, event = decisive.phase, item.touchpoint.vendor_type
    if not counts:
        _refuse(blueprint, state, item, target, said("only_in", phases=", ".join(decisive.only_from)))
        return False
    path = blueprint.transitions.path(state.phase, target)
    if not path:
        _refuse(blueprint, state, item, target, said("not_allowed", phase=state.phase, to=target))
    elif held := _held_by(blueprint, state, item, target):
        _refuse(blueprint, state, item, target, held)
        return False
    for phase in path:
        is_there = phase == target
        cause = said("decisive", event=event) if is_there else said("decisive_on_the_way", event=event, to=target)
        _move(blueprint, state, item, phase, cause)
    return bool(path)


def _runs_beside(
    blueprint: CompiledBlueprint, state: JourneyState, item: AttributedTouchpoint, decisive: Decisive
) -> bool:
    """Whether it is about an expansion: a customer's further deal moves no phase, unless it ends the relation."""
    deal = state.opportunities.get(item.touchpoint.subject)
    return (
        deal is not None
        and deal.kind == "expansion"
        and state.phase in blueprint.customer_phases
        and decisive.phase not in blueprint.transitions.exits
    )


def _held_by(blueprint: CompiledBlueprint, state: JourneyState, item: AttributedTouchpoint, target: str) -> str:
    """Why an open deal keeps the account where it is, although this one is lost or went back; empty: none does."""
    this = state.opportunities.get(item.touchpoint.subject)
    if this is None or this.status not in ("lost", "open") or not is_about_deal(item.touchpoint):
        return ""
    if blueprint.transitions.direction(state.phase, target) != "backward":
        return ""
    others = (
        deal.opportunity_id for deal in state.opportunities.values() if deal.status == "open" and deal is not this
    )
    held_by = min(others, default="")
    why = "deal_lost_other_open" if this.status == "lost" else "deal_back_other_open"
    return said(why, deal=bare(held_by)) if held_by else ""


def _move(
    blueprint: CompiledBlueprint, state: JourneyState, item: AttributedTouchpoint, phase: str, cause: str
) -> None:
    transitions = blueprint.transitions
    _record(state, _change(blueprint, state, item, phase, cause))
    state.phase, state.phase_since = phase, item.touchpoint.ordered_at
    if phase not in transitions.exits and transitions.order[phase] > transitions.order[state.high_water_phase]:
        state.high_water_phase = phase


def _refuse(
    blueprint: CompiledBlueprint, state: JourneyState, item: AttributedTouchpoint, target: str, reason: str
) -> None:
    """Record a move that is not made; a refusal that only repeats the one before it is not recorded again."""
    last = state.transitions[-1] if state.transitions else None
    if last is None or (last.from_phase, last.to_phase, last.reason) != (state.phase, target, english(reason)):
        cause = said("decisive_refused", event=item.touchpoint.vendor_type, reason=reason)
        _record(state, _change(blueprint, state, item, target, cause, reason))


def _change(  # noqa: PLR0913 - a row has that many columns
    blueprint: CompiledBlueprint,
    state: JourneyState,
    item: AttributedTouchpoint,
    target: str,
    cause: str,
    reason: str = "",
) -> PhaseChange:
    at = item.touchpoint.ordered_at
    since = state.phase_since or state.first_seen_at or at
    return PhaseChange(
        at=at,
        from_phase=state.phase,
        to_phase=target,
        event_id=item.event_id,
        cause=english(cause),
        cause_coded=cause,
        accepted=not reason,
        dwell_s=(at - since).total_seconds(),
        reason=english(reason),
        direction=blueprint.transitions.direction(state.phase, target),
    )


def _record(state: JourneyState, change: PhaseChange) -> None:
    """Keep the newest; when there are too many, refused ones go first."""
    changes = (*state.transitions, change)
    if len(changes) > MAX_TRANSITIONS:
        spare = next((n for n, old in enumerate(changes[:-1]) if not old.accepted), 0)
        changes = changes[:spare] + changes[spare + 1 :]
    state.transitions = changes
