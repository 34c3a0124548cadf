"""A scenario through the whole pipeline in memory, in several orders of arrival, and what is seen at the end."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from itertools import chain
from unittest.mock import patch

from schemas.facts import AccountFact, Opportunity, PhaseChange, ProposalFact, SignalFact, TouchpointFact
from schemas.touchpoints import CleanTouchpoint
from streams.journey import account as account_module
from streams.journey.blueprints import load
from streams.journey.compiled import CompiledBlueprint
from streams.processors import journey as journey_module
from tests.pipeline import Pipeline
from tests.scenarios.messages import understood
from tests.scenarios.model import Row, Scenario

AS_OF = datetime(2027, 6, 1, tzinfo=UTC)
Arrival = Sequence[Sequence[CleanTouchpoint]]
"""Groups of touchpoints; the pipeline comes to rest between two groups."""


@dataclass(slots=True)
class Seen:
    """What a reader of the store sees of a scenario."""

    events: dict[str, Row] = field(default_factory=dict)
    accounts: dict[str, Row] = field(default_factory=dict)
    proposals: list[Row] = field(default_factory=list)
    opportunities: dict[str, Row] = field(default_factory=dict)


def as_written(events: list[CleanTouchpoint]) -> Arrival:
    return [events]


def halves_backwards(events: list[CleanTouchpoint]) -> Arrival:
    backwards = events[::-1]
    return [backwards[: len(backwards) // 2], backwards[len(backwards) // 2 :]]


def shuffled(events: list[CleanTouchpoint]) -> Arrival:
    found = random.Random(len(events)).sample(events, len(events))
    return [found[: len(found) // 3], found[len(found) // 3 :]]


ARRIVALS: tuple[Callable[[list[CleanTouchpoint]], Arrival], ...] = (as_written, halves_backwards, shuffled)


def play(scenario: Scenario) -> dict[str, Seen]:
    """What is seen once everything has been worked off, by order of arrival; all of them must agree."""
    with patch.object(journey_module, "ROWS_EVERY_S", 0.0), patch.object(account_module, "TAIL", 4):
        return asyncio.run(_plays(scenario))


async def _plays(scenario: Scenario) -> dict[str, Seen]:
    mapped, refused = understood(scenario)
    events = list(chain.from_iterable(mapped.values()))
    runs = [_run(scenario, arrival(events), seed) for seed, arrival in enumerate(ARRIVALS)]
    names = {touchpoints[0].event_id: name for name, touchpoints in mapped.items()}
    found = [_seen(pipeline, names) for pipeline in await asyncio.gather(*runs)]
    for seen in found:
        seen.events.update({name: {"refused": reason} for name, reason in refused.items()})
    return dict(zip((arrival.__name__ for arrival in ARRIVALS), found, strict=True))


async def _run(scenario: Scenario, arrival: Arrival, seed: int) -> Pipeline:
    pipeline = Pipeline(_blueprint(scenario), AS_OF, seed, scenario.directories)
    try:
        for group in arrival:
            await pipeline.feed(group)
            await asyncio.wait_for(pipeline.run(), 60)
    finally:
        await pipeline.close()
    return pipeline


standard = cache(load)


def _blueprint(scenario: Scenario) -> CompiledBlueprint:
    if not scenario.blueprint:
        return standard()
    source = standard().source
    return CompiledBlueprint(type(source).model_validate(source.model_dump() | scenario.blueprint))


def _seen(pipeline: Pipeline, names: dict[str, str]) -> Seen:
    visible = pipeline.store.visible()
    signals = [fact for fact in pipeline.store.signals.values() if not fact.withdrawn]
    seen = Seen(events={names[event_id]: _event(fact, signals) for event_id, fact in visible.items()})
    for account_id, fact in pipeline.store.accounts.items():
        if not fact.deleted:
            seen.accounts[account_id] = _account(fact, signals)
            seen.opportunities |= {f"{deal.opportunity_id} of {account_id}": _deal(deal) for deal in fact.opportunities}
    standing = [proposal.fact(0) for proposal in pipeline.links.knowledge.proposals]
    seen.proposals = [_proposal(fact) for fact in sorted(standing, key=lambda fact: fact.proposal_id)]
    return seen


def _event(fact: TouchpointFact, signals: Sequence[SignalFact]) -> Row:
    attribution = fact.input.attribution
    return {
        "person": attribution.person_id,
        "account": fact.account_id,
        "method": attribution.method,
        "confidence": attribution.confidence,
        "rejected": sorted({candidate.account_id for candidate in attribution.rejected}),
        "type": fact.touchpoint_type,
        "traffic": fact.traffic,
        "on_map": fact.on_map,
        "phase": fact.phase,
        "home_phase": fact.home_phase,
        "persona": fact.persona,
        "segment": fact.segment,
        "clock_suspect": fact.input.touchpoint.clock_suspect,
        "signals": _rules(signal for signal in signals if fact.event_id in signal.evidence and not signal.parts),
    }


def _account(fact: AccountFact, signals: Sequence[SignalFact]) -> Row:
    told = [change for change in fact.transitions if change.accepted]
    return {
        "phase": fact.phase,
        "high_water": fact.high_water_phase,
        "touchpoints": fact.touchpoints,
        "people": fact.people,
        "segment": fact.segment,
        "transitions": [_move(change) for change in told],
        "dwell_days": [round(change.dwell_s / 86_400, 2) for change in told],
        "refused": [_move(change) for change in fact.transitions if not change.accepted],
        "reasons": " | ".join(change.reason for change in fact.transitions if not change.accepted),
        "completeness": fact.committee_completeness,
        "signals": _rules(signal for signal in signals if signal.account_id == fact.account_id),
    }


def _rules(signals: Iterable[SignalFact]) -> Row:
    """Rule → severity of its worst episode."""
    told = sorted((signal.rule, round(signal.severity, 3)) for signal in signals)
    return dict(told)


def _deal(deal: Opportunity) -> Row:
    return {
        "kind": deal.kind,
        "status": deal.status,
        "stage": deal.stage,
        "amount": deal.amount,
        "regressions": deal.regressions,
        "reopened": deal.reopened,
    }


def _proposal(fact: ProposalFact) -> Row:
    belongs = fact.question == "belongs"
    about = {"account": fact.b, "alias": fact.a} if belongs else {"aliases": sorted((fact.a, fact.b))}
    answer = {"status": fact.status, "by": fact.by, "confidence": fact.confidence}
    return {"kind": fact.question, **about, **answer}


def _move(change: PhaseChange) -> str:
    return f"{change.from_phase} → {change.to_phase}"
