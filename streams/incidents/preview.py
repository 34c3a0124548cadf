"""What the policies would have sent, had they watched: history played to the same judging that works live. Pure.

What a part looked like while it grew is not stored: it counts as it stands now, from when it last hurt. What was sent
as history counts as if it had come in time: the question is how often a policy fires, not what was imported.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median
from typing import Final

from schemas.blueprint import Blueprint
from schemas.incidents import Desk, Message, Part
from schemas.policies import LEVELS
from streams.incidents.intake import Lens, pruned
from streams.incidents.judging import Watch
from streams.incidents.threads import View, judged, look_again_at

NUMBERS: Final = (
    *("threshold", "count", "within_s", "max_age_s", "renewal_within_days"),
    *("volume", "accounts", "may_miss", "deviations", "window_h", "long_h"),
)
"""What of a policy may be tried with another value."""
_MOMENT = timedelta(seconds=1)


@dataclass(slots=True)
class Tally:
    """What one policy would have sent. `pains` is how many signals and touchpoints lie behind it."""

    policy: str
    opened: int = 0
    again: int = 0
    pains: int = 0
    levels: dict[str, int] = field(default_factory=lambda: dict.fromkeys(LEVELS, 0))
    accounts: set[str] = field(default_factory=set)
    open_h: list[float] = field(default_factory=list)

    def row(self) -> dict[str, object]:
        """As people read it. `spared`: pains that came in a conversation, not by a message of their own."""
        return {
            "policy": self.policy,
            "told": self.opened,
            "told_again": self.again,
            "spared": max(self.pains - self.opened - self.again, 0),
            "accounts": len(self.accounts),
            **self.levels,
            "open_h_median": round(median(self.open_h), 1) if self.open_h else None,
            "for_example": sorted(self.accounts)[:3],
        }


def preview(desks: Iterable[Desk], lens: Lens, since: datetime, now: datetime) -> list[Tally]:
    """What would have been sent from `since` until `now`, by policy, in their order. Desks hold parts, nothing else."""
    tallies = {policy.id: Tally(policy.id) for policy in lens.blueprint.policies}
    for desk in desks:
        events: dict[str, set[str]] = {}
        messages = sent(desk, lens, since, now, events)
        for message in messages:
            _count(tallies[message.policy], message)
            if message.kind == "opened":
                tallies[message.policy].pains += _pains(desk, events.get(message.incident_id, set()))
    return list(tallies.values())


def sent(desk: Desk, lens: Lens, since: datetime, now: datetime, events: dict[str, set[str]]) -> list[Message]:
    """The messages about one account, oldest first; `events` takes the evidence of each conversation."""
    counts = {rule.id: rule.count for rule in lens.blueprint.rules}
    steps = sorted(_steps(desk.parts, counts), key=lambda step: (step[0], step[1].part_id))
    due = [(at, index) for index, (at, _) in enumerate(steps) if at <= now]
    heapq.heapify(due)
    found: list[Message] = []
    seen = desk.changed(parts={}, threads=())
    while due:
        at, index = heapq.heappop(due)
        if index >= 0:
            part = steps[index][1]
            seen = seen.changed(parts=seen.parts | {part.part_id: part})
            if due and due[0][0] - at <= _MOMENT:
                continue  # judged together, as facts that come together are
        view = View(lens, at + _MOMENT, Watch(since), lambda message: ("preview",))
        after = judged(seen, view)
        found += [notice.message for thread in after.threads for notice in thread.notices]
        for thread in after.threads:
            events.setdefault(thread.thread_id, set()).update(thread.events)
        threads = tuple(thread.changed(notices=()) for thread in after.threads)
        seen = pruned(after.changed(threads=threads), view.now)
        again_at = look_again_at(seen, view)
        if again_at is not None and again_at <= now:
            heapq.heappush(due, (again_at, -1))
    return found


def _pains(desk: Desk, events: set[str]) -> int:
    return sum(not part.derived and not events.isdisjoint(part.proof) for part in desk.parts.values())


def with_changes(blueprint: Blueprint, changes: Sequence[tuple[str, str, float]]) -> Blueprint:
    """The blueprint with other numbers in its policies: (policy, field, value). Raises ValueError."""
    policies = {policy.id: policy for policy in blueprint.policies}
    for name, number, value in changes:
        whole = policies[name].model_dump(exclude={"tests"}) | {number: value}
        policies[name] = type(policies[name]).model_validate(whole)
    return blueprint.model_copy(update={"policies": tuple(policies.values())})


def _steps(parts: Mapping[str, Part], counts: Mapping[str, int]) -> Iterable[tuple[datetime, Part]]:
    """When each part is first known, and when a wait ends."""
    for part in parts.values():
        if part.waits and part.closed_at is not None:
            yield part.opened_at, part.changed(closed_at=None)
            yield part.closed_at, part
        elif part.derived:
            hurt = sorted(parts[link].pained_at for link in part.links if link in parts)
            at = hurt[min(counts.get(part.what, 1), len(hurt)) - 1] if hurt else part.opened_at
            yield at, part
        else:
            yield part.pained_at, part


def _count(tally: Tally, message: Message) -> None:
    if message.kind == "opened":
        tally.opened += 1
        tally.levels[message.level] += 1
        tally.accounts.add(message.account_id)
    elif message.kind in ("grown", "returned"):
        tally.again += 1
    else:
        tally.open_h.append((message.at - message.since).total_seconds() / 3600)
