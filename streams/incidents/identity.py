"""Recognising an incident again: it is the one that shares evidence, whatever its own id is now.

Ids of signals and incidents follow from their first event, and a late first event moves them. People must not hear
twice of one thing for that, and what they did about it must stay with it. So conversations remember events.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from streams.incidents.incident import Incident


class Known(NamedTuple):
    """A conversation: its id, the evidence it ever had, and when it began."""

    thread_id: str
    events: frozenset[str]
    opened_at: datetime


@dataclass(slots=True)
class Matching:
    """What became of each conversation and each incident.

    continued: conversation → its incident. merged: conversation → the older one that goes on with its incident.
    fresh: incidents nobody spoke of. split: incidents that were part of a conversation which goes on elsewhere.
    gone: conversations without any incident.
    """

    continued: dict[str, Incident] = field(default_factory=dict)
    merged: dict[str, str] = field(default_factory=dict)
    fresh: list[Incident] = field(default_factory=list)
    split: list[tuple[Incident, str]] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)


def matched(threads: Sequence[Known], incidents: Sequence[Incident]) -> Matching:
    """Every conversation goes on with the incident it shares most events with; of several in one, the oldest does.

    Incidents share no events with one another. The order of neither list matters.
    """
    found = Matching()
    threads = sorted(threads, key=lambda thread: (thread.opened_at, thread.thread_id))
    incidents = sorted(incidents, key=lambda incident: (incident.opened_at, incident.events))
    holder = {event: at for at, incident in enumerate(incidents) for part in incident.parts for event in part.proof}
    taken: dict[int, str] = {}
    touched: dict[int, str] = {}
    for thread in threads:
        shared = _shared(thread.events, holder)
        if not shared:
            found.gone.append(thread.thread_id)
            continue
        for at in shared:
            touched.setdefault(at, thread.thread_id)
        best = min(shared, key=lambda at: (-shared[at], at))
        if best in taken:
            found.merged[thread.thread_id] = taken[best]
        else:
            taken[best] = thread.thread_id
            found.continued[thread.thread_id] = incidents[best]
    for at, incident in enumerate(incidents):
        if at in taken:
            continue
        if at in touched:
            found.split.append((incident, touched[at]))
        else:
            found.fresh.append(incident)
    return found


def _shared(events: frozenset[str], holder: Mapping[str, int]) -> dict[int, int]:
    """Incident → how many of these events are its evidence."""
    shared: dict[int, int] = {}
    for event in events:
        if event in holder:
            shared[holder[event]] = shared.get(holder[event], 0) + 1
    return shared
