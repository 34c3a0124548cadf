"""A source that is set aside and resumed, while the process that does both is killed: nothing is lost or doubled."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx

from schemas.config import KafkaConfig
from services.common.parked import standings_of
from streams.runtime.standings import Standings
from tests.faults.kit.campaign import Sent, load_of, report
from tests.faults.kit.driver import deliver, sending
from tests.faults.kit.report import Report
from tests.faults.kit.scenario import PLACES, Call
from tests.faults.kit.system import NOISY, System

BAD, GOOD = 16, 4
"""Messages of one request; far more bad ones than what sets a source aside."""
STATE_TIMEOUT_S = 60.0


@dataclass(slots=True)
class Babble:
    """Requests of the noisy source in which most is refused, and some is not."""

    system: System
    name: str
    acked: list[tuple[Call, float]] = field(default_factory=list)

    def send(self, requests: int) -> None:
        """So many, each until it is acked."""
        asyncio.run(self._send(requests))

    async def _send(self, requests: int) -> None:
        async with httpx.AsyncClient(timeout=15.0) as client:
            for _ in range(requests):
                call = self._call(len(self.acked))
                answer = await deliver(client, self.system.url, call, self.system.secrets[NOISY])
                assert answer.status == 200, f"a source that is set aside was answered with {answer.status}"
                self.acked.append((call, answer.at_s))

    def _call(self, number: int) -> Call:
        at = (datetime.now(UTC) - timedelta(days=2)).isoformat(timespec="seconds")
        bad = [{"type": "teleport", "messageId": f"{self.name}-{number}-bad-{n}", "userId": "u"} for n in range(BAD)]
        good = [
            {
                "type": "page",
                "messageId": f"{self.name}-{number}-{n}",
                "anonymousId": f"{self.name}-{n}",
                "timestamp": at,
            }
            | {"context": {"page": {"path": "/pricing"}}}
            for n in range(GOOD)
        ]
        return Call(NOISY, PLACES[NOISY], json.dumps({"batch": [*bad, *good]}), BAD + GOOD)


def set_aside(system: System, sent: Sent, seed: int, rate_per_s: float, requests: int) -> Report:
    """Set a source aside, send on, resume it; `attribute` is killed during each. Its neighbours do not wait."""
    before = letters_of(system)
    load = load_of("besides", seed, rate_per_s * 12)
    waits, recoveries = list[float](), list[float]()
    with sending(load, system, rate_per_s) as running:
        babble = set_aside_only(system, name=f"babble{seed}")
        pid = system.kill("attribute")
        killed_at = time.monotonic()
        babble.send(requests)
        waits.append(sent.probe(system))
        recoveries.append(time.monotonic() - killed_at)
        system.wait_ready("attribute", not_pid=pid)
        until(system, lambda found: found.backlogs.get(NOISY) is not None and found.backlogs[NOISY].requests > requests)
        assert standings(system).is_aside(NOISY), "after a kill nobody knows that it is set aside"
        resuming = _resume(system)
        until(system, lambda found: found.of[NOISY].state != "parked")
        pid = system.kill("attribute")
        waits.append(sent.probe(system))
        said, _ = resuming.communicate(timeout=120)
        assert resuming.returncode == 0, said
        acked = sent.took(load, running.finish())
    sent.pairs += babble.acked
    verdict, told = sent.settled(system)
    broken = aside_promises(babble, letters_of(system) - before, standings(system))
    said = f"{len(babble.acked)} requests of the noisy source; neighbours waited {max(waits):.1f} s at most; {told}"
    return report("set-aside", "attribute", seed, acked, verdict, recoveries, broken=broken, said=said)


def set_aside_only(system: System, *, requests: int = 0, name: str = "babble") -> Babble:
    """Send until the source is set aside, and so many requests more."""
    babble = Babble(system, name)
    while not standings(system).is_aside(NOISY):
        babble.send(10)
        assert len(babble.acked) < 200, "most of it is refused, and it is not set aside"
    babble.send(requests)
    return babble


def aside_promises(babble: Babble, letters: set[str] | frozenset[str], found: Standings) -> list[str]:
    """What must be true in the end; what of it is not."""
    broken = []
    if len(letters) != BAD * len(babble.acked):
        broken.append(f"{BAD * len(babble.acked)} messages to refuse, {len(letters)} dead letters")
    backlog = found.backlogs.get(NOISY)
    if found.is_aside(NOISY) or backlog is None or backlog.requests or backlog.is_waiting:
        broken.append(f"it is resumed, and yet something waits: {backlog}")
    return broken


def letters_of(system: System) -> set[str]:
    """Ids of the letters of the noisy source."""
    done = system.cli("dlq", "ls")
    assert done.returncode == 0, done.stderr
    letters = (json.loads(line) for line in done.stdout.splitlines())
    return {letter["letter_id"] for letter in letters if letter["source"] == NOISY}


def standings(system: System) -> Standings:
    """Where the sources stand, as Kafka has it."""
    return asyncio.run(standings_of(KafkaConfig(bootstrap=(system.kafka,))))


def until(system: System, is_so: Callable[[Standings], bool]) -> None:
    """Wait for something to be said of the sources."""
    deadline = time.monotonic() + STATE_TIMEOUT_S
    while not is_so(standings(system)):
        assert time.monotonic() < deadline, f"not said in time: {standings(system).of}"
        time.sleep(0.1)


def _resume(system: System) -> subprocess.Popen[str]:
    return system.command("sources", "resume", NOISY)
