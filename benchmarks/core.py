"""CPU of the pure parts, per event: what is left when Kafka, HTTP and ClickHouse cost nothing."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import uuid4

from benchmarks.figures import Figure, Pace, Say
from benchmarks.load import PEOPLE_AN_ACCOUNT, Bodies, Load
from schemas.facts import FACTS, Fact
from schemas.touchpoints import ACCOUNT_INPUTS, CLEAN, RAW, AttributedTouchpoint, CleanTouchpoint, RawRequest
from streams.connectors.registry import CONNECTORS
from streams.connectors.results import Mapped
from streams.identity.knowledge import Knowledge
from streams.journey.account import AccountJourney
from streams.journey.blueprints import load
from streams.journey.compiled import CompiledBlueprint
from streams.journey.facts import account_fact, facts_of
from streams.processors.main import GC_THRESHOLD

BATCH: Final = 100
ACCOUNTS: Final = 50
RATE_PER_S: Final = 2_000
HISTORY: Final = 10_000
VISIT: Final = 5


def requests(
    messages: int, *, batch: int, accounts: int = ACCOUNTS, rate_per_s: int = RATE_PER_S, began: datetime | None = None
) -> list[RawRequest]:
    """What the gateway would write for that many messages of people in no order; event ids are new each time.

    `messages` 0: one of each person. They are sent at the rate, the first at `began`; without it the last just now.
    """
    seconds = messages / batch / rate_per_s
    bodies = Bodies(
        Load(url="", key="", run=uuid4().hex, rate_per_s=rate_per_s, seconds=seconds, batch=batch, accounts=accounts)
    )
    number = (messages or accounts * PEOPLE_AN_ACCOUNT) // batch
    began = began or datetime.now(UTC) - timedelta(seconds=number * batch / rate_per_s)
    return [_request(bodies, n, began + timedelta(seconds=n * batch / rate_per_s)) for n in range(number)]


def _request(bodies: Bodies, number: int, at: datetime) -> RawRequest:
    return RawRequest(
        request_id=uuid4().hex,
        source="web",
        vendor="segment",
        received_at=at,
        path="/v1/batch",
        body=bodies.body(number, at).decode(),
        mapping=CONNECTORS["segment"].mapping,
    )


def mapped(found: Sequence[RawRequest]) -> list[CleanTouchpoint]:
    """The clean touchpoints of some requests."""
    results = (result for request in found for result in CONNECTORS[request.vendor].read(request))
    return [result.touchpoint for result in results if isinstance(result, Mapped)]


def over_a_year(touchpoints: Sequence[CleanTouchpoint]) -> list[CleanTouchpoint]:
    """The same, in visits of five touchpoints half a minute apart, evenly over a year that ends now."""
    visits = len(touchpoints) // VISIT + 1
    began, apart = datetime.now(UTC) - timedelta(days=365), timedelta(days=365) / visits
    times = [began + n // VISIT * apart + n % VISIT * timedelta(seconds=30) for n in range(len(touchpoints))]
    return [
        touchpoint.changed(occurred_at=at, received_at=at) for touchpoint, at in zip(touchpoints, times, strict=True)
    ]


def attributed(knowledge: Knowledge, touchpoints: Sequence[CleanTouchpoint]) -> list[AttributedTouchpoint]:
    """Learn and attribute, as a resolve worker does."""
    for touchpoint in touchpoints:
        for link in knowledge.learn(touchpoint):
            knowledge.apply(link, knowledge.position + 1)
    return [
        AttributedTouchpoint(touchpoint=t, attribution=knowledge.attribute(t), knowledge=knowledge.position)
        for t in touchpoints
    ]


class Accounts:
    """Account states as a journey worker keeps them."""

    def __init__(self, blueprint: CompiledBlueprint) -> None:
        self._blueprint = blueprint
        self.live: dict[str, AccountJourney] = {}

    def accept(self, items: Sequence[AttributedTouchpoint]) -> list[Fact]:
        """Step a batch; the facts it tells, without the accounts' own rows."""
        groups: dict[str, list[AttributedTouchpoint]] = {}
        for item in items:
            groups.setdefault(item.account_id, []).append(item)
        facts: list[Fact] = []
        for account_id, group in groups.items():
            account = self.live.get(account_id)
            if account is None:
                account = self.live[account_id] = AccountJourney(account_id, self._blueprint)
            as_of = max(item.touchpoint.ordered_at for item in group)
            facts += facts_of(account, account.accept(group, as_of), as_of)
        return facts


