"""From what the fold concludes to rows of the store, each with its revision and digest."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import orjson

from schemas.facts import AccountFact, AccountsFact, Opportunity, PhaseChange, SignalFact, TouchpointFact
from schemas.ids import parts
from streams.friction.episodes import Signal
from streams.journey.account import AccountJourney, Changes
from streams.journey.profile import completeness
from streams.journey.state import Placed

_AS_OF_BITS = 32
_AS_OF_MASK = (1 << _AS_OF_BITS) - 1


def revision(inputs: int, as_of: datetime) -> int:
    """Orders rows by knowledge: inputs known, then how far silence was counted (seconds)."""
    return (inputs << _AS_OF_BITS) | (int(as_of.timestamp()) & _AS_OF_MASK)


def told_as_of(account: AccountJourney, as_of: datetime) -> datetime:
    """How far silence was counted in what is told now: never less far than in what was told before."""
    return max(as_of, account.counted_to)


def inputs_of(stored_revision: int) -> int:
    """The inputs a stored revision knew."""
    return stored_revision >> _AS_OF_BITS


def as_of_of(stored_revision: int) -> datetime:
    """How far a stored revision had counted silence."""
    return datetime.fromtimestamp(stored_revision & _AS_OF_MASK, UTC)


def facts_of(account: AccountJourney, changes: Changes, as_of: datetime) -> list[AccountsFact]:
    """The rows that tell `changes`; the account's own row is told apart, less often."""
    number = revision(account.inputs, told_as_of(account, as_of))
    facts: list[AccountsFact] = [touchpoint_fact(account, placed, number) for placed in changes.placed.values()]
    facts += [signal_fact(account.account_id, s, number) for s in changes.signals.values()]
    facts += [signal_fact(account.account_id, s, number, withdrawn=True) for s in changes.withdrawn.values()]
    return facts


def touchpoint_fact(account: AccountJourney, placed: Placed, number: int, digest: int = 0) -> TouchpointFact:
    """The row of one touchpoint; `digest` is its own, where it is known already."""
    return TouchpointFact(
        account_id=account.account_id,
        event_id=placed.item.event_id,
        revision=number,
        digest=digest or placed_digest(placed, account.blueprint.version),
        touchpoint_type=placed.touchpoint_type,
        phase=placed.phase,
        home_phase=placed.home_phase,
        persona=placed.persona,
        segment=placed.segment,
        on_map=placed.on_map,
        moment_of_truth=placed.moment_of_truth,
        importance=placed.importance,
        emotion=placed.emotion,
        friction_signals=tuple([s.signal_id for s in placed.friction]),
        friction_rules=tuple([s.rule for s in placed.friction]),
        delight_signals=tuple([s.signal_id for s in placed.delight]),
        pain=placed.pain,
        blueprint_version=account.blueprint.version,
        traffic=placed.traffic,
        input=placed.item,
    )


def signal_fact(account_id: str, signal: Signal, number: int, *, withdrawn: bool = False) -> SignalFact:
    """The row of one episode."""
    return SignalFact(
        signal_id=signal.signal_id,
        account_id=account_id,
        revision=number,
        digest=signal_digest(signal),
        rule=signal.rule,
        rule_version=signal.rule_version,
        polarity="delight" if signal.polarity == "delight" else "friction",
        severity=signal.severity,
        event_id=signal.event_id,
        person_id=signal.person_id,
        touchpoint_type=signal.touchpoint_type,
        phase=signal.phase,
        opened_at=signal.opened_at,
        closed_at=signal.closed_at,
        evidence=signal.evidence,
        evidence_count=signal.evidence_count,
        explanation=signal.explanation,
        explanation_coded=signal.explanation_coded,
        case_id=signal.case_id,
        parts=signal.parts,
        withdrawn=withdrawn,
    )


