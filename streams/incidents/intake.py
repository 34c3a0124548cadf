"""What the alerts service remembers of one account, as facts come in. A fact that comes twice changes nothing.

Kept is what hurts now or hurt lately: facts about anything else, and about long ago, leave no trace.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta

from schemas.blueprint import Blueprint, TouchpointType
from schemas.facts import AccountFact, Fact, PhaseChange, SignalFact, Tombstone, TouchpointFact
from schemas.incidents import Carrier, Desk, Part
from streams.incidents.grouping import grouped, newest

MEMORY = timedelta(days=2)
"""How long a pain that is over is remembered: twice as long as an incident stays open after it."""
MAX_PARTS = 400
_MAX_GONE = 100
_CARRIER_MEMORY = timedelta(hours=1)
"""A touchpoint may come before the signal it carries."""


OUTRIGHT = frozenset({"complaint", "cancellation", "status_page"})
"""Types that hurt whenever they happen, whatever was detected: complaints, cancellations, outages."""

OWNERS = ("owner", "owner_name", "account_owner", "account_manager", "hubspot_owner_id", "owner_id")
"""Traits that say who owns an account, the first that is there; CRMs that say it otherwise: see bi.accounts."""


def pains_of(blueprint: Blueprint) -> frozenset[str]:
    """The blueprint's types that are pain by definition: the outright ones, and those that a policy names."""
    named = OUTRIGHT.union(*(policy.types for policy in blueprint.policies))
    return frozenset(kind.id for kind in blueprint.types if kind.id in named)


def pain_by_definition(kind: TouchpointType) -> float:
    """How severe it is, 0…1, that something of a type happened which is pain by definition: as much as it risks."""
    return kind.risk / 5


class Lens:
    """What must be known of the blueprint to know pains from the rest."""

    def __init__(self, blueprint: Blueprint) -> None:
        self.blueprint = blueprint
        self.types = {kind.id: kind for kind in blueprint.types}
        self.pains = pains_of(blueprint)
        asking = [policy for policy in blueprint.policies if policy.renewal_within_days]
        self._dates = frozenset(policy.renewal_trait for policy in asking)
        self._derived = frozenset(rule.id for rule in blueprint.rules if rule.pattern == "compound")
        self.waits = frozenset(rule.id for rule in blueprint.rules for way in rule.ways() if way.pattern == "absence")
        self._roles = {persona.id: str(persona.buying_role) for persona in blueprint.personas}

    def dates_of(self, traits: Mapping[str, str]) -> dict[str, datetime]:
        """The days that policies ask for. What is no day is none: a CRM holds what people typed."""
        found = {name: _day(traits.get(name, "")) for name in self._dates}
        return {name: day for name, day in found.items() if day is not None}

    def role_of(self, persona: str) -> str:
        role = self._roles.get(persona, "")
        return "" if role == "other" else role

    def weight_of(self, tier: str, segment: str) -> float:
        """How much an account counts."""
        weights = self.blueprint.tiers.weights
        return weights.get(tier.lower(), weights.get(segment, 1.0))

    def part_of_signal(self, fact: SignalFact) -> Part:
        return Part(
            part_id=fact.signal_id,
            kind="signal",
            what=fact.rule,
            derived=fact.rule in self._derived,
            waits=fact.rule in self.waits,
            severity=fact.severity,
            revision=fact.revision,
            touchpoint_type=fact.touchpoint_type,
            phase=fact.phase,
            person_id=fact.person_id,
            opened_at=fact.opened_at,
            closed_at=fact.closed_at,
            event_id=fact.event_id,
            events=fact.evidence,
            links=(*fact.parts, *((fact.case_id,) if fact.case_id else ())),
            words=fact.explanation,
        )

    def part_of_touchpoint(self, fact: TouchpointFact) -> Part:
        """A touchpoint that is pain by definition."""
        kind, touchpoint = self.types[fact.touchpoint_type], fact.input.touchpoint
        person_id = fact.input.attribution.person_id
        part = self.pain(kind, fact.event_id, touchpoint.ordered_at, fact.phase, person_id, touchpoint.title)
        return part.changed(revision=fact.revision)

    def pain(  # noqa: PLR0913 - what a touchpoint is
        self, kind: TouchpointType, event_id: str, at: datetime, phase: str, person_id: str, title: str
    ) -> Part:
        """It hurts as much as its type says it risks."""
        return Part(
            part_id=f"touchpoint:{event_id}",
            kind="touchpoint",
            what=kind.id,
            severity=pain_by_definition(kind),
            touchpoint_type=kind.id,
            phase=phase,
            person_id=person_id,
            opened_at=at,
            closed_at=at,
            event_id=event_id,
            events=(event_id,),
            words=title[:160] or kind.name,
        )


