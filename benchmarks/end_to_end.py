"""From HTTP in to the map: the highest rate it keeps up with, how fresh it is, and what each stage costs."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
from aiokafka import TopicPartition

from benchmarks.core import stages_us
from benchmarks.figures import Figure, Pace, Say
from benchmarks.guarded import each
from benchmarks.window import Bench, Void, Window, bench
from schemas.config import KafkaConfig
from schemas.topics import TOPICS
from streams.runtime.kafka import broadcast_consumer, partitions

PRECISION = 0.1
HIGHEST_PER_S = 40_000.0
FRESHNESS_RATES = ((10, 1), (500, 20), (1000, 20))
"""(events a second, events a request)"""
COST_RATE_PER_S = 1000
LOW_RATES = ((10, 1, 20), (100, 5, 20), (1000, 20, 60))
"""(events a second, events a request, budget in % of a core)"""

Offsets = dict[TopicPartition, int]


def run(pace: Pace, say: Say) -> Iterator[Figure]:
    """Everything that needs the whole installation, on one; what fails loses its own figures alone."""
    pure_us = stages_us(pace)
    temporary = tempfile.TemporaryDirectory(prefix="touchline-bench-", ignore_cleanup_errors=True)
    with temporary as folder, bench(Path(folder), pace) as found:
        steps: dict[str, Callable[[], Iterable[Figure]]] = {
            "freshness": lambda: freshness(found, say),
            "low rates": lambda: low_rates(found, say),
            "costs": lambda: asyncio.run(costs(found, say, pure_us)),
            "sustained": lambda: sustained(found, say, pure_us),
        }
        yield from each(steps, say)


def sustained(found: Bench, say: Say, pure_us: Mapping[str, float]) -> list[Figure]:
    """The highest rate whose lag does not grow; and one window there with 20 % new people."""
    best = bisected(found, say)
    if best is None:
        return [Figure("sustained", "events/s, lag slope <= 0", "none of the rates tried", "10,000")]
    figures = [
        Figure("sustained", "events/s, lag slope <= 0", f"{best.rate_per_s:,.0f}", "10,000"),
        Figure("sustained", "lag there, events", f"{best.late_events:,.0f}"),
        Figure("sustained", "CPU ms per event there, all stages", f"{_cpu_ms(best):.2f}"),
        Figure("sustained", "CPU ms per event of the driver", f"{best.sent.cpu_s * 1e3 / best.sent.acked_events:.2f}"),
        *_stage_costs("CPU at the sustained rate", best, pure_us),
    ]
    rate = best.rate_per_s / 2
    while rate > 100:
        window = _tried(found, say, rate, new_share=0.2)
        if window is not None and window.is_sustained:
            return [*figures, Figure("sustained", "events/s with 20 % new people (first that holds)", f"{rate:,.0f}")]
        rate /= 2
    return [*figures, Figure("sustained", "events/s with 20 % new people", "none of the rates tried")]


def bisected(found: Bench, say: Say) -> Window | None:
    """The window of the highest sustained rate: double until it falls behind, then halve the gap."""
    low, high, rate = 0.0, HIGHEST_PER_S, found.pace.start_rate_per_s
    best: Window | None = None
    for _ in range(found.pace.max_steps):
        window = _tried(found, say, rate)
        if window is not None and window.is_sustained:
            low, best = rate, window
        else:
            high = rate
        if high - low <= PRECISION * high:
            break
        rate = min(low * 2, (low + high) / 2) if low else high / 2
    return best


def _tried(found: Bench, say: Say, rate_per_s: float, new_share: float = 0.0) -> Window | None:
    """A window; None when it was void."""
    try:
        window = found.run(found.load(rate_per_s, new_share=new_share))
    except Void as error:
        say(f"  {rate_per_s:,.0f}/s: VOID: {error}")
        return None
    say(f"  {window}" + (f", {new_share:.0%} new people" if new_share else ""))
    return window


def freshness(found: Bench, say: Say) -> list[Figure]:
    """Seconds from the 2xx until a reader sees the event, polling all the time."""
    figures = []
    for rate, batch in FRESHNESS_RATES:
        window = found.run(found.load(rate, batch=batch), probe=True)
        marks = window.freshness_s
        found_s = [marks[min(int(len(marks) * share), len(marks) - 1)] for share in (0.5, 0.95, 0.99)]
        value = ", ".join(f"p{p} {s:.2f} s" for p, s in zip((50, 95, 99), found_s, strict=True))
        say(f"  freshness at {rate}/s: {value} of {len(marks)} markers; {window}")
        budget = "p50 0.7 s, p95 1.5 s, p99 3 s" if rate == 1000 else ""
        figures.append(Figure("freshness", f"2xx → visible at {rate:,} events/s", value, budget))
    return figures


def low_rates(found: Bench, say: Say) -> list[Figure]:
    """What all processes take of a core where little comes, somebody who looks twice a second included."""
    figures = []
    for rate, batch, budget_percent in LOW_RATES:
        window = found.run(found.load(rate, batch=batch))
        seconds = window.sent.ended_at_s - window.sent.started_at_s + window.drained_s
        percent = sum(window.cpu_s.values()) / seconds * 100
        say(f"  {rate}/s: {percent:.0f} % of a core; {window}")
        figures.append(Figure("low rates", f"{rate:,} events/s, % of a core", f"{percent:.0f}", f"{budget_percent}"))
    return figures


async def costs(found: Bench, say: Say, pure_us: Mapping[str, float]) -> list[Figure]:
    """CPU per stage, memory per service, records per topic of one calm window."""
    kafka = KafkaConfig(bootstrap=(found.system.kafka,))
    consumer = broadcast_consumer(kafka, "bench")
    await consumer.start()
    try:
        before = await _ends(consumer, kafka)
        window = await asyncio.to_thread(found.run, found.load(COST_RATE_PER_S))
        say(f"  costs at {window}")
        records = await _records(consumer, before, await _ends(consumer, kafka))
    finally:
        await consumer.stop()
    memory = [
        Figure("memory MB", name, f"{before_mb:.0f} → {after_mb:.0f}")
        for name, (before_mb, after_mb) in window.memory_mb.items()
    ]
    return [*_stage_costs(f"CPU at {COST_RATE_PER_S:,} events/s", window, pure_us), *records, *memory]


def _stage_costs(part: str, window: Window, pure_us: Mapping[str, float]) -> list[Figure]:
    """Each stage's CPU, and how many times what its pure functions cost on this machine."""
    events = window.sent.acked_events
    costs = {name: used * 10_000 / events for name, used in window.cpu_s.items()}
    rows = [
        Figure(part, f"{name}, s per 10,000 events", f"{cost:.2f}{_distance(cost * 100, pure_us.get(name))}")
        for name, cost in costs.items()
        if cost >= 0.005
    ]
    return [*rows, Figure(part, "all, s per 10,000 events", f"{sum(costs.values()):.2f}")]


