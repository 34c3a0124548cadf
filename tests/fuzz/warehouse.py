"""`python -m tests.fuzz.warehouse --minutes 60`: how long can a reader make everybody else wait?

Sends hostile requests to an embedded ClickHouse of its own, as a reader without a password. Beside it another process
asks `/ping` (the event loop) and `SELECT 1` as a service (a whole statement), and notes what takes long. The slowest
are asked again, each alone, because on a busy machine most waits have nothing to do with the request: what comes back
each time is a stall. Says which answers were bare, that is an error without ClickHouse's code.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median

import httpx
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.clickhouse_fixture import ClickHouse, warehouse
from tests.fuzz.requests import REQUESTS
from tests.fuzz.suspects import add_arguments, kept

_ASK_EVERY_S = 0.002
_NOTED_S = 0.02
_PATIENCE_S = 2.0
_SUSPECTS = 12
_REPEATS = 5
#: Refusals of the connection itself, before there is a statement.
_OF_THE_CONNECTION = (b"400", b"408", b"431", b"503")


@dataclass(frozen=True, slots=True)
class Wait:
    """A probe that took long: what it asked, when, and for how long."""

    kind: str
    at_s: float
    for_s: float


@dataclass(slots=True)
class Findings:
    """What a run has seen. `slowest` are requests with the longest wait beside them."""

    sent: int = 0
    longest_s: dict[str, float] = field(default_factory=dict)
    slowest: list[tuple[float, bytes]] = field(default_factory=list)
    bare: list[bytes] = field(default_factory=list)

    def note(self, request: bytes, answer: bytes, waits: Sequence[Wait]) -> None:
        """After each request."""
        self.sent += 1
        if is_bare(answer):
            self.bare.append(answer[:200])
        for wait in waits:
            self.longest_s[wait.kind] = max(self.longest_s.get(wait.kind, 0.0), wait.for_s)
        if waits:
            self.slowest.append((max(wait.for_s for wait in waits), request))
            self.slowest = sorted(self.slowest, key=lambda one: -one[0])[:_SUSPECTS]


def is_bare(answer: bytes) -> bool:
    """Whether it is an error that a client of ClickHouse cannot read."""
    status = answer[9:12]
    if (
        not answer
        or status in (b"200", b"100")
        or status in _OF_THE_CONNECTION
        and b"connection: close" in answer.lower()
    ):
        return False
    return b"x-clickhouse-exception-code" not in answer.lower()


def send(target: ClickHouse, request: bytes) -> bytes:
    """The first 64 KiB of what is answered within some seconds: what is no whole request is waited for in vain."""
    answer = b""
    try:
        with socket.create_connection((target.host, target.port), timeout=60) as sender:
            sender.sendall(request)
            sender.settimeout(_PATIENCE_S)
            while len(answer) < 65_536 and (piece := sender.recv(65_536)):
                answer += piece
    except (ConnectionError, TimeoutError):
        return answer
    return answer


@contextmanager
def probing(target: ClickHouse) -> Iterator[Connection]:
    """Probes from a process of its own, for our own work must not count; the waits come out of the pipe."""
    out, into = multiprocessing.get_context("spawn").Pipe(duplex=False)
    prober = multiprocessing.get_context("spawn").Process(target=_probe, args=(target.base_url, target.token, into))
    prober.start()
    into.close()
    out.recv()  # it has begun
    try:
        yield out
    finally:
        prober.terminate()
        prober.join()


def _probe(url: str, token: str, into: Connection) -> None:
    with httpx.Client(base_url=url, auth=("internal", token), timeout=120) as client:
        client.get("/ping")
        into.send(Wait("begun", 0, 0))
        turn = 0
        while True:
            turn += 1
            began = time.monotonic()
            if turn % 4:
                kind, _ = "loop", client.get("/ping")
            else:
                kind, _ = "statement", client.post("/", content=b"SELECT 1")
            for_s = time.monotonic() - began
            if for_s > _NOTED_S:
                into.send(Wait(kind, began, for_s))
            time.sleep(_ASK_EVERY_S)


def _new(waits: Connection) -> list[Wait]:
    found = []
    while waits.poll():
        found.append(waits.recv())
    return found


def run(target: ClickHouse, seconds: float, examples: int = 1000, first_seed: int = 1) -> Findings:
    """Fuzzes for so long, at least `examples` requests at a time; the same seed draws the same requests."""
    findings = Findings()
    with probing(target) as waits:
        until = time.monotonic() + seconds

        def one(request: bytes) -> None:
            if time.monotonic() < until or findings.sent < examples and not seconds:
                answer = send(target, request)
                findings.note(request, answer, _new(waits))

        numbers = itertools.count(first_seed)
        drawn(next(numbers), examples, one)
        while time.monotonic() < until:
            drawn(next(numbers), examples, one)
    return findings


def drawn(number: int, examples: int, take: Callable[[bytes], None]) -> None:
    """Draws so many requests, always the same for the same number."""

    @seed(number)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(REQUESTS)
    def one(request: bytes) -> None:
        take(request)

    one()


def confirm(target: ClickHouse, findings: Findings) -> list[tuple[float, bytes]]:
    """The slowest requests again, each alone and several times: the wait that comes back each time, by request."""
    found = []
    with probing(target) as waits:
        for _, request in findings.slowest:
            longest = []
            for _ in range(_REPEATS):
                time.sleep(0.3)
                _new(waits)
                send(target, request)
                time.sleep(0.1)
                longest.append(max((wait.for_s for wait in _new(waits)), default=0.0))
            found.append((median(longest), request))
    return sorted(found, key=lambda one: -one[0])


def idle(target: ClickHouse, seconds: float) -> float:
    """The longest wait while nobody sends anything: what the machine adds."""
    with probing(target) as waits:
        time.sleep(seconds)
        return max((wait.for_s for wait in _new(waits)), default=0.0)


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 1 when an answer was bare or the server has died."""
    parser = argparse.ArgumentParser(prog="tests.fuzz.warehouse", description=(__doc__ or "").splitlines()[0])
    add_arguments(parser, minutes=1)
    asked = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder, warehouse(Path(folder)) as (target, process):
        quiet_s = idle(target, min(20.0, asked.minutes * 6))
        findings = run(target, asked.minutes * 60, first_seed=asked.seed)
        stalls = confirm(target, findings) if process.poll() is None else []
        alive = process.poll() is None
    print(
        f"{findings.sent} requests, seed {asked.seed}; alive: {alive}; longest wait while idle {quiet_s * 1000:.0f} ms"
    )
    for kind, longest_s in sorted(findings.longest_s.items()):
        print(f"longest {kind} wait seen beside them: {longest_s * 1000:.0f} ms")
    for for_s, request in stalls:
        print(f"again alone, median of {_REPEATS}: {for_s * 1000:6.0f} ms  {kept(asked.keep, request)}")
    for answer in findings.bare[:10]:
        print(f"bare: {answer!r}")
    return 0 if alive and not findings.bare else 1


if __name__ == "__main__":
    sys.exit(main())
