"""Sources that are set aside, as the page tells of them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from services.dashboard.views.sources import RefusedRequests, SetAside
from streams.runtime.standings import Standings

Aside = Callable[[], Mapping[str, SetAside]]


Refused = Callable[[], Mapping[str, tuple[RefusedRequests, ...]]]
REFUSED_WITHIN = timedelta(days=1)
#: What whoever scans the internet asks for; `touchline doctor` counts it.
NOISE = ("unknown_path", "method_not_allowed")


def none_refused() -> Mapping[str, tuple[RefusedRequests, ...]]:
    """Where nobody tells."""
    return {}


def refused_of(standings: Standings, now: datetime) -> Mapping[str, tuple[RefusedRequests, ...]]:
    """Source → what was not taken within the last day; under no name that of senders nobody knows."""
    found: dict[str, tuple[RefusedRequests, ...]] = {}
    for one in standings.not_taken(now - REFUSED_WITHIN):
        if one.source or one.reason not in NOISE:
            is_raw = one.stage != "gateway"
            refused = RefusedRequests(is_raw, one.reason, one.count, one.since, one.last_at, one.detail)
            found[one.source] = (*found.get(one.source, ()), refused)
    return found


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
