"""One stretch of load on a running installation: what was sent, what was seen when, and what it cost."""

from __future__ import annotations

import json
import math
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Final

import httpx

from benchmarks.figures import Pace
from benchmarks.load import Load, Sent
from benchmarks.processes import cpu_s, memory_mb, tree
from tests.faults.kit.system import System

SAMPLE_EVERY_S: Final = 0.5
PROBE_EVERY_S: Final = 0.1
PROBE_BACK_S: Final = 15
REST_S: Final = 1.5
DRAIN_TIMEOUT_S: Final = 120.0
#: A short window cannot tell a slope from noise below this share of the rate.
SLOPE_TOLERANCE: Final = 0.02
_VOLUME = "SELECT sum(volume) AS n FROM bi.journey_map"
_IDS = (
    "SELECT vendor_event_id AS id FROM bi.touchpoints"
    " WHERE occurred_at >= '{start}' AND occurred_at < '{end}' AND startsWith(vendor_event_id, '{run}-')"
)
_MARKERS = (
    "SELECT toUInt32OrZero(splitByChar('-', vendor_event_id)[2]) AS n FROM bi.touchpoints"
    " WHERE occurred_at >= '{since}' AND startsWith(vendor_event_id, '{load.run}-') AND n % {load.batch} = 0"
)
_run_numbers = count(1)


class Void(Exception):
    """The run shows something else than was acked: its figures mean nothing."""


@dataclass(frozen=True, slots=True)
class Window:
    """What a stretch of load came to. `lags` are (seconds since the start, events due and not on the map)."""

    rate_per_s: float
    sent: Sent
    lags: list[tuple[float, float]]
    freshness_s: list[float]
    drained_s: float
    cpu_s: dict[str, float]
    memory_mb: dict[str, tuple[float, float]]

    @property
    def slope_per_s(self) -> float:
        """Events by which the lag grows every second, least squares."""
        times, lags = zip(*self.lags, strict=True)
        return statistics.linear_regression(times, lags).slope

    @property
    def is_sustained(self) -> bool:
        """Whether the map kept up."""
        return self.slope_per_s <= SLOPE_TOLERANCE * self.rate_per_s and None not in self.sent.acked_at_s

    @property
    def late_events(self) -> float:
        """The median of the lag, in events."""
        return statistics.median(lag for _, lag in self.lags)

    def __str__(self) -> str:
        verdict = "kept up" if self.is_sustained else "fell behind"
        lag = f"lag {self.late_events:,.0f} events, slope {self.slope_per_s:+,.0f}/s"
        return f"{self.rate_per_s:,.0f}/s: {verdict}; {lag}, drained {self.drained_s:.1f} s after the end"


@dataclass(slots=True)
class Bench:
    """A running installation and who is known there."""

    system: System
    pace: Pace

    def load(self, rate_per_s: float, *, seconds: float | None = None, new_share: float = 0.0, batch: int = 20) -> Load:
        """A load of the people `bench`; `batch`: events a request."""
        seconds = self.pace.window_s if seconds is None else seconds
        return Load(
            url=self.system.url,
            key=self.system.secrets["web"],
            run=f"r{next(_run_numbers)}",
            rate_per_s=rate_per_s,
            seconds=seconds,
            new_share=new_share,
            batch=batch,
        )

    def warm_up(self) -> None:
        """Everyone becomes known; the links settle."""
        self._send(self.load(1000, seconds=0))
        self._send(self.load(1000, seconds=3))

    def _send(self, load: Load) -> None:
        before = self._volume()
        with _driving(load) as process:
            sent = _sent(process)
        self._drain(before + sent.acked_events)

    def run(self, load: Load, *, probe: bool = False, only_own: bool = False) -> Window:
        """Send a load and watch. Raises Void when what is shown is not what was acked.

        `only_own`: others send, too; then nothing is waited for but the run's own events, and lags mean nothing.
        """
        pids, before = self.system.run().pids, self._volume() if only_own else self._rested()
        cpu_before = {name: cpu_s(pid) for name, pid in pids.items()}
        memory_before = _memory(pids)
        watch = _Watch(self.system, load, probe=probe)
        with _driving(load) as process, watch:
            sent = _sent(process)
            memory_after = _memory(pids)
            drained_at_s = self._drained(load, sent) if only_own else self._drain(before + sent.acked_events)
            time.sleep(2 * PROBE_EVERY_S)
        self._check(load, sent)
        return Window(
            rate_per_s=load.rate_per_s,
            sent=sent,
            lags=_lags(watch.volumes, before, load, sent, self.pace.settle_s),
            freshness_s=_freshness(watch.seen, sent, self.pace.settle_s),
            drained_s=drained_at_s - sent.ended_at_s,
            cpu_s={name: cpu_s(pid) - cpu_before[name] for name, pid in pids.items()},
            memory_mb={name: (memory_before[name], memory_after[name]) for name in pids},
        )

    def _volume(self) -> int:
        return int(self.system.rows(_VOLUME)[0]["n"])

    def _rested(self) -> int:
        """The map's volume once it stands still: a run that was void may have left something behind."""
        volume = self._volume()
        while True:
            time.sleep(REST_S)
            if (now := self._volume()) == volume:
                return volume
            volume = now

    def _drain(self, volume: int) -> float:
        """Until the map counts so many; the time of day then."""
        until = time.monotonic() + DRAIN_TIMEOUT_S
        while (shown := self._volume()) < volume:
            if time.monotonic() > until:
                raise Void(f"the map shows {shown} of {volume} events {DRAIN_TIMEOUT_S:.0f} s after the last one")
            time.sleep(0.1)
        return time.time()

    def _drained(self, load: Load, sent: Sent) -> float:
        """Until the run's own events are shown; the time of day then."""
        until = time.monotonic() + DRAIN_TIMEOUT_S
        while len(self._ids(load.run, sent)) < sent.acked_events:
            if time.monotonic() > until:
                raise Void(f"not all events of {load.run} are shown {DRAIN_TIMEOUT_S:.0f} s after the last one")
            time.sleep(0.2)
        return time.time()

    def _check(self, load: Load, sent: Sent) -> None:
        acked, shown = sent.acked_ids(load.run), self._ids(load.run, sent)
        if len(shown) != len(set(shown)):
            raise Void(f"{len(shown) - len(set(shown))} events are shown twice")
        if lost := acked - set(shown):
            raise Void(f"{len(lost)} acked events are not shown, {sorted(lost)[:3]}")
        if invented := set(shown) - acked:
            raise Void(f"{len(invented)} events are shown that were not acked, {sorted(invented)[:3]}")

    def _ids(self, run: str, sent: Sent) -> list[str]:
        """Every shown event of a run, asked for in slices that a reader's limits allow."""
        found: list[str] = []
        at, end = (datetime.fromtimestamp(when, UTC) for when in (sent.started_at_s - 5, time.time() + 5))
        while at < end:
            then = at + timedelta(seconds=30)
            sql = _IDS.format(start=f"{at:%Y-%m-%d %H:%M:%S.%f}"[:-3], end=f"{then:%Y-%m-%d %H:%M:%S.%f}"[:-3], run=run)
            found += [row["id"] for row in self.system.rows(sql)]
            at = then
        return found


