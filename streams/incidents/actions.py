"""What people did about incidents: a log of its own, folded by (at, action_id), outside the accounts' touchpoints."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from schemas.incidents import IncidentAction


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an incident stands with people. `taken_by` is who takes care of it, by their own word or another's."""

    taken_by: str = ""
    taken_at: datetime | None = None
    assigned_by: str = ""
    silenced_until: datetime | None = None
    silenced_by: str = ""
    done_by: str = ""
    done_at: datetime | None = None
    notes: tuple[IncidentAction, ...] = ()

    def is_silent(self, at: datetime) -> bool:
        """Whether nobody wants to hear of it then."""
        return self.silenced_until is not None and at < self.silenced_until

    def is_done(self, pained_at: datetime) -> bool:
        """Whether it was done after it last hurt; one that hurts again has come back."""
        return self.done_at is not None and pained_at <= self.done_at


class ActionLog:
    """Actions by the events they name. An action that is learned twice, or late, changes nothing by that."""

    def __init__(self, actions: Iterable[IncidentAction] = ()) -> None:
        self._of: dict[str, dict[str, IncidentAction]] = {}
        for action in actions:
            self.learn(action)

    def learn(self, action: IncidentAction) -> None:
        """Take in an action."""
        for event in action.events:
            self._of.setdefault(event, {})[action.action_id] = action

    def about(self, events: Iterable[str]) -> list[IncidentAction]:
        """What was done about the incident of this evidence, oldest first: what shares an event with it."""
        found: dict[str, IncidentAction] = {}
        for event in events:
            found |= self._of.get(event, {})
        return sorted(found.values(), key=_order)

    def standing(self, events: Iterable[str]) -> Standing:
        """Where the incident of this evidence stands."""
        return folded(self.about(events))

    def left(self, channel: str) -> frozenset[str]:
        """The marks of those who want no more digests of a channel."""
        mine = ((event, known) for event, known in self._of.items() if event.startswith(f"digest:{channel}:"))
        return frozenset(event for event, known in mine if max(known.values(), key=_order).verb == "unsubscribe")


def folded(actions: Iterable[IncidentAction]) -> Standing:
    """The actions of one incident, in any order, as where it stands after them."""
    standing = Standing()
    for action in sorted({action.action_id: action for action in actions}.values(), key=_order):
        standing = _after(standing, action)
    return standing


def _order(action: IncidentAction) -> tuple[datetime, str]:
    return (action.at, action.action_id)


def _after(standing: Standing, action: IncidentAction) -> Standing:
    if action.verb == "take":
        return replace(standing, taken_by=action.by, taken_at=action.at, assigned_by="")
    if action.verb == "assign":
        return replace(standing, taken_by=action.to, taken_at=action.at, assigned_by=action.by)
    if action.verb == "silence":
        return replace(standing, silenced_until=action.until, silenced_by=action.by)
    if action.verb == "done":
        return replace(standing, done_by=action.by, done_at=action.at)
    if action.verb != "note":
        return standing
    return replace(standing, notes=(*standing.notes, action))
