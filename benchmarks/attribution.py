"""What it costs to say whose a touchpoint is and what it means: attribute and journey, with everyone in memory."""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from statistics import median
from typing import Any, Final, TypeVar

from benchmarks.core import Accounts, attributed
from benchmarks.figures import Figure, Pace, Say
from benchmarks.friction import MIX, Kind
from benchmarks.identity import ACCOUNTS, PEOPLE, arrivals, event
from schemas.touchpoints import CleanTouchpoint
from streams.identity.knowledge import Knowledge
from streams.journey.blueprints import load
from streams.journey.compiled import CompiledBlueprint
from streams.runtime.garbage import settle

BATCH: Final = 100
BATCHES: Final = 100
VISITS_BEFORE: Final = 4
HABITS: Final = 4
APART: Final = timedelta(milliseconds=20)
_Result = TypeVar("_Result")
_PART: Final = "attribute + journey, CPU µs an event"


class Visits:
    """A B2B company's mixed events of people it knows, each a moment after the one before."""

    def __init__(self, people: int, accounts: int, at: datetime) -> None:
        self._people, self._accounts, self._at = people, accounts, at
        self._random, self._number = random.Random(1), 10**8
        self._habits = [_habit(number) for number in range(HABITS)]

    def of(self, person: int) -> CleanTouchpoint:
        """The next event, of this person: people do what is theirs to do, so their personas settle."""
        self._number += 1
        self._at += APART
        habit = self._habits[person % HABITS]
        _, action, fields = self._random.choices(habit, [weight for weight, _, _ in habit])[0]
        address = f"email:person{person}@company{person % self._accounts}.com"
        told: dict[str, Any] = {"action": action, "vendor_type": action, "session_id": f"s-{person}", **fields}
        told["subject"] = told.get("subject", "").format(n=f"{person}-{self._random.randrange(4)}")
        aliases = (f"anonymous:browser-{person:032}", address, f"user:u-{person}")
        return event(self._number, aliases, **told, occurred_at=self._at, received_at=self._at)

    def batch(self) -> list[CleanTouchpoint]:
        """Of people in no order."""
        return [self.of(self._random.randrange(self._people)) for _ in range(BATCH)]


def _habit(number: int) -> list[Kind]:
    """The kinds of event that one sort of person brings: most visit pages, some work in the product or need support."""
    return [kind for kind in MIX if _is_support(kind) == (number == 0)]


def _is_support(kind: Kind) -> bool:
    return kind[1].startswith("ticket") or kind[2].get("page") == "/app/reports"


def run(pace: Pace, say: Say) -> list[Figure]:
    """One pass over fresh events; a tenth of the people and accounts when it must be quick."""
    share = 10 if pace.repeats == 1 else 1
    people, accounts = PEOPLE // share, ACCOUNTS // share
    blueprint, knowledge = load(), Knowledge()
    bare = CompiledBlueprint(blueprint.source.model_copy(update={"rules": (), "policies": ()}))
    journeys = {"with all rules": Accounts(blueprint), "without rules": Accounts(bare)}
    feed = list(arrivals(people, accounts))
    attributed(knowledge, feed)
    visits = Visits(people, accounts, feed[-1].occurred_at + timedelta(days=1))
    for start in range(0, VISITS_BEFORE * people, BATCH):
        items = attributed(knowledge, [visits.of(n % people) for n in range(start, start + BATCH)])
        for each in journeys.values():
            each.accept(items)
    gc.collect()
    settle()  # as a worker does
    say(f"  {people:,} people, {accounts:,} accounts in memory")
    costs_us: dict[str, list[float]] = {name: [] for name in ("learn and attribute", *journeys)}
    for _ in range(BATCHES * pace.repeats):
        batch = visits.batch()
        items = _timed(costs_us["learn and attribute"], partial(attributed, knowledge, batch))
        for name, each in journeys.items():
            _timed(costs_us[name], partial(each.accept, items))
    gc.unfreeze()
    resolve_us, ruled_us, bare_us = (median(costs) for costs in costs_us.values())
    state = f"{people:,} people, {accounts:,} accounts, median batch of {BATCH}"
    return [
        Figure(_PART, f"learn and attribute ({state})", f"{resolve_us:.1f}"),
        Figure(_PART, "step and facts, without rules", f"{bare_us:.1f}"),
        Figure(_PART, "together, without rules", f"{resolve_us + bare_us:.1f}", "≤ 60"),
        Figure(_PART, f"what all {len(blueprint.source.rules)} rules add", f"{ruled_us - bare_us:.1f}", "≤ 40"),
        Figure(_PART, "together, with all rules", f"{resolve_us + ruled_us:.1f}"),
    ]


def _timed(costs_us: list[float], work: Callable[[], _Result]) -> _Result:
    began = time.process_time()
    result = work()
    costs_us.append((time.process_time() - began) * 1e6 / BATCH)
    return result
