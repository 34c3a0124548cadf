"""From what the fold concludes to rows of the store: revisions, digests, and what a refold must correct."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from schemas.facts import AccountFact, Correction, Fact, SignalFact, Tombstone, TouchpointFact
from schemas.touchpoints import AttributedTouchpoint
from streams.friction.patterns import Signal
from streams.journey.account import AccountJourney, Changes, changes_nothing
from streams.journey.fold import Journey
from streams.journey.profile import completeness
from streams.journey.state import Placed

_AS_OF_BITS = 32
_AS_OF_MASK = (1 << _AS_OF_BITS) - 1


def revision(inputs: int, as_of: datetime) -> int:
    """Orders rows by knowledge: inputs known, then how far silence was counted (seconds)."""
    return (inputs << _AS_OF_BITS) | (int(as_of.timestamp()) & _AS_OF_MASK)


def inputs_of(stored_revision: int) -> int:
    """The inputs a stored revision knew."""
    return stored_revision >> _AS_OF_BITS


@dataclass(slots=True)
class Stored:
    """What the store holds of an account: inputs to fold, and digests to compare with.

    `gone` are the touchpoints that left, each with the knowledge it left at.
    """

    items: dict[str, AttributedTouchpoint] = field(default_factory=dict)
    gone: dict[str, int] = field(default_factory=dict)
    touchpoint_digests: dict[str, int] = field(default_factory=dict)
    signals: dict[str, SignalFact] = field(default_factory=dict)
    account_digest: int = 0
    max_revision: int = 0

    def digest_of_signal(self, signal_id: str) -> int | None:
        """The digest of a signal that stands; None when there is none."""
        stored = self.signals.get(signal_id)
        return stored.digest if stored else None


def facts_of(account: AccountJourney, changes: Changes, as_of: datetime) -> list[Fact]:
    """The rows that tell `changes`; the account's own row is told apart, less often."""
    number = revision(account.inputs, as_of)
    facts: list[Fact] = [touchpoint_fact(account, placed, number) for placed in changes.placed.values()]
    facts += [signal_fact(account.account_id, s, number) for s in changes.signals.values()]
    facts += [signal_fact(account.account_id, s, number, withdrawn=True) for s in changes.withdrawn.values()]
    return facts


def corrections(account: AccountJourney, journey: Journey, stored: Stored, as_of: datetime, cause: str) -> list[Fact]:
    """The rows by which the store differs from `journey`, and a line that says so.

    Sets `account.inputs` to what the store knew and what is new: a writer that was frozen and reads the same
    store cannot count as if it knew more than one that also knows what came since.
    """
    placed = {
        event_id: place
        for event_id, place in journey.placed.items()
        if digest_of(_placed_words(account, place)) != stored.touchpoint_digests.get(event_id)
    }
    signals = {i: s for i, s in journey.signals.items() if digest_of(s) != stored.digest_of_signal(i)}
    removed = stored.items.keys() - journey.placed.keys()
    withdrawn = stored.signals.keys() - journey.signals.keys()
    account.inputs = inputs_of(stored.max_revision) + _new_inputs(journey, stored)
    number = max(revision(account.inputs, as_of), stored.max_revision + 1)
    facts: list[Fact] = [touchpoint_fact(account, p, number) for p in placed.values()]
    facts += [_tombstone(stored, event_id, number) for event_id in sorted(removed)]
    facts += [signal_fact(account.account_id, s, number) for s in signals.values()]
    facts += [stored.signals[i].model_copy(update={"withdrawn": True, "revision": number}) for i in sorted(withdrawn)]
    own = account_fact(account, as_of, number)
    if not facts and own.digest == stored.account_digest:
        return []
    told_before = placed.keys() & stored.items.keys()
    if told_before or removed or withdrawn:
        facts.append(
            Correction(
                correction_id=str(uuid5(NAMESPACE_URL, f"touchline:correction:{account.account_id}:{number}")),
                account_id=account.account_id,
                corrected_at=as_of,
                cause=cause,
                touchpoints_changed=len(told_before),
                touchpoints_removed=len(removed),
                signals_changed=len(signals),
                signals_withdrawn=len(withdrawn),
            )
        )
    return [*facts, own]


