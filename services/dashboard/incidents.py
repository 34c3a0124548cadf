"""Incidents for the pages and the API: the same ones, as bad and as old, as the alerts and the command have them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from schemas.incidents import Desk, Part
from schemas.policies import Level, Policy
from services.dashboard.catalogue import Catalogue
from services.dashboard.reader import Reader
from services.dashboard.scope import Range, Scope
from services.dashboard.store import Near, PainQuery, Pains, Row
from services.dashboard.words import account_name, rule_label
from streams.incidents.incident import Incident, signs_of
from streams.incidents.judging import bursts_of
from streams.incidents.listing import Listed, State, every, listed, policies_of, worst_first
from streams.incidents.stored import asked

REACH = timedelta(days=30)
"""How much older than the window the evidence of an incident may be that is shown in it."""
MOST_PAINS = 2_000
OF_ONE = timedelta(days=120)
REMEMBERED = 5_000


@dataclass(frozen=True, slots=True)
class IncidentView:
    """An incident in a list. `event_id`: its oldest evidence, which names it in URLs; `opened_at`: since when it hurts;
    `pained_at`: when it last did; `signs`: how many pains it has; `tags`: what rules made of several of them.

    `told_at`: None where nobody was told of it; `channels`: where people were.
    """

    id: str
    event_id: str
    account_id: str
    account: str
    tier: str
    severity: Level
    state: State
    is_back: bool
    what: str
    touchpoint_type: str
    touchpoint: str
    phase: str
    owner: str
    personas: tuple[str, ...]
    signs: int
    tags: tuple[str, ...]
    opened_at: datetime
    pained_at: datetime
    over_at: datetime | None
    taken_by: str
    taken_at: datetime | None
    assigned_by: str
    silenced_until: datetime | None
    silenced_by: str
    done_by: str
    done_at: datetime | None
    told_at: datetime | None
    held_for: str
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """Incidents of a scope, the worst first. `is_cut`: older ones were left out, there are too many.

    `carriers`: incident → the events that carry its signals. `personas` are asked for what is shown: `with_personas`.
    """

    incidents: tuple[IncidentView, ...]
    is_cut: bool = False
    carriers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def of(self, *states: State) -> tuple[IncidentView, ...]:
        return tuple(each for each in self.incidents if each.state in states)


@dataclass(frozen=True, slots=True)
class One:
    """One incident with all that it is made of, and the policies that it falls under."""

    view: IncidentView
    listed: Listed
    account_id: str
    policies: tuple[Policy, ...]


async def incidents(reader: Reader, scope: Scope, span: Range, most_pains: int = MOST_PAINS) -> Found:
    """Those with a pain in the scope. Grouped with all that hurt the account: a filter never cuts one in two.

    Raises StoreUnavailable.
    """
    since = min(span.since, reader.clock() - timedelta(days=2)) - REACH
    fields = asked(reader.catalogue.lens, since)
    keys, is_cut = await _keys(reader, scope, span, fields, most_pains)
    pains = await reader.store.pains(_accounts(keys), fields, _near(reader, keys))
    # off the event loop: where much hurts this takes a while, and others' pages are answered in between
    found = await asyncio.to_thread(_ranked, reader, pains, since, {str(row["part_id"]) for row in keys})
    remember(reader, found.incidents)
    return replace(found, is_cut=is_cut)


async def pains_of(reader: Reader, scope: Scope, span: Range, since: datetime, most: int) -> tuple[Pains, bool]:
    """All since then that hurt the accounts of a scope's pains, at most so many of these and the newest.

    And whether there were more. Raises StoreUnavailable.
    """
    fields = asked(reader.catalogue.lens, since)
    keys, is_cut = await _keys(reader, scope, span, fields, most)
    return await reader.store.pains(_accounts(keys), fields), is_cut


async def with_personas(reader: Reader, found: Found, shown: Sequence[IncidentView]) -> Found:
    """With whom they hurt, told of those that are shown. Raises StoreUnavailable."""
    carried = [(each.account_id, event) for each in shown for event in found.carriers.get(each.id, ())]
    if not carried:
        return found
    rows = await reader.store.carriers([account for account, _ in carried], [event for _, event in carried])
    persona_of = {(row["account_id"], row["event_id"]): str(row["persona"]) for row in rows}
    named = {
        each.id: _named(reader.catalogue, (persona_of.get((each.account_id, event), "") for event in events))
        for each in shown
        if (events := found.carriers.get(each.id))
    }
    views = (replace(each, personas=named[each.id]) if each.id in named else each for each in found.incidents)
    return replace(found, incidents=tuple(views))


async def _keys(
    reader: Reader, scope: Scope, span: Range, fields: Mapping[str, Any], most: int
) -> tuple[Sequence[Row], bool]:
    query = PainQuery(scope, span, fields["types"], reader.catalogue.derived_rules, fields["waits"], most + 1)
    found = await reader.store.pained(query)
    return found[:most], len(found) > most


def _accounts(keys: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(str(row["account_id"]) for row in keys))


def _near(reader: Reader, keys: Sequence[Row]) -> Near:
    """Accounts that people were told about are read whole: what they were told goes on with one of all incidents."""
    bursts = bursts_of(reader.catalogue.lens.blueprint.policies)
    return Near(
        parts=keys,
        whole=[account for account in _accounts(keys) if reader.board.threads(account)],
        least=min((burst.least for burst in bursts), default=0),
        within_ms=max((burst.within // timedelta(milliseconds=1) for burst in bursts), default=0),
    )


def _ranked(reader: Reader, pains: Pains, since: datetime, wanted: set[str]) -> Found:
    found = {id(one): (desk, one) for desk, one in _all(reader, pains, since, partial(_is_in, wanted))}
    ranked = worst_first(one for _, one in found.values())
    return Found(
        tuple(_view(reader, found[id(one)][0], one) for one in ranked),
        carriers={one.incident_id: _carriers(one.incident) for one in ranked},
    )


def _carriers(incident: Incident) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.event_id for part in incident.roots if part.kind == "signal"))


async def incident(reader: Reader, name: str) -> One | None:
    """By an event that is evidence of it, or by its id. Raises StoreUnavailable."""
    thread = reader.board.thread(name)
    event_id = thread.events[0] if thread else reader.named_incidents.get(name, name)
    account_id = (await reader.store.owners_of([event_id])).get(event_id)
    if not account_id:
        return None
    since = reader.clock() - OF_ONE
    pains = await reader.store.pains([account_id], asked(reader.catalogue.lens, since))
    for desk, one in _all(reader, pains, since):
        if name == one.incident_id or any(event_id in part.proof for part in one.incident.parts):
            persona_of = {str(row["signal_id"]): str(row.get("persona", "")) for row in pains.signals}
            personas = _named(reader.catalogue, (persona_of.get(part.part_id, "") for part in one.incident.roots))
            asking = policies_of(one, desk, reader.catalogue.lens, reader.clock())
            return One(replace(_view(reader, desk, one), personas=personas), one, account_id, tuple(asking))
    return None


def remember(reader: Reader, views: Iterable[IncidentView]) -> None:
    """So that an incident that nobody was told of is found by its id, too."""
    known = reader.named_incidents
    for each in views:
        known[each.id] = each.event_id
    while len(known) > REMEMBERED:
        known.popitem(last=False)


def _all(
    reader: Reader, pains: Pains, since: datetime, is_wanted: Callable[[Incident], bool] = every
) -> list[tuple[Desk, Listed]]:
    lens, board, now = reader.catalogue.lens, reader.board, reader.clock()
    found = []
    for desk, incidents in reader.grouped.desks(pains, since):
        whole = desk.changed(threads=mine) if (mine := board.threads(desk.account_id)) else desk
        found += [(whole, one) for one in listed(whole, lens, board.log, now, is_wanted, incidents)]
    return found


def _is_in(wanted: set[str], incident: Incident) -> bool:
    return any(part.part_id in wanted and not part.derived for part in incident.parts)


def _view(reader: Reader, desk: Desk, one: Listed) -> IncidentView:
    incident, standing, thread, catalogue = one.incident, one.standing, one.thread, reader.catalogue
    lead = incident.lead
    kind = catalogue.types.get(lead.touchpoint_type)
    return IncidentView(
        id=one.incident_id,
        event_id=incident.events[0],
        account_id=desk.account_id,
        account=account_name(desk.account_id, desk.name),
        tier=desk.tier,
        severity=one.level,
        state=one.state,
        is_back=one.is_back,
        what=lead.words,
        touchpoint_type=lead.touchpoint_type,
        touchpoint=what_of(catalogue, lead),
        phase=lead.phase,
        owner=kind.owner.department if kind is not None and kind.owner else "",
        personas=(),
        signs=len(signs_of(incident.roots)),
        tags=tuple(rule_label(tag) for tag in incident.tags),
        opened_at=incident.opened_at,
        pained_at=incident.pained_at,
        over_at=incident.over_at(),
        taken_by=standing.taken_by,
        taken_at=standing.taken_at,
        assigned_by=standing.assigned_by,
        silenced_until=standing.silenced_until if standing.is_silent(reader.clock()) else None,
        silenced_by=standing.silenced_by,
        done_by=standing.done_by,
        done_at=standing.done_at,
        told_at=thread.told_at if thread else None,
        held_for=thread.held_for if thread and thread.state == "held" else "",
        channels=thread.channels if thread else (),
    )


def what_of(catalogue: Catalogue, part: Part) -> str:
    """Where it hurt, in a few words: the touchpoint, or that the account fell back."""
    if part.kind == "phase":
        return f"Fell back to {catalogue.phase_name(part.phase)}"
    return catalogue.type_name(part.touchpoint_type)


def _named(catalogue: Catalogue, personas: Iterable[str]) -> tuple[str, ...]:
    """Each once; where it is not known it is left out."""
    return tuple(catalogue.persona_name(each) for each in dict.fromkeys(personas) if each not in ("", "unknown"))
