"""Sources that are set aside, as the page tells of them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from services.dashboard.views import SetAside
from streams.runtime.standings import Standings

Aside = Callable[[], Mapping[str, SetAside]]


def none_aside() -> Mapping[str, SetAside]:
    """Where nobody tells."""
    return {}


def aside_of(standings: Standings) -> Mapping[str, SetAside]:
    """Source → since when and why it is not read, and how much waits."""
    found = {}
    for standing in standings.aside:
        backlog = standings.backlogs.get(standing.source)
        requests = backlog.requests if backlog is not None else 0
        found[standing.source] = SetAside(standing.state == "resuming", standing.since, standing.cause, requests)
    return found
