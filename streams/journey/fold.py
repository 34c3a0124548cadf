"""The truth about an account: fold(sorted touchpoints, blueprint, as_of) -> placed touchpoints, signals, state."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from schemas.touchpoints import AttributedTouchpoint, CleanTouchpoint
from streams.friction.patterns import Signal
from streams.journey.compiled import CompiledBlueprint
from streams.journey.profile import Profile
from streams.journey.signals import fire_until
from streams.journey.state import JourneyState, Placed
from streams.journey.step import Context, initial_state, step


@dataclass(slots=True)
class Journey:
    """All that is visible of an account: placed touchpoints and signals by id, and its state."""

    state: JourneyState
    profile: Profile
    placed: dict[str, Placed] = field(default_factory=dict)
    signals: dict[str, Signal] = field(default_factory=dict)

    def place(self, placed: Placed) -> None:
        """Take in a touchpoint's (new) place."""
        self.placed[placed.item.event_id] = placed

    def signal(self, signal: Signal) -> None:
        """Take in an episode as it stands now."""
        self.signals[signal.signal_id] = signal


def merged(one: AttributedTouchpoint, other: AttributedTouchpoint) -> AttributedTouchpoint:
    """Two copies of one event as one: the content received first, the attribution of the newest reading and knowledge.

    Both choices are maxima, so they do not depend on the order of arrival.
    """
    content = _first(one.touchpoint, other.touchpoint)
    judge = max(one, other, key=_informed)
    if judge.touchpoint is content:
        return judge
    return judge.changed(touchpoint=content)


def _first(one: CleanTouchpoint, other: CleanTouchpoint) -> CleanTouchpoint:
    """The content that was received first; of two readings of one receipt the newer mapping's, else always the same."""
    if one.received_at != other.received_at:
        return one if one.received_at < other.received_at else other
    if one.mapping != other.mapping:
        return one if one.mapping > other.mapping else other
    return one if one == other else min(one, other, key=repr)


def _informed(item: AttributedTouchpoint) -> tuple[int, int, float, str]:
    received_at = item.touchpoint.received_at.timestamp()
    return (item.attribution.mapping, item.knowledge, -received_at, item.account_id)


def sorted_history(items: Iterable[AttributedTouchpoint]) -> list[AttributedTouchpoint]:
    """One copy of each event, in the order the journey is told in."""
    items = list(items)
    if len(items) < 2:
        return items
    chosen: dict[str, AttributedTouchpoint] = {}
    for item in items:
        known = chosen.get(item.event_id)
        chosen[item.event_id] = item if known is None else merged(known, item)
    return sorted(chosen.values(), key=lambda item: item.sort_key)


def fold(items: Iterable[AttributedTouchpoint], blueprint: CompiledBlueprint, as_of: datetime) -> Journey:
    """The whole journey of one account, from nothing.

    items: the account's touchpoints, any order, duplicates allowed. as_of: silence counts up to here.
    """
    history = sorted_history(items)
    profile = Profile(blueprint)
    profile.learn(history)
    amended = blueprint.amended(profile.consents.counts)
    amended.learn(history)
    journey = Journey(initial_state(blueprint), profile)
    context = Context(blueprint, profile, amended)
    for item in history:
        step(context, journey.state, item, journey)
    fire_until(blueprint, journey.state, as_of, journey, inclusive=True)
    return journey
