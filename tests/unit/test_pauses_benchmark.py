"""What /metrics says of pauses, as the benchmark tells it."""

from __future__ import annotations

from benchmarks.pauses import GARBAGE, LOOP, Seen, buckets, lines
from streams.runtime.metrics import Metrics


def after(*late_s: float, looks_s: tuple[float, ...] = ()) -> Seen:
    """A process whose loop came so late, and whose looks for garbage took so long."""
    metrics = Metrics()
    for seconds in late_s:
        metrics.observe(LOOP, seconds)
    for number, seconds in enumerate(looks_s):
        metrics.observe(GARBAGE, seconds, generation=str(number % 2))
    return Seen(buckets(metrics.render().decode()), waited_s=float(len(late_s)))


def test_only_what_came_between_two_looks_is_told() -> None:
    before, now = after(0.2), after(0.2, 0.001, 0.04, looks_s=(0.004, 0.02))
    late, garbage = lines("journey", before, now, 100.0)
    assert late.what == "journey: the loop came late"
    assert late.value == "0 of 2 longer than 50 ms, the longest up to 50 ms; waited for a processor 2.0% of the time"
    assert garbage.value == "0 of 2 longer than 50 ms, the longest up to 20 ms"


def test_a_pause_is_told_whoever_caused_it() -> None:
    late, garbage = lines("journey", after(), after(0.01, 0.06, looks_s=(0.01, 0.3)), 10.0)
    assert late.value.startswith("1 of 2 longer than 50 ms, the longest up to 75 ms")
    assert garbage.value == "1 of 2 longer than 50 ms, the longest up to 500 ms"


def test_a_process_without_any_says_so() -> None:
    late, garbage = lines("sink", after(), after(), 10.0)
    assert late.value.startswith("none;")
    assert garbage.value == "none"
