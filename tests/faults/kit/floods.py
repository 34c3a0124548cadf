"""Faults that are a load: too much at once, one sender that talks nonsense, one account that is half of everything."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.faults.kit.campaign import Sent, load_of, report
from tests.faults.kit.checks import settled
from tests.faults.kit.driver import Answer, sending, signed_headers
from tests.faults.kit.lag import wait_idle
from tests.faults.kit.report import Report
from tests.faults.kit.scenario import PLACES, Call, crowd
from tests.faults.kit.system import NOISY, System

BURST = 3.0
GATEWAY_MIB = 4
MAX_GROWTH_MB = 64.0
"""What a gateway that may hold `GATEWAY_MIB` may grow by: requests once as bytes, once as records, and the heads."""
WARM_UP_EVENTS = 6_000
PROBE_EVERY_S = 3.0
NOISE_PER_S = 40.0
TOO_LARGE = "x" * 5_000_000


# -- three times too much


def burst(data: Path, seed: int, lasts_s: float) -> Report:
    """On a system of its own, because its gateway may hold little."""
    env = {"TOUCHLINE_GATEWAY_MAX_IN_FLIGHT_BYTES": str(GATEWAY_MIB << 20)}
    sent = Sent()
    with System(data, env=env) as system:
        sent.probe(system)
        rate = _sustained(system, sent, seed)
        load = crowd(f"burst{seed}", seed, events=round(BURST * rate * lasts_s))
        before_mb = system.rss_mb("gateway")
        with memory(system, "gateway") as seen, sending(load, system, BURST * rate, connections=1_000) as running:
            time.sleep(lasts_s * 2 / 3)
            with system.frozen("kafka"):
                time.sleep(lasts_s / 3)
            over = time.monotonic()
            answers = running.finish()
        acked = sent.took(load, answers)
        wait_idle(system, timeout_s=600)
        sent.probe(system)
        recovered_s, growth_mb = time.monotonic() - over, max(seen, default=before_mb) - before_mb
        verdict = settled(system, sent.pairs)
    put_off = sum(answer.put_off for answer in answers)
    said = f"{BURST * rate:.0f} events/s, {put_off} × 503, the gateway grew by {growth_mb:.0f} MB"
    broken = burst_promises(answers, growth_mb)
    return report("burst", "", seed, acked, verdict, [recovered_s], broken=broken, said=said)


def burst_promises(answers: Sequence[Answer], growth_mb: float) -> list[str]:
    """What an overloaded gateway promises beside losing nothing; what of it was broken."""
    broken = []
    if not any(answer.put_off for answer in answers):
        broken.append("nobody was put off: this was no burst")
    if unadvised := sum(answer.unadvised for answer in answers):
        broken.append(f"{unadvised} × 503 without Retry-After")
    if growth_mb > MAX_GROWTH_MB:
        broken.append(f"the gateway grew by {growth_mb:.0f} MB")
    return broken


def _sustained(system: System, sent: Sent, seed: int) -> float:
    """Events a second that get from the sender to the map when it sends as fast as it can."""
    load, began = crowd(f"warm{seed}", seed, events=WARM_UP_EVENTS), time.monotonic()
    with sending(load, system, rate_per_s=1e6) as running:
        sent.took(load, running.finish())
    wanted = len({message["messageId"] for call in load.calls for message in json.loads(call.body)["batch"]})
    while time.monotonic() - began < 120:
        (row,) = system.rows(f"SELECT count() AS n FROM bi.touchpoints WHERE vendor_event_id LIKE '{load.name}-%'")
        if int(row["n"]) >= wanted:
            break
        time.sleep(0.2)
    return load.events / (time.monotonic() - began)


@contextmanager
def memory(system: System, name: str) -> Iterator[list[float]]:
    """Resident memory of a service in MB, sampled ten times a second while the block runs."""
    seen: list[float] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.1):
            seen.append(system.rss_mb(name))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield seen
    finally:
        over.set()
        looking.join()


# -- one account that is half of everything


def hot_account(system: System, sent: Sent, seed: int, rate_per_s: float, lasts_s: float) -> Report:
    """The oracle knows whose each event is; that neighbours do not wait is what the probes say."""
    load = load_of("hot", seed, rate_per_s * lasts_s, hot=True)
    with sending(load, system, rate_per_s) as running:
        waits = _probes(system, sent, lasts_s)
        acked = sent.took(load, running.finish())
    verdict, said = sent.settled(system)
    return report("hot-account", "", seed, acked, verdict, waits, said=said)


def _probes(system: System, sent: Sent, lasts_s: float) -> list[float]:
    until, waits = time.monotonic() + lasts_s, list[float]()
    while time.monotonic() < until:
        waits.append(sent.probe(system))
        time.sleep(PROBE_EVERY_S)
    return waits


# -- one sender that talks nonsense


@dataclass(frozen=True, slots=True)
class Nonsense:
    """What is sent, and the answer it must get."""

    body: str
    status: int
    key: str = ""


def nonsense(number: int) -> Nonsense:
    """The n-th hostile message; every kind in turn."""
    name = f"noise-{number}"
    kinds = (
        Nonsense(json.dumps({"batch": [{"type": "teleport", "messageId": name, "userId": "u"}]}), 200),
        Nonsense("{" * 2_000, 400),
        Nonsense(json.dumps({"batch": [{"type": "track", "messageId": name, "userId": {"a": 1}, "event": "A"}]}), 200),
        Nonsense(json.dumps({"batch": []}), 401, key="no-such-key"),
        Nonsense(f'{{"batch":[{{"type":"track","messageId":"{name}","userId":"u","event":"A","n":1e400}}]}}', 200),
        Nonsense(TOO_LARGE if number % 60 == 5 else "[" * 50_000, 413 if number % 60 == 5 else 400),
    )
    return kinds[number % len(kinds)]


@dataclass(slots=True)
class Noise:
    """Sends nonsense from a thread until told to stop."""

    system: System
    acked: list[tuple[Call, float]] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    unexpected: list[str] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Until `stop`."""
        asyncio.run(self._send_all())

    def stop(self) -> None:
        """Let `run` end."""
        self._over.set()

    async def _send_all(self) -> None:
        number = 0
        secrets = self.system.secrets
        async with httpx.AsyncClient(timeout=15.0) as client, asyncio.TaskGroup() as tasks:
            while not self._over.is_set():
                tasks.create_task(self._send(client, nonsense(number), secrets[NOISY]))
                number += 1
                await asyncio.sleep(1 / NOISE_PER_S)

    async def _send(self, client: httpx.AsyncClient, wrong: Nonsense, secret: str) -> None:
        call = Call(NOISY, PLACES[NOISY], wrong.body)
        headers = signed_headers(call, wrong.key or secret)
        try:
            answer = await client.post(self.system.url + call.path, content=wrong.body.encode(), headers=headers)
        except httpx.TransportError:
            self.statuses[0] += 1
            return
        self.statuses[answer.status_code] += 1
        if answer.status_code != wrong.status:
            self.unexpected.append(f"{answer.status_code} instead of {wrong.status} for {wrong.body[:60]}")
        elif answer.status_code == 200:
            self.acked.append((call, time.time()))


