"""The pattern of what does not happen: waits that open, pause, close, or become a signal when their time is up."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from streams.friction import episodes
from streams.friction.compiled import CompiledRule, alike
from streams.friction.rule_book import RuleBook, Watch
from streams.journey import compounds, event_patterns
from streams.journey.scene import Scene
from streams.journey.state import Effects, JourneyState, Placed, Slot

MAX_WAITS: Final = 512


def absence(watch: Watch, scene: Scene) -> None:
    """One event's effect on the waits of one rule: it may end them, fire them, turn their clock, or open one."""
    rule, item, touchpoint = watch.rule, scene.placed.item, scene.seen
    opens = _opens(watch, scene)
    found = _waits(rule, scene, rule.subject(item))
    if watch.closes(touchpoint):
        for slot in found:
            _close(rule, scene, slot)
        found = []
    for slot in found:
        _touch(watch, scene, slot, opens=opens)
    if watch.suffices(touchpoint) and not found:
        _open(rule, scene)
        fire(scene.book, scene.state, (rule.key, rule.subject(item)), scene.at, scene.effects)
        reschedule(scene.book, scene.state)
        scene.placed = scene.state.openers.get(item.event_id, scene.placed)
    elif opens and (slot := (rule.key, rule.subject(item))) not in scene.state.waits:
        _open(rule, scene)
        if watch.pauses(touchpoint):
            scene.state.waits[slot] = episodes.pause_wait(scene.state.waits[slot], scene.at)
            reschedule(scene.book, scene.state)


def broken_silence(scene: Scene) -> None:
    """A contact moment ends the silences that had become signals, and begins them anew."""
    for slot in scene.state.silent:
        if slot in scene.state.waits:
            rule = scene.book.way(slot[0])
            _close(rule, scene, slot)
            _open(rule, scene, slot)
    scene.state.silent = ()


def fire(book: RuleBook, state: JourneyState, slot: Slot, at: datetime, effects: Effects) -> None:
    """The wait became a signal; the touchpoint that opened it carries it from now on."""
    wait, rule = state.waits[slot], book.way(slot[0])
    opener = state.openers[wait.opener.event_id]
    scene = Scene(book, state, opener, effects)
    wait = episodes.fire_wait(rule, wait, at, scene.place)
    assert wait.signal is not None
    state.waits[slot] = wait
    if rule.rule.any_contact:
        state.silent = (*state.silent, slot)
    scene.found(wait.signal, at, is_new=True)
    state.openers[wait.opener.event_id] = scene.placed
    effects.place(scene.placed)
    if wait.done and not rule.rule.once:
        drop(state, slot)


def is_put_off(rule: CompiledRule, state: JourneyState, slot: Slot) -> bool:
    """For silences that any contact ends: whether one came since, and the deadline is later than was thought."""
    wait = state.waits[slot]
    if not rule.rule.any_contact or wait.deadline is None or state.last_contact_at is None:
        return False
    later = wait.after(state.last_contact_at, wait.allowed)
    if later <= wait.deadline:
        return False
    state.waits[slot] = episodes.put_off(wait, later)
    return True


def reschedule(book: RuleBook, state: JourneyState) -> None:
    """The account's next deadline: of its waits, and of the incidents that close when it stays calm."""
    waiting = [wait.deadline for wait in state.waits.values() if wait.deadline is not None]
    calming = [at for slot, case in state.cases.items() if (at := compounds.deadline(book, slot, case)) is not None]
    state.next_deadline = min([*waiting, *calming], default=None)


def drop(state: JourneyState, slot: Slot) -> None:
    """Forget a wait, and its opener when nothing else waits for it."""
    opener = state.waits.pop(slot).opener.event_id
    if all(wait.opener.event_id != opener for wait in state.waits.values()):
        state.openers.pop(opener, None)


def _opens(watch: Watch, scene: Scene) -> bool:
    rule, item = watch.rule, scene.placed.item
    opens = watch.opens(scene.seen) and not watch.unless(scene.seen) and rule.is_whole(item)
    if not watch.steps:
        return opens
    slot = (rule.key, rule.subject(item))
    ready = opens and event_patterns.has_steps(scene.state.trails.get(slot, ()), len(watch.steps))
    event_patterns.remember_step(watch, scene, slot, rule.value(item) if rule.value else "")
    return ready


def _waits(rule: CompiledRule, scene: Scene, subject: str) -> list[Slot]:
    waits = scene.state.waits
    if rule.rule.loose:
        return [slot for slot in waits if slot[0] == rule.key and alike(slot[1], subject)]
    slot = (rule.key, subject)
    return [slot] if slot in waits else []


def _touch(watch: Watch, scene: Scene, slot: Slot, *, opens: bool) -> None:
    """An event that does not simply end the wait."""
    state, touchpoint = scene.state, scene.seen
    wait, rule = state.waits[slot], watch.rule
    if wait.done:
        return
    if wait.signal is not None:
        if watch.settles(touchpoint) or opens:
            _close(rule, scene, slot)
    elif watch.closes_session(touchpoint) or watch.suffices(touchpoint):
        fire(scene.book, state, slot, scene.at, scene.effects)
    elif watch.pauses(touchpoint):
        state.waits[slot] = episodes.pause_wait(wait, scene.at)
    elif watch.resumes(touchpoint):
        state.waits[slot] = episodes.resume_wait(wait, scene.at)
    elif opens and slot == (rule.key, rule.subject(scene.placed.item)):
        state.waits[slot] = episodes.restart_wait(wait, scene.placed.item, anew=rule.rule.restarts)
    reschedule(scene.book, state)


def _open(rule: CompiledRule, scene: Scene, slot: Slot | None = None) -> None:
    state, placed = scene.state, scene.placed
    slot = slot or (rule.key, rule.subject(placed.item))
    state.openers[placed.item.event_id] = placed
    allowed, hours = rule.deadline(scene.targets, placed.phase), scene.book.hours(rule, placed.touchpoint_type)
    state.waits[slot] = episodes.open_wait(placed.item, allowed, hours)
    if len(state.waits) > MAX_WAITS:
        drop(state, _least(state))
    reschedule(scene.book, state)


def _least(state: JourneyState) -> Slot:
    """The wait to forget first: one whose clock rests, such as a closed ticket's; else the oldest."""
    resting = (slot for slot, wait in state.waits.items() if wait.deadline is None and wait.signal is None)
    return next(resting, next(iter(state.waits)))


def _close(rule: CompiledRule, scene: Scene, slot: Slot) -> None:
    """The wait is over: met in time, or its signal ended by this event."""
    state, wait = scene.state, scene.state.waits[slot]
    if wait.done:
        return
    if wait.signal is not None:
        carrier: Placed = state.openers[wait.opener.event_id]
        scene.ended(episodes.close_wait(wait.signal, scene.placed.item), carrier)
    if rule.rule.once:
        state.waits[slot] = episodes.done(wait)
    else:
        drop(state, slot)
    reschedule(scene.book, state)