def account_fact(account: AccountJourney, as_of: datetime, number: int | None = None) -> AccountFact:
    """The row that says where the account stands."""
    as_of = told_as_of(account, as_of)
    number = revision(account.inputs, as_of) if number is None else number
    state, traits = account.state, account.profile.account_traits()
    committee = account.profile.committee(state.people)
    fields: dict[str, Any] = {
        "phase": state.phase,
        "phase_since": state.phase_since,
        "high_water_phase": state.high_water_phase,
        "segment": account.profile.segment,
        "traits": traits,
        "touchpoints": state.touchpoints,
        "on_map_touchpoints": state.on_map_touchpoints,
        "people": len(state.people),
        "friction_signals": state.friction_signals,
        "first_seen_at": state.first_seen_at,
        "last_seen_at": state.last_seen_at,
        "committee": committee,
        "committee_completeness": completeness(committee),
        "blueprint_version": account.blueprint.version,
        "blueprint_digest": account.blueprint.digest,
        "next_deadline_at": state.next_deadline,
        "deleted": state.touchpoints == 0,
    }
    words = {**fields, "committee": [seat.known for seat in committee], "rare": account.rare_digest(_rare_digest)}
    return AccountFact(
        account_id=account.account_id,
        revision=number,
        digest=json_digest(words),
        as_of=as_of,
        transitions=state.transitions,
        opportunities=tuple(state.opportunities.values()),
        **fields,
    )


def digest_of(value: object) -> int:
    """64 bits of the value's repr; stable across processes for the immutable values used here."""
    return int.from_bytes(blake2b(repr(value).encode(), digest_size=8).digest())


class _Uncoded:
    """Its repr is the value's without fields that only say in code what another field says in English.

    Those came later, and what was stored before keeps its digest.
    """

    __slots__ = ("_value",)

    def __init__(self, value: Signal | PhaseChange) -> None:
        self._value = value

    def __repr__(self) -> str:
        value = self._value
        names = value._fields if isinstance(value, Signal) else value.__struct_fields__
        shown = [f"{name}={getattr(value, name)!r}" for name in names if not name.endswith("_coded")]
        return f"{type(value).__name__}({', '.join(shown)})"


def signal_digest(signal: Signal) -> int:
    """64 bits of everything that shows of a signal."""
    return digest_of(_Uncoded(signal))


def _rare_digest(rare: tuple[tuple[PhaseChange, ...], tuple[Opportunity, ...]]) -> int:
    """64 bits of the phase timeline and the deals."""
    transitions, deals = rare
    return digest_of((tuple(map(_Uncoded, transitions)), deals))


def placed_digest(placed: Placed, blueprint_version: int) -> int:
    """64 bits of everything that shows in a touchpoint's row."""
    return json_digest(_placed_words(placed, blueprint_version))


def json_digest(value: object) -> int:
    """64 bits of what JSON can say; it is written three times as fast as `repr`."""
    return int.from_bytes(blake2b(orjson.dumps(value), digest_size=8).digest())


def _placed_words(placed: Placed, blueprint_version: int) -> tuple[object, ...]:
    """What shows of a touchpoint."""
    item, attribution = placed.item, placed.item.attribution
    words: tuple[object, ...] = (
        item.event_id,
        item.touchpoint.received_at.timestamp(),
        item.touchpoint.vendor_type,
        attribution.verdict,
        placed.touchpoint_type,
        placed.phase,
        placed.home_phase,
        placed.persona,
        placed.segment,
        placed.on_map,
        placed.moment_of_truth,
        placed.importance,
        placed.emotion,
        [(s.signal_id, s.severity) for s in placed.friction],
        [(s.signal_id, s.severity) for s in placed.delight],
        blueprint_version,
        *_numbered((*item.touchpoint.aliases, *item.touchpoint.account_refs, item.touchpoint.subject)),
    )
    if placed.traffic != "customer":  # what was stored before was all taken for customers'
        words = (*words, placed.traffic)
    # what the first mapping read keeps the digest it was stored with
    reading = item.touchpoint.mapping
    return words if reading == 1 else (*words, reading, item.touchpoint.occurred_at.timestamp())


@lru_cache(maxsize=16_384)
def _numbered(names: tuple[str, ...]) -> tuple[str, ...]:
    """The ids that carry their source; those of before did not, and their rows are to be written anew."""
    return tuple([name for name in names if parts(name)])