def noisy_source(system: System, sent: Sent, seed: int, rate_per_s: float, lasts_s: float) -> Report:
    """Nonsense and a load of neighbours side by side; every acked piece of nonsense is one dead letter."""
    before, noise = _letters(system), Noise(system)
    load = load_of("beside", seed, rate_per_s * lasts_s)
    sender = threading.Thread(target=noise.run)
    with sending(load, system, rate_per_s) as running:
        sender.start()
        try:
            waits = _probes(system, sent, lasts_s)
        finally:
            noise.stop()
            sender.join()
        acked = sent.took(load, running.finish())
    sent.pairs += noise.acked
    verdict, before_this = sent.settled(system)
    wait_idle(system)
    done = system.cli("sources", "resume", NOISY)  # so much nonsense sets it aside
    assert done.returncode == 0, done.stderr
    letters = _letters(system) - before
    said = f"{sum(noise.statuses.values())} hostile requests, {letters} dead letters"
    said += f"; {before_this}" if before_this else ""
    broken = noise_promises(noise, letters)
    return report("noisy-source", "", seed, acked, verdict, waits, broken=broken, said=said)


def noise_promises(noise: Noise, letters: int) -> list[str]:
    """What nonsense must come to; what of it did not."""
    broken = [f"{len(noise.unexpected)} wrong answers, e.g. {noise.unexpected[0]}"] if noise.unexpected else []
    if letters != len(noise.acked):
        broken.append(f"{len(noise.acked)} acked and refused later, {letters} dead letters")
    return broken


def _letters(system: System) -> int:
    done = system.cli("dlq", "ls")
    assert done.returncode == 0, done.stderr
    return len(done.stdout.splitlines())