def _distance(cost_us: float, pure_us: float | None) -> str:
    return f" ({cost_us / pure_us:.1f} × its pure functions)" if pure_us else ""


def _cpu_ms(window: Window) -> float:
    return sum(window.cpu_s.values()) * 1e3 / window.sent.acked_events


async def _ends(consumer: Any, kafka: KafkaConfig) -> Offsets:
    wanted = [TopicPartition(name, number) for name in TOPICS for number in range(partitions(kafka, name))]
    found: Offsets = await consumer.end_offsets(wanted)
    return found


async def _records(consumer: Any, before: Offsets, after: Offsets) -> list[Figure]:
    """Items a record, per topic, of what was written between two sets of offsets."""
    consumer.assign(list(after))
    sizes: dict[str, list[int]] = {}
    for place, offset in before.items():
        consumer.seek(place, offset)
    left = {place for place in after if after[place] > before[place]}
    while left:
        for place, records in (await consumer.getmany(*left, timeout_ms=500)).items():
            sizes.setdefault(place.topic, []).extend(len(orjson.loads(r.value)) for r in records if r.value)
            if records[-1].offset + 1 >= after[place]:
                left.discard(place)
    return [Figure("records", topic, _record_sizes(found)) for topic, found in sizes.items()]


def _record_sizes(items: Sequence[int]) -> str:
    return f"{len(items):,} records, {statistics.mean(items):.1f} items each"
