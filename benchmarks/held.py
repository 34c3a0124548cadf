"""What the whole installation holds in memory after a million touchpoints of a hundred thousand people, at rest."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from benchmarks.figures import Figure, Pace, Say
from benchmarks.processes import memory_mb, tree
from benchmarks.window import Bench, bench

RATE_PER_S: Final = 2_500
NEW_SHARE: Final = 0.1
"""Of the events: each brings a person who was never seen before."""
REST_S: Final = 60.0
"""What work took goes back to the system within half a minute."""


def run(pace: Pace, say: Say) -> Iterator[Figure]:
    """Before the load, at its end and a minute after; then each process, from the largest."""
    temporary = tempfile.TemporaryDirectory(prefix="touchline-bench-", ignore_cleanup_errors=True)
    with temporary as folder, bench(Path(folder), pace) as found:
        before = _held(found)
        load = found.load(RATE_PER_S, seconds=pace.held_touchpoints / RATE_PER_S, new_share=NEW_SHARE)
        say(f"  {found.run(load)}")
        busy = _held(found)
        time.sleep(REST_S)
        rested = _held(found)
        yield Figure("held", "all processes before, MB", _sum(before))
        yield Figure("held", f"after {pace.held_touchpoints:,} touchpoints, MB", _sum(busy))
        people = f"{pace.held_touchpoints * NEW_SHARE:,.0f}"
        yield Figure("held", f"a minute later, with {people} people, MB", _sum(rested), "1,600")
        for name, held_mb in sorted(rested.items(), key=lambda item: -item[1]):
            yield Figure("held", f"of it {name}, MB", f"{held_mb:,.0f}")


def _held(found: Bench) -> dict[str, float]:
    now = found.system.run()
    return {"supervisor": memory_mb([now.pid])} | {name: memory_mb(tree(pid)) for name, pid in now.pids.items()}


def _sum(held: Mapping[str, float]) -> str:
    return f"{sum(held.values()):,.0f}"
