"""For how long processes stand still under a steady load: what /metrics of each says of its loop and of garbage.

A loop comes late to what is due for three reasons: it was busy with something of its own, Python looked for garbage
meanwhile, or another process had the processor. The last is told beside it, as the kernel counts it.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.figures import Figure, Pace, Say
from benchmarks.window import Bench, Void, bench
from schemas.processes import PROCESSES

RATE_PER_S: Final = 1000
PAUSE_S: Final = 0.05
"""No pause may be longer."""
LOOP: Final = "touchline_loop_lag_seconds"
GARBAGE: Final = "touchline_gc_pause_seconds"

WATCHED: Final = tuple(one.name for one in PROCESSES if one.role not in ("store", "job") and one.has_own_metrics)

Buckets = dict[float, float]
"""Upper bound → how many were at most so long."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Of one process: both histograms, and the seconds its first thread waited for a processor."""

    histograms: Mapping[str, Buckets]
    waited_s: float


def run(pace: Pace, say: Say) -> Iterator[Figure]:
    """A line for each service and kind."""
    temporary = tempfile.TemporaryDirectory(prefix="touchline-bench-", ignore_cleanup_errors=True)
    with temporary as folder, bench(Path(folder), pace) as found:
        before = _seen(found)
        try:
            say(f"  {found.run(found.load(RATE_PER_S, seconds=pace.pause_s))}")
        except Void as error:  # what stood still did so all the same
            say(f"  the map fell behind: {error}")
        for name, now in _seen(found).items():
            yield from lines(name, before[name], now, pace.pause_s)


def lines(name: str, before: Seen, now: Seen, seconds: float) -> Iterator[Figure]:
    """Of one service: what the time between two looks at it brought."""
    waited = f"; waited for a processor {(now.waited_s - before.waited_s) / seconds:.1%} of the time"
    for metric, what in ((LOOP, "the loop came late"), (GARBAGE, "looks for garbage")):
        told = _told(_between(before.histograms.get(metric, {}), now.histograms.get(metric, {})))
        yield Figure("pauses", f"{name}: {what}", told + (waited if metric == LOOP else ""), "none > 50 ms")


def buckets(text: str) -> dict[str, Buckets]:
    """Histograms in what /metrics says, over all their labels."""
    found: dict[str, Buckets] = {LOOP: {}, GARBAGE: {}}
    for family in text_string_to_metric_families(text):
        for sample in family.samples if family.name in found else ():
            if sample.name.endswith("_bucket"):
                bound = float(sample.labels["le"])
                found[family.name][bound] = found[family.name].get(bound, 0) + sample.value
    return found


def _between(before: Buckets, now: Buckets) -> Buckets:
    return {bound: count - before.get(bound, 0) for bound, count in now.items()}


def _told(found: Buckets) -> str:
    most = found.get(math.inf, 0)
    if not most:
        return "none"
    longest = min(bound for bound, count in found.items() if count == most)
    length = f"up to {longest * 1e3:,.0f} ms" if math.isfinite(longest) else "longer than all bounds"
    return f"{most - found[PAUSE_S]:,.0f} of {most:,.0f} longer than 50 ms, the longest {length}"


def _seen(found: Bench) -> dict[str, Seen]:
    now = found.system.run()
    return {
        name: Seen(
            buckets(httpx.get(f"http://127.0.0.1:{now.ops_ports[name]}/metrics", timeout=10).text),
            _waited_s(now.pids[name]),
        )
        for name in WATCHED
    }


def _waited_s(pid: int) -> float:
    with suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    return 0.0
