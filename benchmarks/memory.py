"""What a journey worker keeps in memory, and what its bounds make of that: the same touchpoints with each of them."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import suppress
from ctypes import CDLL
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from benchmarks.core import attributed, mapped, requests
from benchmarks.figures import Figure, Pace, Say
from schemas.config import JourneyConfig
from schemas.touchpoints import AttributedTouchpoint
from streams.identity.knowledge import Knowledge
from streams.journey.account import AccountJourney
from streams.journey.blueprints import load
from streams.journey.compiled import CompiledBlueprint
from streams.processors.memory import Live, Memory

TOUCHPOINTS: Final = 100_000
EACH: Final = 20
#: Of all touchpoints, every second is one account's, of so many people.
CROWD: Final = 2_000
_PART: Final = "journey's memory"
_PAGE: Final = Path("/proc/self/statm")


def run(pace: Pace, say: Say) -> list[Figure]:
    """Resident memory that the accounts of so many touchpoints add, bounded by accounts alone and by touchpoints."""
    touchpoints = TOUCHPOINTS // (10 if pace.repeats == 1 else 1)
    bounds, blueprint = JourneyConfig(), load()
    feeds = {
        f"{touchpoints:,} touchpoints, {EACH} an account": (touchpoints // EACH, 0),
        f"{touchpoints:,} touchpoints, half of them one account's, of {CROWD:,} people": (touchpoints // EACH, CROWD),
    }
    figures = []
    for what, (accounts, crowd) in feeds.items():
        for name, most in (("accounts", 10**9), ("touchpoints", bounds.max_touchpoints_in_memory)):
            memory = Memory(bounds.max_accounts_in_memory, most, lambda *_: True)
            before_mb = _resident_mb()
            _fill(memory, blueprint, touchpoints, accounts, crowd)
            gc.collect()
            added_mb, kept = _resident_mb() - before_mb, len(memory.live)
            said = f"{added_mb:.0f} MB, {kept:,} accounts counting for {memory.touchpoints:,} touchpoints"
            say(f"  {what}, bounded by {name}: {said}")
            figures.append(Figure(_PART, f"{what}; bounded by {name}", said))
            del memory
            _give_back()
    return figures


def _fill(memory: Memory, blueprint: CompiledBlueprint, touchpoints: int, accounts: int, crowd: int) -> None:
    for account_id, items in _arrivals(touchpoints, accounts, crowd):
        live = memory.use(account_id)
        if live is None:
            live = Live(AccountJourney(account_id, blueprint))
            memory.keep(account_id, live)
        live.journey.accept(items, items[-1].touchpoint.ordered_at)
        memory.weigh(live)
        memory.shrink()


def _arrivals(touchpoints: int, accounts: int, crowd: int) -> Iterator[tuple[str, list[AttributedTouchpoint]]]:
    """Ten touchpoints at a time, decoded as they come from Kafka: an account after the other, again and again."""
    samples = [item.encoded() for item in attributed(Knowledge(), mapped(requests(1_000, batch=10, accounts=10)))]
    began = datetime.now(UTC) - timedelta(days=30)
    for batch in range(touchpoints // 10):
        is_crowd = bool(crowd) and batch % 2 == 0
        account = "crm:crowd" if is_crowd else f"crm:{batch % accounts}"
        items = []
        for n in range(batch * 10, batch * 10 + 10):
            item = AttributedTouchpoint.decoded(samples[n % len(samples)])
            person = f"person-{n % crowd}" if is_crowd else f"{account}-person-{n % 3}"
            touchpoint = item.touchpoint.changed(event_id=f"{n:032x}", occurred_at=began + timedelta(seconds=n))
            attribution = item.attribution.changed(account_id=account, person_id=person)
            items.append(item.changed(touchpoint=touchpoint, attribution=attribution))
        yield account, items


def _resident_mb() -> float:
    return int(_PAGE.read_text().split()[1]) * 4096 / 2**20


def _give_back() -> None:
    """So that the next figure begins where this one did."""
    gc.collect()
    with suppress(OSError, AttributeError):
        CDLL(None).malloc_trim(0)