class _Watch:
    """Looks at the map's volume; and, as a probe, for the first event of each request."""

    def __init__(self, system: System, load: Load, *, probe: bool) -> None:
        self._system, self._load = system, load
        self._stop = threading.Event()
        self.volumes: list[tuple[float, int]] = []
        self.seen: dict[int, float] = {}
        looks = [self._look_at_volume, *([self._probe] if probe else [])]
        self._threads = [threading.Thread(target=look) for look in looks]

    def __enter__(self) -> _Watch:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _look_at_volume(self) -> None:
        with httpx.Client(base_url=str(self._system.ready["sql_url"]), timeout=30) as client:
            while not self._stop.wait(SAMPLE_EVERY_S):
                asked_at_s = time.time()
                self.volumes.append((asked_at_s, int(_ask(client, _VOLUME)[0]["n"])))

    def _probe(self) -> None:
        """As a reader, again and again: which markers are there now?"""
        with httpx.Client(base_url=str(self._system.ready["sql_url"]), timeout=30) as client:
            while not self._stop.wait(PROBE_EVERY_S):
                since = datetime.now(UTC) - timedelta(seconds=PROBE_BACK_S)
                rows = _ask(client, _MARKERS.format(since=f"{since:%Y-%m-%d %H:%M:%S}", load=self._load))
                now_s = time.time()
                for row in rows:
                    self.seen.setdefault(int(row["n"]), now_s)


def _ask(client: httpx.Client, sql: str) -> list[dict[str, str]]:
    answer = client.post("/", content=f"{sql} FORMAT JSONEachRow").raise_for_status()
    return [json.loads(line) for line in answer.text.splitlines()]


@contextmanager
def _driving(load: Load) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "benchmarks.load", load.model_dump_json()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def _sent(process: subprocess.Popen[str]) -> Sent:
    said, _ = process.communicate()
    if process.returncode:
        raise Void(f"the driver ended with {process.returncode}")
    return Sent.model_validate_json(said)


def _lags(
    volumes: Sequence[tuple[float, int]], before: int, load: Load, sent: Sent, settle_s: float
) -> list[tuple[float, float]]:
    """What was due and not yet on the map, while the load ran and had settled."""
    return [
        (at_s - sent.started_at_s, (at_s - sent.started_at_s) * load.rate_per_s - (volume - before))
        for at_s, volume in volumes
        if sent.started_at_s + settle_s <= at_s <= sent.started_at_s + load.seconds
    ]


def _freshness(seen: dict[int, float], sent: Sent, settle_s: float) -> list[float]:
    """Sorted seconds from the 2xx until an event was first seen, of one event a request; inf: the probe missed it."""
    return sorted(
        seen.get(number * sent.batch, math.inf) - acked_at_s
        for number, acked_at_s in enumerate(sent.acked_at_s)
        if acked_at_s is not None and acked_at_s > sent.started_at_s + settle_s
    )


def _memory(pids: dict[str, int]) -> dict[str, float]:
    return {name: memory_mb(tree(pid)) for name, pid in pids.items()}


@contextmanager
def bench(folder: Path, pace: Pace) -> Iterator[Bench]:
    """`touchline up` on a fresh folder, with everyone known."""
    with System(folder / "data") as system:
        found = Bench(system, pace)
        found.warm_up()
        yield found
