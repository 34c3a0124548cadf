"""Compound signals as an account lives them: cases open, grow, adopt their parts, and close when it stays calm."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from streams.friction import cases
from streams.friction.cases import Bearing, Case
from streams.friction.compiled import CompiledRule
from streams.friction.episodes import Signal
from streams.friction.rule_book import RuleBook
from streams.journey.state import Effects, JourneyState, Slot, with_case

MAX_CASES: Final = 64
MAX_ADOPTED: Final = 512


def note(
    book: RuleBook, state: JourneyState, effects: Effects, signal: Signal, bearing: Bearing, at: datetime | None
) -> None:
    """A signal was found or grew at `at`; or only ended, then `at` is None."""
    for rule in book.compounds:
        keys = cases.keys_of(rule, bearing)
        slot = _case_with(rule, state, keys, signal.signal_id)
        if slot is not None:
            _keep(rule, state, effects, slot, cases.with_changed(state.cases[slot], signal, at))
        elif at is not None and (met := cases.kinds_of(rule, signal, bearing)) and keys:
            slot = _case_near(rule, state, keys, at) or (rule.key, signal.signal_id)
            _keep(rule, state, effects, slot, cases.with_part(state.cases.get(slot), signal, met, keys, at))
    if len(state.cases) > MAX_CASES:
        _forget_oldest(state)


def close(state: JourneyState, effects: Effects, slot: Slot) -> None:
    """Nothing came for long enough: the incident is over."""
    ended = cases.calmed(state.cases[slot])
    assert ended is not None
    effects.signal(ended)
    drop(state, slot)


def deadline(book: RuleBook, slot: Slot, case: Case) -> datetime | None:
    """When the case is over unless something comes; None while it is no incident."""
    return None if case.signal is None else case.last_at + book.way(slot[0]).within


def drop(state: JourneyState, slot: Slot) -> None:
    """Forget a case and where it is found."""
    case = state.cases.pop(slot)
    for key in case.keys:
        if state.case_of.get((slot[0], key)) == slot[1]:
            del state.case_of[(slot[0], key)]


def _case_with(rule: CompiledRule, state: JourneyState, keys: tuple[str, ...], signal_id: str) -> Slot | None:
    """The case that has this signal as a part already."""
    for key in keys:
        slot = (rule.key, state.case_of.get((rule.key, key), ""))
        case = state.cases.get(slot)
        if case is not None and any(part.signal_id == signal_id for part in case.parts):
            return slot
    return None


def _case_near(rule: CompiledRule, state: JourneyState, keys: tuple[str, ...], at: datetime) -> Slot | None:
    """The oldest case that shares a key and is not over."""
    slots = {(rule.key, found) for key in keys if (found := state.case_of.get((rule.key, key))) is not None}
    alive = [slot for slot in slots if at - state.cases[slot].last_at <= rule.within]
    return min(alive, key=lambda slot: (state.cases[slot].parts[0].opened_at, slot), default=None)


def _keep(rule: CompiledRule, state: JourneyState, effects: Effects, slot: Slot, case: Case) -> None:
    judged = cases.judged(rule, case)
    state.cases[slot] = judged
    for key in case.keys:
        state.case_of[(rule.key, key)] = slot[1]
    if judged.signal is None:
        return
    if judged.signal != case.signal:
        effects.signal(judged.signal)
    if rule.rule.adopts:
        _adopt(state, effects, judged)


def _adopt(state: JourneyState, effects: Effects, case: Case) -> None:
    """Parts that do not name their case yet are told again, with it."""
    assert case.signal is not None
    for part in case.parts:
        if part.signal_id not in state.adopted:
            state.adopted[part.signal_id] = case.signal.signal_id
            effects.signal(with_case(part, state.adopted))
    while len(state.adopted) > MAX_ADOPTED:
        del state.adopted[next(iter(state.adopted))]


def _forget_oldest(state: JourneyState) -> None:
    """Keep the younger half of the cases."""
    by_age = sorted(state.cases, key=lambda slot: (state.cases[slot].last_at, slot))
    for slot in by_age[: len(by_age) // 2]:
        drop(state, slot)