def _day(text: str) -> datetime | None:
    """The beginning of a day in UTC, of `2026-11-30` with or without a time behind it."""
    try:
        return datetime.combine(date.fromisoformat(text.strip()[:10]), time(), UTC)
    except ValueError:
        return None


class Recent:
    """The last touchpoints seen, of any account: a fall of the phase is another fact than the touchpoint behind it."""

    def __init__(self, size: int = 20_000) -> None:
        self._size = size
        self._of: dict[str, tuple[str, str, bool, datetime]] = {}

    def note(self, fact: TouchpointFact) -> None:
        touchpoint = fact.input.touchpoint
        self._of.pop(fact.event_id, None)
        is_history = touchpoint.backfill or touchpoint.read_anew
        self._of[fact.event_id] = (touchpoint.source, fact.persona, is_history, touchpoint.received_at)
        if len(self._of) > self._size:
            del self._of[next(iter(self._of))]

    def carrier(self, event_id: str, lens: Lens) -> Carrier | None:
        """What is remembered of a touchpoint."""
        found = self._of.get(event_id)
        if found is None:
            return None
        source, persona, backfill, received_at = found
        return Carrier(source=source, role=lens.role_of(persona), backfill=backfill, received_at=received_at)


def taken_in(desk: Desk, fact: Fact, lens: Lens, recent: Recent, now: datetime) -> Desk:
    """The desk after one fact about its account; the same object when it changes nothing."""
    if isinstance(fact, SignalFact):
        return _signal(desk, fact, lens, now)
    if isinstance(fact, TouchpointFact):
        recent.note(fact)
        return _touchpoint(desk, fact, lens, recent, now)
    if isinstance(fact, Tombstone):
        return desk if fact.is_kept else _forgotten(desk, fact.event_id, fact.revision)
    return _account(desk, fact, lens, recent, now) if isinstance(fact, AccountFact) else desk


def pruned(desk: Desk, now: datetime) -> Desk:
    """Without what is over for long: conversations that ended, incidents that no open conversation is about."""
    threads = tuple(thread for thread in desk.threads if thread.ended_at is None or now - thread.ended_at <= MEMORY)
    held = {event for thread in threads if not thread.is_over for event in thread.events}
    parts = {
        part.part_id: desk.parts[part.part_id]
        for group in grouped(newest(desk.parts.values()))
        if any(_is_recent(part, now) or not held.isdisjoint(part.proof) for part in group)
        for part in group  # whole: an incident of many days is as bad as its worst day
    }
    carried = {part.event_id for part in parts.values()}
    carriers = {
        event: found
        for event, found in desk.carriers.items()
        if event in carried or now - found.received_at <= _CARRIER_MEMORY
    }
    sizes = (len(threads), len(parts), len(carriers))
    if sizes == (len(desk.threads), len(desk.parts), len(desk.carriers)):
        return desk
    return desk.changed(threads=threads, parts=parts, carriers=carriers)


def _is_recent(part: Part, now: datetime) -> bool:
    if part.waits and part.closed_at is None:
        return True
    return now - (part.closed_at or part.opened_at) <= MEMORY


def _signal(desk: Desk, fact: SignalFact, lens: Lens, now: datetime) -> Desk:
    if fact.polarity != "friction":
        return desk
    if fact.withdrawn:
        return _without(desk, fact.signal_id, fact.revision)
    return _with(desk, lens.part_of_signal(fact), now)


