"""The incidents of an account as everybody is shown them: the page, the command and the alerts ask here.

One is recognised by its evidence: where people were notified of it, it keeps the name they know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from schemas.incidents import Desk, Thread
from schemas.policies import LEVELS, Level, Policy
from streams.incidents.actions import ActionLog, Standing
from streams.incidents.identity import Known, matched
from streams.incidents.incident import Incident
from streams.incidents.intake import Lens
from streams.incidents.judging import falls_under, level_of
from streams.incidents.threads import incidents_on

State = Literal["open", "taken", "silenced", "done", "over"]


@dataclass(frozen=True, slots=True)
class Listed:
    """An incident, how bad it is now, where it stands with people and what was sent to them.

    `thread`: None where nobody was notified of it. `is_back`: it was done, and hurts again.
    """

    incident_id: str
    incident: Incident
    account: str
    tier: str
    weight: float
    level: Level
    standing: Standing
    state: State
    is_back: bool
    thread: Thread | None


def every(_: Incident) -> bool:
    """Whatever it is."""
    return True


def listed(  # noqa: PLR0913 - what is known of an account
    desk: Desk,
    lens: Lens,
    log: ActionLog,
    now: datetime,
    is_wanted: Callable[[Incident], bool] = every,
    incidents: Sequence[Incident] | None = None,
) -> list[Listed]:
    """The account's incidents that are wanted, the oldest first. `incidents`: those on the desk, where known."""
    incidents = incidents_on(desk, lens) if incidents is None else incidents
    known = [Known(thread.thread_id, frozenset(thread.events), thread.opened_at) for thread in desk.threads]
    threads = {thread.thread_id: thread for thread in desk.threads}
    continued = matched(known, incidents).continued if known else {}
    found = {incident.events: thread_id for thread_id, incident in continued.items()}
    return [
        _listed(desk, each, threads.get(found.get(each.events, "")), lens, log, now)
        for each in incidents
        if is_wanted(each)
    ]


def policies_of(one: Listed, desk: Desk, lens: Lens, now: datetime) -> list[Policy]:
    """Those that an incident of the account falls under."""
    is_key = one.weight > 1
    return [each for each in lens.blueprint.policies if falls_under(each, one.incident, desk.dates, now, is_key=is_key)]


def worst_first(incidents: Iterable[Listed]) -> list[Listed]:
    """Those that still hurt before those that are done or over; then by how bad; of equals the latest pain first."""
    return sorted(incidents, key=_rank)


def _listed(  # noqa: PLR0913 - what is known of an incident
    desk: Desk, incident: Incident, thread: Thread | None, lens: Lens, log: ActionLog, now: datetime
) -> Listed:
    weight = lens.weight_of(desk.tier, desk.segment)
    standing = log.standing(dict.fromkeys((*incident.events, *(thread.events if thread else ()))))
    is_done = standing.is_done(incident.pained_at)
    return Listed(
        incident_id=thread.thread_id if thread else incident.incident_id,
        incident=incident,
        account=desk.name or desk.account_id,
        tier=desk.tier,
        weight=weight,
        level=level_of(incident, lens, weight),
        standing=standing,
        state=_state(incident, standing, now),
        is_back=standing.done_at is not None and not is_done,
        thread=thread,
    )


def _state(incident: Incident, standing: Standing, now: datetime) -> State:
    if standing.is_done(incident.pained_at):
        return "done"
    if incident.is_over(now):
        return "over"
    if standing.is_silent(now):
        return "silenced"
    return "taken" if standing.taken_by else "open"


def _rank(one: Listed) -> tuple[bool, int, float, str]:
    is_past = one.state in ("done", "over")
    return is_past, -LEVELS.index(one.level), -one.incident.pained_at.timestamp(), one.incident_id
