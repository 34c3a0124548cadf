"""The patterns of events that happen: each, burst, window, sequence, regress, advance."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from streams.friction import episodes
from streams.friction.compiled import CompiledRule
from streams.friction.controls import is_made_for_repetition
from streams.friction.episodes import MAX_TRAIL, Episode, Mark
from streams.friction.rule_book import Watch
from streams.friction.words import Words
from streams.journey.scene import Scene
from streams.journey.state import Slot

MAX_EPISODES: Final = 512
MAX_RUNS: Final = 4
"""Of clicks that go on side by side on one page."""


def each(watch: Watch, scene: Scene) -> None:
    """Every matching event is an occurrence; those within `within_s` of the last (0: any time) join its episode."""
    if not counts(watch, scene):
        return
    rule, item = watch.rule, scene.placed.item
    slot = (rule.key, rule.subject(item))
    before = scene.state.episodes.get(slot)
    joins = before is not None and (not rule.within or scene.at - before.last_at <= rule.within)
    episode = episodes.grow(before, item) if before is not None and joins else episodes.begin(item)
    _found(rule, scene, slot, episode, keep="event" not in rule.rule.group_by)


def burst(watch: Watch, scene: Scene) -> None:
    """Events of one group, each within the gap after the previous; a vendor's own verdict makes one alone."""
    rule, item = watch.rule, scene.placed.item
    if rule.rule.spares_repetition and is_made_for_repetition(item.touchpoint):
        return
    suffices = watch.suffices(scene.seen)
    if not suffices and not counts(watch, scene):
        return
    slot, before = _run(rule, scene) if rule.rule.near_px else _only_run(rule, scene)
    if before is not None and scene.at - before.last_at <= rule.within:
        episode = episodes.grow(before, item)
    else:
        episode = episodes.begin(item)
    if rule.rule.near_px:
        episode = episodes.at_spot(episode, item.touchpoint)
    if suffices or episode.signal is not None or episode.size >= rule.rule.count:
        _found(rule, scene, slot, episode)
    else:
        _keep(scene, slot, episode)


def window(watch: Watch, scene: Scene) -> None:
    """Enough events, or different values, from first to last within the window; then while it goes on."""
    if not counts(watch, scene):
        return
    rule, item = watch.rule, scene.placed.item
    value = rule.value(item) if rule.value else ""
    if rule.value and not value:
        return
    slot = (rule.key, rule.subject(item))
    last = _replaced(rule, scene, slot, value)
    marks = _trail(rule, scene, slot, value)
    if last is not None and last.value == value:
        return
    if rule.rule.same:
        marks, slot = tuple([mark for mark in marks if mark.value == value]), (rule.key, f"{slot[1]}\x1f{value}")
    before = scene.state.episodes.get(slot)
    if before is not None and (not rule.within or scene.at - before.last_at <= rule.within):
        _found(rule, scene, slot, episodes.grow(before, item))
    elif len(marks) >= rule.rule.count:
        _found(rule, scene, slot, episodes.gathered(marks, scene.at, len(marks)))


def sequence(watch: Watch, scene: Scene) -> None:
    """Events that match the steps one after the other, the last soon enough after the one before."""
    rule, item = watch.rule, scene.placed.item
    slot, value = (rule.key, rule.subject(item)), rule.value(item) if rule.value else ""
    last = _replaced(rule, scene, slot, value)
    trail = remember_step(watch, scene, slot, value, last)
    if not has_steps(trail, len(rule.rule.steps)) or (last is not None and last.value == value):
        return
    soon = len(trail) < 2 or trail[-1].at - trail[-2].at <= rule.within
    if soon and watch.steps[-1](scene.seen) and _returns(rule, trail):
        episode = episodes.gathered(trail, scene.at, len(trail))
        _found(rule, scene, slot, episode, keep=False)


def regress(watch: Watch, scene: Scene) -> None:
    """The value goes back in its order; an unknown value says nothing, unless it begins the order anew."""
    if not counts(watch, scene):
        return
    rule, item = watch.rule, scene.placed.item
    value, stated = (_stated(scene, name) for name in (rule.rule.field, rule.rule.before))
    slot = (rule.key, rule.subject(item))
    if value not in rule.order:
        if watch.breaks(scene.seen):
            scene.state.trails.pop(slot, None)
        return
    known = [mark.value for mark in scene.state.trails.get(slot, ())]
    before = stated if stated in rule.order else known[-1] if known else value
    remember(scene, slot, (Mark(scene.at, item.event_id, value),))
    if rule.order[value] < rule.order[before]:
        episode = scene.state.episodes.get(slot)
        episode = episodes.grow(episode, item) if episode else episodes.begin(item)
        _found(rule, scene, slot, episode, {"value": value, "before": before})


def _stated(scene: Scene, name: str) -> str:
    return str(scene.seen.properties.get(name, "")).lower()


def advance(rule: CompiledRule, scene: Scene) -> None:
    """This touchpoint moved the account forwards, out of a phase it was in for a short while."""
    item, phases = scene.placed.item, scene.book.phases
    moves = [change for change in scene.state.transitions if change.event_id == item.event_id and change.accepted]
    if not moves or phases.get(moves[0].to_phase, 0) <= phases.get(moves[0].from_phase, 0):
        return
    dwell, usual = timedelta(seconds=moves[0].dwell_s), rule.by_phase.get(moves[0].from_phase)
    if usual is not None and timedelta(seconds=rule.rule.at_least_s) <= dwell < usual * rule.rule.share:
        words: Words = {"before": moves[0].from_phase, "value": moves[0].to_phase, "allowed": usual}
        _found(rule, scene, (rule.key, item.event_id), episodes.begin(item), words, keep=False)


