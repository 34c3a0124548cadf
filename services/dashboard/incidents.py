"""Incidents for the pages and the API: the same ones, as bad and as old, as the alerts and the command have them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from schemas.incidents import Desk, Part
from schemas.policies import Level
from services.dashboard.catalogue import Catalogue
from services.dashboard.reader import Reader
from services.dashboard.scope import Range, Scope
from services.dashboard.store import PainQuery, Pains, Row
from services.dashboard.words import account_name, rule_label
from streams.incidents.incident import signs_of
from streams.incidents.listing import Listed, State, listed, worst_first
from streams.incidents.stored import asked, desks_of

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
    """Incidents of a scope, the worst first. `is_cut`: older ones were left out, there are too many."""

    incidents: tuple[IncidentView, ...]
    is_cut: bool = False

    def of(self, *states: State) -> tuple[IncidentView, ...]:
        return tuple(each for each in self.incidents if each.state in states)


@dataclass(frozen=True, slots=True)
class One:
    """One incident with all that it is made of."""

    view: IncidentView
    listed: Listed
    account_id: str


async def incidents(reader: Reader, scope: Scope, span: Range, most_pains: int = MOST_PAINS) -> Found:
    """Those with a pain in the scope. Grouped with all that hurt the account: a filter never cuts one in two.

    Raises StoreUnavailable.
    """
    since = min(span.since, reader.clock() - timedelta(days=2)) - REACH
    keys, pains, is_cut = await pains_of(reader, scope, span, since, most_pains)
    wanted = {str(row["part_id"]) for row in keys}
    # off the event loop: where much hurts this takes a while, and others' pages are answered in between
    views = await asyncio.to_thread(_ranked, reader, pains, since, wanted)
    remember(reader, views)
    return Found(views, is_cut)


async def pains_of(
    reader: Reader, scope: Scope, span: Range, since: datetime, most: int
) -> tuple[Sequence[Row], Pains, bool]:
    """Pains of the scope, at most so many and the newest; all since then that hurt their accounts; whether more were.

    Raises StoreUnavailable.
    """
    fields = asked(reader.catalogue.lens, since)
    query = PainQuery(scope, span, fields["types"], reader.catalogue.derived_rules, fields["waits"], most + 1)
    found = await reader.store.pained(query)
    keys = found[:most]
    accounts = list(dict.fromkeys(str(row["account_id"]) for row in keys))
    return keys, await reader.store.pains(accounts, fields), len(found) > most


def _ranked(reader: Reader, pains: Pains, since: datetime, wanted: set[str]) -> tuple[IncidentView, ...]:
    found = {id(one): (desk, one) for desk, one in _all(reader, pains, since) if _is_in(one, wanted)}
    personas = {str(row["signal_id"]): str(row.get("persona", "")) for row in pains.signals}
    ranked = worst_first(one for _, one in found.values())
    return tuple(_view(reader, found[id(one)][0], one, personas) for one in ranked)


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
            personas = {str(row["signal_id"]): str(row.get("persona", "")) for row in pains.signals}
            return One(_view(reader, desk, one, personas), one, account_id)
    return None


def remember(reader: Reader, views: Iterable[IncidentView]) -> None:
    """So that an incident that nobody was told of is found by its id, too."""
    known = reader.named_incidents
    for each in views:
        known[each.id] = each.event_id
    while len(known) > REMEMBERED:
        known.popitem(last=False)


def _all(reader: Reader, pains: Pains, since: datetime) -> list[tuple[Desk, Listed]]:
    lens, board, now = reader.catalogue.lens, reader.board, reader.clock()
    desks = desks_of(pains.signals, pains.touchpoints, pains.accounts, lens, since)
    told = (desk.changed(threads=board.threads(desk.account_id)) for desk in desks)
    return [(desk, one) for desk in told for one in listed(desk, lens, board.log, now)]


def _is_in(one: Listed, wanted: set[str]) -> bool:
    return any(part.part_id in wanted for part in one.incident.roots)


def _view(reader: Reader, desk: Desk, one: Listed, personas: Mapping[str, str]) -> IncidentView:
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
        personas=_personas(catalogue, incident.roots, personas),
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


def _personas(catalogue: Catalogue, parts: Sequence[Part], of: Mapping[str, str]) -> tuple[str, ...]:
    """`of`: signal → persona of the touchpoint that carries it."""
    known = dict.fromkeys(of.get(part.part_id, "") for part in parts)
    return tuple(catalogue.persona_name(each) for each in known if each not in ("", "unknown"))