def touchpoint_fact(account: AccountJourney, placed: Placed, number: int) -> TouchpointFact:
    """The row of one touchpoint. Rows are built from checked values, so they are not validated again."""
    return TouchpointFact.model_construct(
        kind="touchpoint",
        account_id=account.account_id,
        event_id=placed.item.event_id,
        revision=number,
        digest=digest_of(_placed_words(account, placed)),
        touchpoint_type=placed.touchpoint_type,
        phase=placed.phase,
        home_phase=placed.home_phase,
        persona=placed.persona,
        segment=placed.segment,
        on_map=placed.on_map,
        moment_of_truth=placed.moment_of_truth,
        importance=placed.importance,
        emotion=placed.emotion,
        friction_signals=tuple(s.signal_id for s in placed.friction),
        friction_rules=tuple(s.rule for s in placed.friction),
        delight_signals=tuple(s.signal_id for s in placed.delight),
        pain=placed.pain,
        blueprint_version=account.blueprint.version,
        input=placed.item,
    )


def signal_fact(account_id: str, signal: Signal, number: int, *, withdrawn: bool = False) -> SignalFact:
    """The row of one episode."""
    return SignalFact.model_construct(
        kind="signal",
        signal_id=signal.signal_id,
        account_id=account_id,
        revision=number,
        digest=digest_of(signal),
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
        withdrawn=withdrawn,
    )


def account_fact(account: AccountJourney, as_of: datetime, number: int | None = None) -> AccountFact:
    """The row that says where the account stands."""
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
        "opportunities": tuple(state.opportunities.values()),
        "committee": committee,
        "committee_completeness": completeness(committee),
        "blueprint_version": account.blueprint.version,
        "blueprint_digest": account.blueprint.digest,
        "next_deadline_at": state.next_deadline,
        "deleted": state.touchpoints == 0,
    }
    digest = digest_of((tuple(fields.values()), account.transitions_digest(digest_of)))
    return AccountFact.model_construct(
        kind="account",
        account_id=account.account_id,
        revision=number,
        digest=digest,
        as_of=as_of,
        transitions=state.transitions,
        **fields,
    )


def digest_of(value: object) -> int:
    """64 bits of the value's repr; stable across processes for the immutable values used here."""
    return int.from_bytes(blake2b(repr(value).encode(), digest_size=8).digest())


def _placed_words(account: AccountJourney, placed: Placed) -> tuple[object, ...]:
    item, attribution = placed.item, placed.item.attribution
    return (
        item.event_id,
        item.touchpoint.received_at.timestamp(),
        item.touchpoint.vendor_type,
        attribution.person_id,
        attribution.account_id,
        attribution.method,
        attribution.confidence,
        placed.touchpoint_type,
        placed.phase,
        placed.home_phase,
        placed.persona,
        placed.segment,
        placed.on_map,
        placed.moment_of_truth,
        placed.importance,
        placed.emotion,
        tuple((s.signal_id, s.severity) for s in placed.friction),
        tuple((s.signal_id, s.severity) for s in placed.delight),
        account.blueprint.version,
    )


def _new_inputs(journey: Journey, stored: Stored) -> int:
    """How many inputs the store did not know: touchpoints that came, left, or are attributed anew."""
    came = journey.placed.keys() - stored.items.keys()
    left = stored.items.keys() - journey.placed.keys()
    kept = journey.placed.keys() & stored.items.keys()
    return len(came) + len(left) + sum(not changes_nothing(stored.items[e], journey.placed[e].item) for e in kept)


def as_of_at_least(stored: Stored, as_of: datetime) -> datetime:
    """`as_of`, but never before the time silence was counted to already: knowledge of time is knowledge."""
    known = datetime.fromtimestamp(stored.max_revision & _AS_OF_MASK, UTC)
    return max(known, as_of)


def _tombstone(stored: Stored, event_id: str, number: int) -> Tombstone:
    item = stored.items[event_id]
    return Tombstone(
        account_id=item.account_id,
        event_id=event_id,
        occurred_at=item.touchpoint.occurred_at,
        knowledge=stored.gone.get(event_id, item.knowledge),
        revision=number,
        source=item.touchpoint.source,
    )
