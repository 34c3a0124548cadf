"""CPU of a refold, part by part: one account with a long history, read, folded, compared with the store and told."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from benchmarks.core import BATCH, Accounts, attributed, mapped, over_a_year, requests
from benchmarks.figures import Figure, Pace, Say
from schemas.blueprint import Blueprint
from schemas.facts import FACTS, AccountFact, AccountsFact, SignalFact, TouchpointFact
from schemas.touchpoints import AttributedTouchpoint
from streams.identity.knowledge import Knowledge
from streams.journey.account import AccountJourney
from streams.journey.blueprints import load
from streams.journey.causes import LOAD
from streams.journey.compiled import CompiledBlueprint
from streams.journey.corrections import Stored, corrections

HISTORY: Final = 10_000
BUDGET_MS: Final = 500
STEP_BUDGET_US: Final = 30
_PART = "refold, CPU"


def run(pace: Pace, say: Say) -> list[Figure]:
    """A load that changes nothing, a history told for the first time, and one that a new blueprint judges anew."""
    blueprint, as_of = load(), datetime.now(UTC)
    history = attributed(Knowledge(), over_a_year(mapped(requests(HISTORY, batch=100, accounts=1))))
    payloads = [item.encoded() for item in history]
    same, newer = _stored(blueprint, history, as_of), _newer(blueprint.source)
    parts: dict[str, Callable[[], object]] = {
        "decode the history": lambda: [AttributedTouchpoint.decoded(payload) for payload in payloads],
        "fold": lambda: AccountJourney.rebuilt(history[0].account_id, blueprint, history, as_of),
        "fold and rows: nothing changed": lambda: _refold(blueprint, history, same, as_of),
        "fold and rows: all of them new": lambda: _refold(blueprint, history, Stored(), as_of),
        "fold and rows: a new blueprint version": lambda: _refold(newer, history, same, as_of),
    }
    costs_ms = {name: _best_ms(work, pace.repeats) for name, work in parts.items()}
    told = _refold(blueprint, history, Stored(), as_of)
    costs_ms["encode the rows"] = _best_ms(lambda: [FACTS.dump_json([fact]) for fact in told], pace.repeats)
    say(f"  {HISTORY:,} touchpoints: {costs_ms['fold and rows: all of them new']:.0f} ms for fold and rows")
    return [
        *(
            Figure(_PART, f"{name}, {HISTORY:,} touchpoints", f"{cost:.0f} ms", _budget(name))
            for name, cost in costs_ms.items()
        ),
        Figure(
            _PART,
            "accept, step and row of an event, without rules",
            f"{_step_us(blueprint, pace):.1f} µs",
            f"≤ {STEP_BUDGET_US} µs",
        ),
    ]


def _budget(name: str) -> str:
    return f"≤ {BUDGET_MS} ms" if name.startswith("fold and rows") else ""


def _refold(
    blueprint: CompiledBlueprint, history: Sequence[AttributedTouchpoint], stored: Stored, as_of: datetime
) -> list[AccountsFact]:
    account, journey = AccountJourney.rebuilt(history[0].account_id, blueprint, history, as_of)
    return corrections(account, journey, stored, as_of, {LOAD})


def _stored(blueprint: CompiledBlueprint, history: Sequence[AttributedTouchpoint], as_of: datetime) -> Stored:
    """What the store holds after that history was told."""
    stored = Stored(items={item.event_id: item for item in history})
    for fact in _refold(blueprint, history, Stored(), as_of):
        if isinstance(fact, TouchpointFact):
            stored.touchpoint_digests[fact.event_id] = fact.digest
        elif isinstance(fact, SignalFact):
            stored.signals[fact.signal_id] = fact
        elif isinstance(fact, AccountFact):
            stored.account_digest, stored.max_revision = fact.digest, fact.revision
            stored.blueprint_version, stored.blueprint_digest = fact.blueprint_version, fact.blueprint_digest
    return stored


def _newer(source: Blueprint, **changes: Any) -> CompiledBlueprint:
    return CompiledBlueprint(source.model_copy(update={"version": source.version + 1} | changes))


def _step_us(blueprint: CompiledBlueprint, pace: Pace) -> float:
    """Journey's half of an event in batches of 100, out of order as senders batch them."""
    bare, knowledge = _newer(blueprint.source, rules=(), policies=()), Knowledge()
    batches = [requests(BATCH * 20, batch=20)[n : n + BATCH // 20] for n in range(0, 100, BATCH // 20)]
    inputs = [attributed(knowledge, mapped(batch)) for batch in batches]

    def work() -> None:
        accounts = Accounts(bare)
        for batch in inputs:
            accounts.accept(batch)

    return _best_ms(work, pace.repeats) * 1e3 / sum(map(len, inputs))


def _best_ms(work: Callable[[], object], repeats: int) -> float:
    def once() -> float:
        began = time.process_time()
        work()
        return time.process_time() - began

    return min(once() for _ in range(repeats + 1)) * 1e3
