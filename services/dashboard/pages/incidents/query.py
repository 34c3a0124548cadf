"""What the page of incidents shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import get_args

from schemas.incidents import Delivery
from services.dashboard.board import undelivered
from services.dashboard.incidents import Found, IncidentView, incidents, with_personas
from services.dashboard.reader import Reader
from services.dashboard.scope import Scope
from streams.incidents.listing import State

LENGTH = 100
"""Of each group; the template shows as many."""
STATES: tuple[State, ...] = get_args(State)
LINES = 12
RECENT = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class IncidentsPage:
    """`unfed_rules`: no configured source can feed them, so they never fire.

    `lines`: the newest of the delivery log, with filters about these incidents; `unheard`: how many of a day reached
    nobody.
    """

    as_of: datetime
    found: Found
    unfed_rules: tuple[str, ...]
    lines: tuple[Delivery, ...]
    unheard: int
    names: dict[str, str]

    @property
    def is_empty(self) -> bool:
        return not self.found.incidents

    @property
    def current(self) -> tuple[IncidentView, ...]:
        """Those that still hurt and are not silenced."""
        return self.found.of("open", "taken")

    @property
    def untaken(self) -> tuple[IncidentView, ...]:
        return self.found.of("open")

    @property
    def groups(self) -> tuple[tuple[str, tuple[IncidentView, ...]], ...]:
        """By where they stand with people."""
        return (
            ("Nobody has taken", self.untaken),
            ("Taken", self.found.of("taken")),
            ("Silenced", self.found.of("silenced")),
            ("Done", self.found.of("done")),
            ("Over by itself", self.found.of("over")),
        )


async def ask(reader: Reader, scope: Scope) -> IncidentsPage:
    """Raises StoreUnavailable."""
    as_of = reader.clock()
    found = await incidents(reader, scope, await reader.span(scope, as_of))
    found = await with_personas(reader, found, [each for state in STATES for each in found.of(state)[:LENGTH]])
    names = {each.id: each.account for each in found.incidents}
    lines = [line for line in reader.board.deliveries() if not scope.is_filtered or line.incident_id in names]
    return IncidentsPage(
        as_of,
        found,
        reader.unfed_rules(),
        tuple(lines[:LINES]),
        len(undelivered(lines, as_of - RECENT)),
        names,
    )