def run(pace: Pace, say: Say) -> list[Figure]:
    """Every part over the same batches, each the best of some rounds: noise only ever adds.

    Garbage is looked for as in a worker: with Python's own threshold it costs the more, the more this process holds.
    """
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLD)
    try:
        return _figures(pace, say)
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def _figures(pace: Pace, say: Say) -> list[Figure]:
    blueprint = load()
    raw = [requests(BATCH * 20, batch=20)[n : n + BATCH // 20] for n in range(0, 100, BATCH // 20)]
    clean = [mapped(batch) for batch in raw]
    knowledge = Knowledge()
    inputs = [attributed(knowledge, batch) for batch in clean]
    facts = [Accounts(blueprint).accept(batch) for batch in inputs]
    known = [(RAW.dump_json(r), CLEAN.dump_json(c)) for r, c in zip(raw, clean, strict=True)]
    told = [(ACCOUNT_INPUTS.dump_json(list(i)), FACTS.dump_json(f)) for i, f in zip(inputs, facts, strict=True)]
    accounts = Accounts(blueprint)
    accounts.accept(inputs[0])
    parts: dict[str, Callable[[], object]] = {
        "decode raw": lambda: [RAW.validate_json(value) for value, _ in known],
        "map (Segment)": lambda: [mapped(batch) for batch in raw],
        "encode clean": lambda: [item.encoded() for batch in clean for item in batch],
        "decode clean": lambda: [CLEAN.validate_json(value) for _, value in known],
        "learn": lambda: [knowledge.learn(item) for batch in clean for item in batch],
        "attribute": lambda: [knowledge.attribute(item) for batch in clean for item in batch],
        "encode attributed": lambda: [item.encoded() for batch in inputs for item in batch],
        "decode attributed": lambda: [ACCOUNT_INPUTS.validate_json(value) for value, _ in told],
        "accept and facts": lambda: [Accounts(blueprint).accept(batch) for batch in inputs],
        "encode facts": lambda: [fact.encoded() for batch in facts for fact in batch],
        "decode facts": lambda: [FACTS.validate_json(value) for _, value in told],
        "account row": lambda: [
            account_fact(account, datetime.now(UTC)) for _ in range(40) for account in accounts.live.values()
        ],
    }
    costs_us = {name: _best_us(work, pace.repeats, BATCH * len(raw)) for name, work in parts.items()}
    figures = [Figure("core, µs an event", name, f"{cost:.1f}") for name, cost in costs_us.items()]
    figures.append(Figure("core, µs an event", "all but the account row", f"{_sum(costs_us):.1f}"))
    figures.append(_refold(blueprint, pace))
    say(f"  {_sum(costs_us):.0f} µs an event in all")
    return figures


def _sum(costs_us: dict[str, float]) -> float:
    return sum(cost for name, cost in costs_us.items() if name != "account row")


def _best_us(work: Callable[[], object], repeats: int, events: int) -> float:
    def once() -> float:
        began = time.process_time()
        work()
        return time.process_time() - began

    return min(once() for _ in range(repeats + 1)) * 1e6 / events


def _refold(blueprint: CompiledBlueprint, pace: Pace) -> Figure:
    """One account with a long history, folded anew."""
    history = attributed(Knowledge(), over_a_year(mapped(requests(HISTORY, batch=100, accounts=1))))
    as_of = datetime.now(UTC)
    cost_us = _best_us(
        lambda: AccountJourney.rebuilt(history[0].account_id, blueprint, history, as_of), pace.repeats, 1
    )
    people = min(PEOPLE_AN_ACCOUNT, HISTORY)
    return Figure("core", f"refold of {HISTORY:,} touchpoints of {people} people, CPU ms", f"{cost_us / 1e3:.0f}")
