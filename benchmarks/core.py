"""CPU of the pure parts, per event: what is left when Kafka, HTTP and ClickHouse cost nothing."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import uuid4

from benchmarks.figures import Figure, Pace, Say
from benchmarks.load import PEOPLE_AN_ACCOUNT, Bodies, Load
from schemas.facts import FACTS, Fact
from schemas.touchpoints import ACCOUNT_INPUTS, RAW, AttributedTouchpoint, CleanTouchpoint, RawRequest
from streams.connectors.registry import CONNECTORS
from streams.connectors.results import Mapped
from streams.identity.knowledge import Knowledge
from streams.journey.account import AccountJourney
from streams.journey.blueprints import load
from streams.journey.compiled import CompiledBlueprint
from streams.journey.facts import account_fact, facts_of
from streams.runtime.garbage import settle

BATCH: Final = 100
ACCOUNTS: Final = 50
RATE_PER_S: Final = 2_000
MANY_ACCOUNTS: Final = 1_000
LIVE_EVENTS: Final = 4_000
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
    """Learn and attribute, as an attribute worker does."""
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


STAGES: Final = {
    "attribute": ("decode raw", "map (Segment)", "encode mapped", "learn", "attribute", "encode attributed"),
    "journey": ("decode attributed", "accept and facts", "encode facts"),
    "sink": ("decode facts",),
}
"""Stage → the parts that are its work; what it costs beyond them is Kafka, the loop and waiting."""
_OUTSIDE: Final = frozenset({"account row"})


def run(pace: Pace, say: Say) -> list[Figure]:
    """Every part over the same batches, each the best of some rounds: noise only ever adds.

    Garbage is looked for as in a worker: with Python's own threshold it costs the more, the more this process holds.
    """
    with _as_in_a_worker():
        return _figures(pace, say)


def stages_us(pace: Pace) -> dict[str, float]:
    """CPU of each stage's pure functions, µs an event: what the stage would cost if nothing else did."""
    with _as_in_a_worker():
        costs_us = _costs_us(load(), pace)
    return {stage: sum(costs_us[part] for part in parts) for stage, parts in STAGES.items()}


@contextmanager
def _as_in_a_worker() -> Iterator[None]:
    before = gc.get_threshold()
    gc.collect()
    settle()
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def _costs_us(blueprint: CompiledBlueprint, pace: Pace) -> dict[str, float]:
    """CPU of each part, µs an event."""
    raw = [requests(BATCH * 20, batch=20)[n : n + BATCH // 20] for n in range(0, 100, BATCH // 20)]
    clean = [mapped(batch) for batch in raw]
    knowledge = Knowledge()
    inputs = [attributed(knowledge, batch) for batch in clean]
    facts = [Accounts(blueprint).accept(batch) for batch in inputs]
    written = [RAW.dump_json(batch) for batch in raw]
    told = [(ACCOUNT_INPUTS.dump_json(list(i)), FACTS.dump_json(f)) for i, f in zip(inputs, facts, strict=True)]
    accounts = Accounts(blueprint)
    accounts.accept(inputs[0])
    parts: dict[str, Callable[[], object]] = {
        "decode raw": lambda: [RAW.validate_json(value) for value in written],
        "map (Segment)": lambda: [mapped(batch) for batch in raw],
        "encode mapped": lambda: [item.encoded() for batch in clean for item in batch],
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
    return {name: _best_us(work, pace.repeats, BATCH * len(raw)) for name, work in parts.items()}


def _figures(pace: Pace, say: Say) -> list[Figure]:
    blueprint = load()
    costs_us = _costs_us(blueprint, pace)
    figures = [Figure("core, µs an event", name, f"{cost:.1f}") for name, cost in costs_us.items()]
    figures.append(Figure("core, µs an event", "all but the account row", f"{_sum(costs_us):.1f}"))
    figures += [
        Figure("core, µs an event", f"pure functions of {stage}", f"{sum(costs_us[part] for part in parts):.1f}")
        for stage, parts in STAGES.items()
    ]
    for accounts in (ACCOUNTS, MANY_ACCOUNTS):
        cost_us = _live_us(blueprint, accounts, pace)
        what = f"accept and facts, {accounts:,} accounts that live on, in disorder"
        figures.append(Figure("core, µs an event", what, f"{cost_us:.1f}"))
    figures.append(_refold(blueprint, pace))
    say(f"  {_sum(costs_us):.0f} µs an event in all")
    return figures


def _sum(costs_us: dict[str, float]) -> float:
    return sum(cost for name, cost in costs_us.items() if name not in _OUTSIDE)


def _best_us(work: Callable[[], object], repeats: int, events: int) -> float:
    def once() -> float:
        began = time.process_time()
        work()
        return time.process_time() - began

    return min(once() for _ in range(repeats + 1)) * 1e6 / events


def _live_us(blueprint: CompiledBlueprint, accounts: int, pace: Pace) -> float:
    """The same of accounts that are known already, while events of all of them come in as a load sends them.

    One after the other, in batches, and up to half a second out of order: most of what it costs beyond the figure
    above is stepping again what came too early.
    """
    knowledge = Knowledge()
    known = attributed(knowledge, mapped(requests(0, batch=20, accounts=accounts)))
    items = attributed(knowledge, mapped(requests(LIVE_EVENTS, batch=20, accounts=accounts)))
    batches = [items[n : n + BATCH] for n in range(0, len(items), BATCH)]

    def once() -> float:
        live = Accounts(blueprint)
        live.accept(known)
        began = time.process_time()
        for batch in batches:
            live.accept(batch)
        return time.process_time() - began

    return min(once() for _ in range(pace.repeats + 1)) * 1e6 / len(items)


def _refold(blueprint: CompiledBlueprint, pace: Pace) -> Figure:
    """One account with a long history, folded anew."""
    history = attributed(Knowledge(), over_a_year(mapped(requests(HISTORY, batch=100, accounts=1))))
    as_of = datetime.now(UTC)
    cost_us = _best_us(
        lambda: AccountJourney.rebuilt(history[0].account_id, blueprint, history, as_of), pace.repeats, 1
    )
    people = min(PEOPLE_AN_ACCOUNT, HISTORY)
    return Figure("core", f"refold of {HISTORY:,} touchpoints of {people} people, CPU ms", f"{cost_us / 1e3:.0f}")
