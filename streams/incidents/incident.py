"""An incident as a value: the parts of one issue at one account, seen at one time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from uuid import NAMESPACE_URL

from schemas.incidents import MAX_EVENTS, Part
from streams.ids import named_id
from streams.incidents.grouping import Burst, grouped, with_bursts

CALM = timedelta(days=1)
"""After so long without a further pain an incident is over. Compound signals close after the same time."""


@dataclass(frozen=True)
class Incident:
    """Parts that belong together, oldest first. `roots` are pains; the others are tags made of them."""

    account_id: str
    parts: tuple[Part, ...]

    @cached_property
    def roots(self) -> tuple[Part, ...]:
        return tuple(part for part in self.parts if not part.derived)

    @cached_property
    def incident_id(self) -> str:
        """Follows from its oldest evidence; it moves when an older event arrives: remember events, not this."""
        return incident_id(self.events[0])

    @cached_property
    def events(self) -> tuple[str, ...]:
        """Evidence, oldest part first, each once."""
        return tuple(dict.fromkeys(event for part in self.parts for event in part.proof))[:MAX_EVENTS]

    @cached_property
    def lead(self) -> Part:
        """The worst pain, the oldest of equals: it says what the incident is about."""
        return min(self.roots, key=lambda part: (-part.severity, part.opened_at, part.part_id))

    @cached_property
    def tags(self) -> tuple[str, ...]:
        return tuple(sorted({part.what for part in self.parts if part.derived}))

    @cached_property
    def severity(self) -> float:
        return max(part.severity for part in self.parts)

    @cached_property
    def opened_at(self) -> datetime:
        return min(part.opened_at for part in self.roots)

    @cached_property
    def pained_at(self) -> datetime:
        """When it last hurt."""
        return max(part.pained_at for part in self.roots)

    def over_at(self) -> datetime | None:
        """When it is over if nothing more comes; None while something still waits. A wait is over with its end."""
        if any(part.waits and part.closed_at is None for part in self.roots):
            return None
        return max(_calm_from(part) for part in self.roots)

    def is_over(self, as_of: datetime) -> bool:
        """Whether it had been calm for long enough by then."""
        over_at = self.over_at()
        return over_at is not None and over_at <= as_of


def _calm_from(part: Part) -> datetime:
    if part.waits and part.closed_at is not None:
        return part.closed_at
    return part.pained_at + CALM


def incident_id(first_event: str) -> str:
    """The id of an incident whose oldest evidence is this event."""
    return named_id(NAMESPACE_URL, f"touchline:incident:{first_event}")


def incidents_of(account_id: str, parts: Iterable[Part], bursts: Sequence[Burst] = ()) -> list[Incident]:
    """The incidents of one account, oldest first. Neither order nor repetition of the parts matters."""
    whole = with_bursts(parts, bursts)
    found = [Incident(account_id, group) for group in grouped(whole) if any(not part.derived for part in group)]
    return sorted(found, key=lambda incident: (incident.opened_at, incident.events))


def signs_of(parts: Iterable[Part]) -> dict[str, list[Part]]:
    """Pains by the event that carries them: a bad score is one sign, whatever rules saw it; the newest first."""
    found: dict[str, list[Part]] = {}
    for part in sorted(parts, key=lambda part: (part.pained_at, part.part_id), reverse=True):
        found.setdefault(part.event_id, []).append(part)
    return found