def _touchpoint(desk: Desk, fact: TouchpointFact, lens: Lens, recent: Recent, now: datetime) -> Desk:
    is_pain = fact.touchpoint_type in lens.pains and fact.on_map
    if not is_pain:
        desk = _without(desk, f"touchpoint:{fact.event_id}", fact.revision)
    if not (is_pain or fact.friction_signals):
        return desk
    desk = _carried(desk, fact.event_id, recent.carrier(fact.event_id, lens))
    return _with(desk, lens.part_of_touchpoint(fact), now) if is_pain else desk


def _carried(desk: Desk, event_id: str, carrier: Carrier | None) -> Desk:
    if carrier is None or desk.carriers.get(event_id) == carrier:
        return desk
    return desk.changed(carriers=desk.carriers | {event_id: carrier})


def _account(desk: Desk, fact: AccountFact, lens: Lens, recent: Recent, now: datetime) -> Desk:
    if fact.revision < desk.revision:
        return desk
    tier = fact.traits.get(lens.blueprint.tiers.trait, "")
    name = next((fact.traits[key] for key in ("name", "company", "domain") if fact.traits.get(key)), "")
    dates = lens.dates_of(fact.traits)
    owner = next((fact.traits[key] for key in OWNERS if fact.traits.get(key)), "")
    known = (desk.name, desk.tier, desk.segment, desk.revision, desk.dates, desk.owner)
    if known != (name, tier, fact.segment, fact.revision, dates, owner):
        desk = desk.changed(
            name=name, tier=tier, segment=fact.segment, revision=fact.revision, dates=dates, owner=owner
        )
    falls = {f"phase:{move.event_id}": move for move in fact.transitions if is_fall(move)}
    for part_id in [name for name, part in desk.parts.items() if part.kind == "phase" and name not in falls]:
        desk = _without(desk, part_id, fact.revision)
    for part_id, move in falls.items():
        desk = _with(desk, fall(part_id, move, fact.revision), now)
        if part_id in desk.parts:
            desk = _carried(desk, move.event_id, recent.carrier(move.event_id, lens))
    return desk


def is_fall(move: PhaseChange) -> bool:
    return move.accepted and move.direction in ("backward", "exit")


def fall(part_id: str, move: PhaseChange, revision: int) -> Part:
    return Part(
        part_id=part_id,
        kind="phase",
        what=move.direction,
        severity=0.8 if move.direction == "exit" else 0.6,
        revision=revision,
        phase=move.to_phase,
        opened_at=move.at,
        closed_at=move.at,
        event_id=move.event_id,
        events=(move.event_id,),
        words=f"went from {move.from_phase} to {move.to_phase}",
    )


def _with(desk: Desk, part: Part, now: datetime) -> Desk:
    known = desk.parts.get(part.part_id)
    if known == part or desk.gone.get(part.part_id, -1) >= part.revision:
        return desk
    if known is None and not _is_recent(part, now):
        return desk
    if known is not None and known.revision > part.revision:
        return desk
    parts = desk.parts | {part.part_id: part}
    if len(parts) > MAX_PARTS:
        del parts[min(parts, key=lambda name: (parts[name].pained_at, name))]
    return desk.changed(parts=parts)


def _without(desk: Desk, part_id: str, revision: int) -> Desk:
    known = desk.parts.get(part_id)
    if known is None or known.revision > revision:
        return desk
    gone = {**desk.gone, part_id: revision}
    while len(gone) > _MAX_GONE:
        del gone[next(iter(gone))]
    return desk.changed(parts={name: part for name, part in desk.parts.items() if name != part_id}, gone=gone)


def _forgotten(desk: Desk, event_id: str, revision: int) -> Desk:
    desk = _without(desk, f"touchpoint:{event_id}", revision)
    if event_id not in desk.carriers:
        return desk
    return desk.changed(carriers={event: found for event, found in desk.carriers.items() if event != event_id})
