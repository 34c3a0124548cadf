"""An account as its writer keeps it: the fold's state, and the last touchpoints to correct small disorder from.

Touchpoints that arrive in order are stepped. One that sorts into the tail is corrected on the spot: the
state before it is restored and the tail from there on stepped again. Anything older, and anything that
changes what was already said (a persona, an attribution), asks for a refold from the stored history.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from schemas.base import EPOCH
from schemas.facts import Opportunity, PhaseChange
from schemas.touchpoints import AttributedTouchpoint
from streams.friction.episodes import Signal
from streams.journey.causes import CONSENT, COPY, LATE, TAKEN_BACK, Cause, profile_changed
from streams.journey.compiled import CompiledBlueprint
from streams.journey.correction_limit import CorrectionLimit
from streams.journey.fold import Journey, merged, sorted_history
from streams.journey.profile import Profile, ProfileChanges
from streams.journey.signals import fire_until
from streams.journey.state import Effects, JourneyState, Placed, SortKey
from streams.journey.step import Context, initial_state, step

TAIL = 32
_LAST = "\U0010ffff"
"""Sorts after every event id: an answer at the very deadline would have been in time."""
MARK_EVERY = 4


_Rare = tuple[tuple[PhaseChange, ...], dict[str, Opportunity]]


@dataclass(slots=True)
class Changes:
    """What became visible, changed, or is no longer true, since the last time it was told.

    `refold` holds touchpoints that were not taken in; `incomplete` says that something cannot be
    told from memory. Both ask for a refold from the stored history, for the given `cause`. `corrected` is what
    turned out to be other than it had been told, and was told again from memory; `retold` are touchpoints that show
    something else than they did.
    """

    placed: dict[str, Placed] = field(default_factory=dict)
    signals: dict[str, Signal] = field(default_factory=dict)
    withdrawn: dict[str, Signal] = field(default_factory=dict)
    refold: list[AttributedTouchpoint] = field(default_factory=list)
    incomplete: bool = False
    cause: Cause | None = None
    corrected: Cause | None = None
    retold: int = 0

    def place(self, placed: Placed) -> None:
        self.placed[placed.item.event_id] = placed

    def signal(self, signal: Signal) -> None:
        self.signals[signal.signal_id] = signal

    def __bool__(self) -> bool:
        return bool(self.placed or self.signals or self.withdrawn)


@dataclass(slots=True)
class _Mark:
    """The state after `applied` touchpoints of the tail."""

    applied: int
    state: JourneyState
    emitted: int


_Emitted = list[Placed | Signal]
"""What was said, oldest first."""


class AccountJourney:
    """One account's live state. `inputs` and how far it has counted silence order its revisions."""

    def __init__(self, account_id: str, blueprint: CompiledBlueprint) -> None:
        self.account_id = account_id
        self.blueprint = blueprint
        self.inputs = 0
        self.counted_to = EPOCH
        self.state = initial_state(blueprint)
        self.profile = Profile(blueprint)
        self._rare: tuple[_Rare, int] | None = None
        self._tail: list[AttributedTouchpoint] = []
        self._ids: dict[str, AttributedTouchpoint] = {}
        self._emitted: _Emitted = []
        self.amended = blueprint.amended(self.profile.consents.counts)
        self.correction_limit = CorrectionLimit()
        self._context = Context(blueprint, self.profile, self.amended)
        self._marks: list[_Mark] = [_Mark(0, self.state.copy(), 0)]

    @classmethod
    def rebuilt(
        cls, account_id: str, blueprint: CompiledBlueprint, items: Iterable[AttributedTouchpoint], as_of: datetime
    ) -> tuple[AccountJourney, Journey]:
        """The account and its whole journey, folded from `items`; the account goes on from there."""
        history = sorted_history(items)
        account = cls(account_id, blueprint)
        account.profile.learn(history)
        account.amended.learn(history)
        journey = Journey(account.state, account.profile)
        split = max(len(history) - TAIL // 2, 0)
        for item in history[:split]:
            step(account._context, account.state, item, journey)
        account._marks = [_Mark(0, account.state.copy(), 0)]
        for item in history[split:]:
            account._tail.append(item)
            account._ids[item.event_id] = item
            account._apply_next(journey)
        account._advance(as_of, journey)
        return account, journey

    @property
    def next_deadline(self) -> datetime | None:
        """When silence becomes a signal, if nothing happens before."""
        return self.state.next_deadline

    @property
    def weight(self) -> int:
        """What it takes in memory, in touchpoints: those it keeps, and everything else by what that takes of one.

        A touchpoint in the tail takes 2 KB, with its part of the marks; so do what is kept of an opener, and a wait.
        """
        state = self.state
        small = len(state.people) + len(state.episodes) + len(state.trails) + len(state.cases)
        small += len(state.opportunities) + (len(self.amended) + len(self.profile.consents)) // 2
        return 2 + len(self._tail) + len(state.openers) + len(state.waits) + small // 3

    def rare_digest(self, digest: Callable[[tuple[tuple[PhaseChange, ...], tuple[Opportunity, ...]]], int]) -> int:
        """The digest of the phase timeline and the deals; computed once a change, for they rarely change."""
        rare = (self.state.transitions, self.state.opportunities)
        if self._rare is None or any(now is not then for now, then in zip(rare, self._rare[0], strict=True)):
            self._rare = (rare, digest((rare[0], tuple(rare[1].values()))))
        return self._rare[1]

    def accept(self, items: Iterable[AttributedTouchpoint], as_of: datetime) -> Changes:
        """Take in touchpoints of one batch. `changes.refold` holds those that need the stored history."""
        changes = Changes()
        fresh = [item for item in sorted_history(items) if not self._is_known(item, changes)]
        untrue, since = self._learn(fresh, changes) if fresh and not changes.refold else ({}, None)
        if changes.refold:
            asked = {item.event_id for item in changes.refold}
            changes.refold.extend(item for item in fresh if item.event_id not in asked)
            return changes
        if fresh:
            self.inputs += len(fresh)
            self._insert(fresh, untrue, since or fresh[0].sort_key, as_of, changes)
        else:
            self._advance(as_of, changes)
        self._trim()
        return changes

    def advance(self, as_of: datetime) -> Changes:
        """Let time pass: silence whose deadline is up becomes a signal."""
        changes = Changes()
        self._advance(as_of, changes)
        return changes

    def _is_known(self, item: AttributedTouchpoint, changes: Changes) -> bool:
        """Drop an exact duplicate; a copy that would change what we know asks for a refold."""
        known = self._ids.get(item.event_id)
        if known is None:
            return False
        best = merged(known, item)
        same = changes_nothing(known, best)
        if not same:
            changes.refold.append(item)
            changes.cause = COPY
        return True

    def _learn(self, fresh: list[AttributedTouchpoint], changes: Changes) -> tuple[ProfileChanges, SortKey | None]:
        """Take in what fresh touchpoints say of people and of earlier ones.

        Returns what was told of people before and is untrue now, and from where on the story changes, if it does.
        Asks for a refold when the tail does not reach back to where that begins.
        """
        base = self._marks[0].state
        floor = _floor(base)
        if floor is not None and fresh[0].sort_key <= floor:
            changes.refold, changes.cause = list(fresh), LATE
            return {}, None
        known_to = _floor(self.state)
        consents = self.profile.consents
        if known_to is not None and any(item.sort_key <= known_to and consents.would_change(item) for item in fresh):
            changes.refold, changes.cause = list(fresh), CONSENT
            return {}, None
        learned = self.profile.learn(fresh)
        untrue = {who: now for who, now in learned.items() if _has_shown(self.state, who)}
        if any(_has_shown(base, who) for who in untrue):
            changes.refold, changes.cause = list(fresh), profile_changed(untrue)
        elif untrue:
            changes.corrected = profile_changed(untrue)
        since = self._taken_back(fresh)
        if since is not None and not changes.refold:
            changes.corrected = TAKEN_BACK
            if floor is not None and since <= floor:
                changes.refold, changes.cause = list(fresh), TAKEN_BACK
        return untrue, since

    def _taken_back(self, fresh: list[AttributedTouchpoint]) -> SortKey | None:
        """The first touchpoint that was told, and that fresh ones take back, or no longer do."""
        changed = self.amended.learn(fresh)
        for item in fresh:
            changed.pop(item.event_id, None)
        return min([*changed.values(), fresh[0].sort_key]) if changed else None

    def _insert(
        self,
        fresh: list[AttributedTouchpoint],
        untrue: ProfileChanges,
        since: SortKey,
        as_of: datetime,
        changes: Changes,
    ) -> None:
        """Step what is in order; otherwise go back to the last mark before what changes and step again from there.

        `since`: where that begins, if not earlier for what is `untrue`.
        """
        clock = _floor(self.state)
        for item in fresh:
            self._ids[item.event_id] = item
        if not untrue and (clock is None or since > clock):
            for item in fresh:
                self._tail.append(item)
                self._apply_next(changes)
            self._advance(as_of, changes)
        else:
            self._restep(self._mark_before(since, untrue), fresh, as_of, changes)

    def _restep(self, mark: _Mark, fresh: list[AttributedTouchpoint], as_of: datetime, changes: Changes) -> None:
        said_before = self._emitted[mark.emitted :]
        pending = sorted([*self._tail[mark.applied :], *fresh], key=lambda item: item.sort_key)
        del self._tail[mark.applied :], self._emitted[mark.emitted :]
        self._marks = [m for m in self._marks if m.applied <= mark.applied]
        self.state = mark.state.copy()
        now = Changes()
        for item in pending:
            self._tail.append(item)
            self._apply_next(now)
        self._advance(as_of, now)
        _compare(said_before, now, mark.state, changes)

    def _mark_before(self, key: SortKey, untrue: ProfileChanges) -> _Mark:
        """The last mark that lies before `key`, and before anything was told of those in `untrue`."""
        at = bisect_left(self._marks, True, key=lambda m: (_floor(m.state) or key) >= key and m.applied > 0) - 1
        while at > 0 and any(_has_shown(self._marks[at].state, who) for who in untrue):
            at -= 1
        return self._marks[max(at, 0)]

    def _apply_next(self, changes: Effects) -> None:
        """Step the tail's newest touchpoint, remembering what is said."""
        step(self._context, self.state, self._tail[-1], _Recorder(self._emitted, changes))
        if len(self._tail) - self._marks[-1].applied >= MARK_EVERY:
            self._mark()

    def _advance(self, as_of: datetime, changes: Effects) -> None:
        self.counted_to = max(self.counted_to, as_of)  # the clock of events may lie behind the one of a quiet moment
        deadline = self.state.next_deadline
        if deadline is None or deadline > as_of:
            return
        if self._marks[-1].applied < len(self._tail):
            self._mark()
        fire_until(self.blueprint, self.state, as_of, _Recorder(self._emitted, changes), inclusive=True)

    def _mark(self) -> None:
        self._marks.append(_Mark(len(self._tail), self.state.copy(), len(self._emitted)))

    def _trim(self) -> None:
        """Forget the oldest of the tail, up to the last mark that leaves half a tail, however many came at once."""
        if len(self._tail) <= TAIL:
            return
        keep = next(m for m in reversed(self._marks) if m.applied <= len(self._tail) - TAIL // 2)
        for item in self._tail[: keep.applied]:
            self._ids.pop(item.event_id, None)
        del self._tail[: keep.applied], self._emitted[: keep.emitted]
        kept = [m for m in self._marks if m.applied >= keep.applied]
        self._marks = [_Mark(m.applied - keep.applied, m.state, m.emitted - keep.emitted) for m in kept]


def changes_nothing(known: AttributedTouchpoint, best: AttributedTouchpoint) -> bool:
    """Whether `best`, merged from `known` and another copy, shows the same as `known` did."""
    return best.attribution.decides_like(known.attribution) and best.touchpoint == known.touchpoint


class _Recorder:
    """Passes effects on and keeps them, so that a second telling can be compared with the first."""

    __slots__ = ("_emitted", "_changes")

    def __init__(self, emitted: _Emitted, changes: Effects) -> None:
        self._emitted, self._changes = emitted, changes

    def place(self, placed: Placed) -> None:
        self._emitted.append(placed)
        self._changes.place(placed)

    def signal(self, signal: Signal) -> None:
        self._emitted.append(signal)
        self._changes.signal(signal)


def _has_shown(state: JourneyState, who: str) -> bool:
    """Whether anything was told of a person; of the account, for `""`."""
    return who in state.people if who else state.touchpoints > 0


def _floor(state: JourneyState) -> SortKey | None:
    """The sort key up to which the state has decided; what sorts at or before it is late."""
    if state.last_key is None:
        return None
    if state.clock is not None and state.clock > state.last_key[0]:
        return (state.clock, _LAST)
    return state.last_key


def _compare(before: _Emitted, now: Changes, mark: JourneyState, changes: Changes) -> None:
    """Tell what the second telling says anew, and take back what only the first one said."""
    old_placed = {said.item.event_id: said for said in before if isinstance(said, Placed)}
    old_signals = {said.signal_id: said for said in before if isinstance(said, Signal)}
    at_mark = mark.open_signals()
    for event_id, placed in now.placed.items():
        before_it = old_placed.get(event_id)
        if before_it != placed:
            changes.place(placed)
            changes.retold += before_it is not None and before_it.shown != placed.shown
    for event_id in old_placed.keys() - now.placed.keys():
        if event_id in mark.openers:
            changes.place(mark.openers[event_id])
            changes.retold += old_placed[event_id].shown != mark.openers[event_id].shown
        else:
            changes.incomplete = True
    for signal_id, signal in now.signals.items():
        if old_signals.get(signal_id) != signal:
            changes.signal(signal)
    for signal_id in old_signals.keys() - now.signals.keys():
        if signal_id in at_mark:
            changes.signal(at_mark[signal_id])
        else:
            changes.withdrawn[signal_id] = old_signals[signal_id]
