"""The alerts service: what people are told of on ninety days, what it costs, and how soon a message arrives."""

from __future__ import annotations

import asyncio
from typing import Final

from benchmarks.alerts_live import CHANNELS, latencies
from benchmarks.alerts_load import Cost, Crowd, cost, crowd
from benchmarks.figures import QUICK, Figure, Pace, Say
from streams.journey.blueprints import load
from tests.simulation.alerted import Told, alerted, table

ACCOUNTS: Final = 200
FEW: Final = 20
OPEN: Final = 10_000
RUNS: Final = 100
FEW_RUNS: Final = 10


def run(pace: Pace, say: Say) -> list[Figure]:
    """Policies on the simulation, the service under load and with many open incidents, then all real parts."""
    is_quick = pace == QUICK
    accounts = FEW if is_quick else ACCOUNTS
    told = alerted(load(), accounts)
    say(table(told))
    runs = FEW_RUNS if is_quick else RUNS
    waits = asyncio.run(latencies(runs, say))
    return [
        *_policies(told, accounts),
        *_cost(cost(load(), FEW if is_quick else FEW * 3)),
        *_crowd(asyncio.run(crowd(OPEN // 10 if is_quick else OPEN))),
        *(_latency(name, waits.get(name, []), runs) for name in CHANNELS),
    ]


def _policies(told: dict[str, Told], accounts: int) -> list[Figure]:
    part = f"alerts, {accounts} accounts, 90 days"
    injected, found = sum(s.injected for s in told.values()), sum(s.found for s in told.values())
    opened, right = sum(s.opened for s in told.values()), sum(s.right for s in told.values())
    doubled = sum(s.doubled for s in told.values())
    return [
        Figure(part, f"recall over {injected:,} pains that a policy asks for", f"{found / max(injected, 1):.3f}"),
        Figure(part, f"precision over {opened:,} incidents told", f"{right / max(opened, 1):.3f}"),
        Figure(part, "pains told in two incidents", f"{doubled}"),
        Figure(part, "messages per incident, growth and returns included", f"{_messages(told) / max(opened, 1):.2f}"),
    ]


def _messages(told: dict[str, Told]) -> int:
    return sum(score.opened + score.again for score in told.values())


def _cost(found: Cost) -> list[Figure]:
    part = f"alerts, {found.facts:,} facts of {found.touchpoints:,} events in process"
    return [
        Figure(part, "CPU at 1,000 events/s", f"{found.cpu_percent:.1f} % of a core"),
    ]


def _crowd(found: Crowd) -> list[Figure]:
    part = f"alerts, {found.count:,} open incidents"
    return [
        Figure(part, "memory", f"{found.memory_mb:.0f} MB"),
        Figure(part, "read again at a start", f"{found.load_s:.1f} s"),
        Figure(part, "one look at an account", f"{found.look_ms:.2f} ms"),
        Figure(part, "finding the next message, all waiting", f"{found.due_ms:.0f} ms"),
    ]


def _latency(channel: str, waits_s: list[float], runs: int) -> Figure:
    part = f"alerts, from the event's 2xx to the message, {runs} runs"
    if len(waits_s) < runs:
        return Figure(part, channel, f"only {len(waits_s)} of {runs} arrived")
    ordered = sorted(waits_s)
    p50, p95 = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.95)]
    return Figure(part, channel, f"p50 {p50:.1f} s, p95 {p95:.1f} s, longest {ordered[-1]:.1f} s", "≤ 10 s")