RUNS: dict[str, Callable[[Watch, Scene], None]] = {
    "each": each,
    "burst": burst,
    "window": window,
    "sequence": sequence,
    "regress": regress,
}


def counts(watch: Watch, scene: Scene) -> bool:
    """Whether the event counts for the rule."""
    if watch.plain:
        return True
    item, rule, touchpoint = scene.placed.item, watch.rule, scene.seen
    return (
        watch.when(touchpoint)
        and (not rule.boundaries or rule.crosses(touchpoint, scene.targets))
        and not watch.unless(touchpoint)
        and (not rule.needs or rule.is_whole(item))
    )


def remember_step(watch: Watch, scene: Scene, slot: Slot, value: str, last: Mark | None = None) -> tuple[Mark, ...]:
    """The last events of the group that match a step (or break the order), with this one, of which `value` counts.

    `last`: the mark that this one takes the place of; how one came there, one came here.
    """
    bits = watch.sure_steps | (last.steps if last else 0)
    for bit, step in watch.other_steps:
        if step(scene.seen):
            bits |= bit
    mark = Mark(scene.at, scene.placed.item.event_id, value, bits)
    trail = (*scene.state.trails.get(slot, ()), mark)[-len(watch.steps) :]
    remember(scene, slot, trail)
    return trail


def _replaced(rule: CompiledRule, scene: Scene, slot: Slot, value: str) -> Mark | None:
    """Takes away and returns the group's last mark when this event is that one over again, or where it led to."""
    trail = scene.state.trails.get(slot, ())
    if not trail or not rule.replaces(trail[-1].value, value, scene.at - trail[-1].at):
        return None
    scene.state.trails[slot] = trail[:-1]
    return trail[-1]


def has_steps(trail: tuple[Mark, ...], steps: int) -> bool:
    """Whether the trail's last events are the steps, in order."""
    if len(trail) < steps or not trail[-1].steps >> steps - 1 & 1:
        return False
    return all(mark.steps >> index & 1 for index, mark in enumerate(trail[-steps:]))


def remember(scene: Scene, slot: Slot, trail: tuple[Mark, ...]) -> None:
    """Keep a trail; of too many the older half is forgotten."""
    trails = scene.state.trails
    trails[slot] = trail
    if len(trails) > MAX_EPISODES:
        by_age = sorted(trails.items(), key=lambda kept: (kept[1][-1].at, kept[0]))
        scene.state.trails = dict(by_age[len(by_age) // 2 :])


def _found(
    rule: CompiledRule, scene: Scene, slot: Slot, episode: Episode, words: Words | None = None, *, keep: bool = True
) -> None:
    after = episodes.signalled(rule, episode, scene.placed.item, scene.place, words or {})
    assert after.signal is not None
    if keep:
        _keep(scene, slot, after)
    scene.found(after.signal, scene.at, is_new=episode.signal is None)


def _keep(scene: Scene, slot: Slot, episode: Episode) -> None:
    """Remember an episode; of too many the older half is forgotten: they are long over."""
    episodes = scene.state.episodes
    episodes[slot] = episode
    if len(episodes) > MAX_EPISODES:
        by_age = sorted(episodes.items(), key=lambda kept: (kept[1].last_at, kept[0]))
        scene.state.episodes = dict(by_age[len(by_age) // 2 :])


def _only_run(rule: CompiledRule, scene: Scene) -> tuple[Slot, Episode | None]:
    slot = (rule.key, rule.subject(scene.placed.item))
    return slot, scene.state.episodes.get(slot)


def _run(rule: CompiledRule, scene: Scene) -> tuple[Slot, Episode | None]:
    """The run of clicks that this one is near to; else a free place, or that of the one that rests longest."""
    known_runs, subject = scene.state.episodes, rule.subject(scene.placed.item)
    here = episodes.spot_of(scene.placed.item.touchpoint)
    slots: list[Slot] = [(rule.key, f"{subject}\x1f{number}") for number in range(MAX_RUNS)]
    known = [(slot, known_runs[slot]) for slot in slots if slot in known_runs]
    alive = [(slot, run) for slot, run in known if scene.at - run.last_at <= rule.within]
    for slot, run in alive:
        if run.spot is not None and episodes.is_near(run.spot, here, rule.rule.near_px):
            return slot, run
    resting = [slot for slot in slots if slot not in {slot for slot, _ in alive}]
    return (resting[0] if resting else min(alive, key=lambda kept: (kept[1].last_at, kept[0]))[0]), None


def _trail(rule: CompiledRule, scene: Scene, slot: Slot, value: str) -> tuple[Mark, ...]:
    """The events that may still count, with this one."""
    trail, at = scene.state.trails.get(slot, ()), scene.at
    if trail:
        stayed = trail[-1].value if rule.rule.same and at - trail[-1].at > rule.other else None
        since = at - rule.within if rule.within else trail[0].at
        anew = value if rule.rule.distinct else None
        trail = tuple([m for m in trail if m.at >= since and m.value != anew and (stayed is None or m.value == stayed)])
    trail = (*trail, Mark(at, scene.placed.item.event_id, value))[-MAX_TRAIL:]
    remember(scene, slot, trail)
    return trail


def _returns(rule: CompiledRule, trail: tuple[Mark, ...]) -> bool:
    """Whether the last step is back where the first was, and the steps between elsewhere."""
    if not rule.rule.returns:
        return True
    first, *between, last = trail
    return bool(first.value) and first.value == last.value and all(mark.value != first.value for mark in between)
