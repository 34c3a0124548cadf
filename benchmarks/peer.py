"""The processors against other ways to do a job of the kind, on one broker, in one run.

Plain Faust and Quix Streams as their users write them, a loop written by hand as the limit, our own machinery with
the same job alone, and our processors with all they do. Same events, encoded before. Each is warmed up, frozen while
its input is written, let go, and pinned to one core; what counts is CPU time until the last output is in Kafka, so a
busy machine disturbs little. Each gets two inputs: a record an event (a request of one message), and what the gateway
really writes (requests of 20, several a record).
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import cache
from itertools import product
from pathlib import Path
from typing import Final

from benchmarks.core import requests
from benchmarks.figures import Figure, Pace, Say
from benchmarks.guarded import PartFailed
from benchmarks.peers.contestants import Arena, Side
from benchmarks.peers.race import Input, Speed, measured
from schemas.touchpoints import RAW
from services.embedded.kafka.process import EmbeddedBroker
from services.embedded.kafka.settings import BrokerSettings
from services.embedded.kafka.setup import prepare_runtime
from tests.clickhouse_fixture import warehouse

PART: Final = "one core"
ACCOUNTS: Final = 1000
REQUEST_EVENTS: Final = 20
REQUESTS_A_RECORD: Final = 5
SINGLE: Final = "one event a record"
WRITTEN: Final = "records as the gateway writes them"
SHAPES: Final = (SINGLE, WRITTEN)
FAUST: Final = "plain Faust"
QUIX: Final = "Quix Streams"
LOOP: Final = "a loop by hand"
JOB: Final = "our machinery, the same job"
WHOLE: Final = "our processors, all they do"
OURS: Final = (JOB, WHOLE)
NAMES: Final = (FAUST, QUIX, LOOP, JOB, WHOLE)
BUDGETS: Final = {(JOB, WRITTEN, FAUST): "5×", (JOB, WRITTEN, QUIX): "1×"}

Key = tuple[str, str]
"""(contestant, shape)."""
ABOUT_PER_CPU_S: Final[Mapping[Key, int]] = {
    (FAUST, SINGLE): 2_500,
    (FAUST, WRITTEN): 4_000,
    (QUIX, SINGLE): 20_000,
    (QUIX, WRITTEN): 40_000,
    (LOOP, SINGLE): 100_000,
    (LOOP, WRITTEN): 200_000,
    (JOB, SINGLE): 10_000,
    (JOB, WRITTEN): 100_000,
    (WHOLE, SINGLE): 1_500,
    (WHOLE, WRITTEN): 4_000,
}
"""What was seen, for how much each is given to do: the kernel counts CPU in hundredths of a second."""
MOST_EVENTS: Final = 200_000


def run(pace: Pace, say: Say) -> Iterator[Figure]:
    """The table's lines, told anew after each turn. Raises PartFailed behind the last for contestants that failed."""
    with ExitStack() as stack:
        temporary = tempfile.TemporaryDirectory(prefix="touchline-bench-", ignore_cleanup_errors=True)
        folder = Path(stack.enter_context(temporary))
        clickhouse, _ = stack.enter_context(warehouse(folder / "clickhouse"))
        broker = stack.enter_context(EmbeddedBroker(BrokerSettings(data_dir=folder / "kafka"), prepare_runtime()))
        arena = Arena(broker.bootstrap, clickhouse, folder)
        makes = (arena.faust, arena.quix, arena.loop, arena.job, arena.ours)

        def measure(side: Side, key: Key) -> Speed:
            return asyncio.run(measured(side, arena.kafka, warm_up(key[1]), given(key, pace.peer_s)))

        yield from raced(dict(zip(NAMES, makes, strict=True)), measure, pace.repeats, say)


def raced(
    makes: Mapping[str, Callable[[str], Side]], measure: Callable[[Side, Key], Speed], turns: int, say: Say
) -> Iterator[Figure]:
    """All contestants over both shapes, in turn; one that fails loses its own figures and takes no further part."""
    found: dict[Key, list[Speed]] = {}
    failed: dict[Key, str] = {}
    for turn, (number, shape) in product(range(turns), enumerate(SHAPES)):
        for at, (name, make) in enumerate(makes.items()):
            key = (name, shape)
            if key in failed:
                continue
            try:
                speed = measure(make(f"c{at}s{number}t{turn}"), key)
            except Exception as error:
                failed[key] = f"{name}, {shape}: {type(error).__name__}: {error}"
                say(f"  {failed[key]}")
                continue
            found.setdefault(key, []).append(speed)
            say(f"  {name}, {shape}: {speed.per_cpu_s:,.0f} events per CPU second, {speed.per_s:,.0f}/s on one core")
            yield _line(key, found[key])
            yield from _ratio(key, found)
    if failed:
        raise PartFailed("; ".join(failed.values()))


def _line(key: Key, speeds: Sequence[Speed]) -> Figure:
    cpu, wall = _median(speeds), statistics.median(speed.per_s for speed in speeds)
    turns = f", median of {len(speeds)}" if len(speeds) > 1 else ""
    return Figure(PART, ", ".join(key), f"{cpu:,.0f} events/CPU s ({wall:,.0f}/s by the clock{turns})")


def _ratio(key: Key, found: Mapping[Key, Sequence[Speed]]) -> Iterator[Figure]:
    """How it stands beside plain Faust and Quix over the same records."""
    name, shape = key
    for other in (FAUST, QUIX):
        if name in OURS and (beside := found.get((other, shape))):
            ratio = _median(found[key]) / _median(beside)
            budget = BUDGETS.get((name, shape, other), "")
            yield Figure(PART, f"{name}, against {other}, {shape}", f"{ratio:.1f}×", budget)


def _median(speeds: Sequence[Speed]) -> float:
    return statistics.median(speed.per_cpu_s for speed in speeds)


def warm_up(shape: str) -> Input:
    """One event of each person."""
    return _encoded(shape, 0)


def given(key: Key, seconds: float) -> Input:
    """What takes the contestant about so many seconds of CPU, but never more than a broker takes in at a time."""
    return _encoded(key[1], min(MOST_EVENTS, round(ABOUT_PER_CPU_S[key] * seconds)))


@cache
def _encoded(shape: str, events: int) -> Input:
    """The same records for everyone who is given so many: each has topics of its own."""
    batch, together = (1, 1) if shape == SINGLE else (REQUEST_EVENTS, REQUESTS_A_RECORD)
    found = requests(events, batch=batch, accounts=ACCOUNTS)
    records = [RAW.dump_json(found[n : n + together]) for n in range(0, len(found), together)]
    return Input(records, len(found) * batch)
