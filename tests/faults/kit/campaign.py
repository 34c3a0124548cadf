"""Kills under load, as the short tests and the long form run them: one component, N kills, one line of a table."""

from __future__ import annotations

import asyncio
import json
import random
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx

from tests.faults.kit.checks import Verdict, settled
from tests.faults.kit.driver import deliver, sending
from tests.faults.kit.scenario import PLACES, Call, Scenario, scenario
from tests.faults.kit.system import FORK_SERVER, SERVICES, System

RECOVERY_BUDGET_S = 15.0
"""Printed beside what was measured; on a shared machine it is no ground to fail."""
MESSAGES_A_PERSON = 28
EVERYTHING = "everything"
COMPONENTS = (*SERVICES, FORK_SERVER, EVERYTHING)


@dataclass(slots=True)
class Report:
    """What a campaign of kills came to."""

    component: str
    seed: int
    acked: int
    recoveries_s: list[float]
    verdict: Verdict

    HEAD = (
        f"{'component':<11} {'kills':>5} {'acked':>6} {'visible':>7} {'lost':>4} {'dupl':>4} {'rows≠oracle':>11} "
        f"{'recovery p50':>12} {'max':>6} {'seed':>5}"
    )

    def __str__(self) -> str:
        times = sorted(self.recoveries_s) or [0.0]
        found = self.verdict
        return (
            f"{self.component:<11} {len(self.recoveries_s):>5} {self.acked:>6} {found.visible:>7} {found.lost:>4} "
            f"{found.duplicates:>4} {found.wrong_rows:>11} {times[len(times) // 2]:>10.1f} s {times[-1]:>4.1f} s "
            f"{self.seed:>5}"
        )


@dataclass(slots=True)
class Sent:
    """Everything a system was ever sent and answered with 2xx, over all campaigns on it."""

    pairs: list[tuple[Call, float]] = field(default_factory=list)
    probes: int = 0

    def probe(self, system: System, timeout_s: float = 60.0) -> float:
        """Send one visitor's page view and wait until it is visible; the seconds from now on."""
        began = time.monotonic()
        self.probes += 1
        name = f"probe-{self.probes}-{time.time_ns()}"
        at = (datetime.now(UTC) - timedelta(days=2)).isoformat()
        message = {"type": "page", "messageId": name, "anonymousId": name, "timestamp": at}
        call = Call("web", PLACES["web"], json.dumps({"batch": [message | {"context": {"page": {"path": "/p"}}}]}))
        answer = asyncio.run(_send(system, call))
        assert answer[0] == 200, f"the probe was answered with {answer[0]}"
        self.pairs.append((call, answer[1]))
        while time.monotonic() - began < timeout_s:
            if _is_visible(system, name):
                break
            time.sleep(0.1)
        return time.monotonic() - began


async def _send(system: System, call: Call) -> tuple[int, float]:
    async with httpx.AsyncClient(timeout=15.0) as client:
        answer = await deliver(client, system.url, call, system.secrets[call.source])
    return answer.status, answer.at_s


def _is_visible(system: System, vendor_event_id: str) -> bool:
    try:
        return bool(system.rows(f"SELECT 1 FROM bi.touchpoints WHERE vendor_event_id = '{vendor_event_id}'"))
    except httpx.HTTPError:
        return False


def strike(system: System, component: str) -> None:
    """Kill one component, or everything and start again on the same folder."""
    if component == EVERYTHING:
        system.kill_all()
        system.start()
    else:
        system.kill(component)


@dataclass(frozen=True, slots=True)
class Campaign:
    """What is killed, each `kills` times, under which load."""

    components: tuple[str, ...]
    kills: int
    seed: int
    rate_per_s: float = 120.0

    @property
    def name(self) -> str:
        return self.components[0] if len(self.components) == 1 else "each"


def load_of(name: str, seed: int, events: float) -> Scenario:
    """A scenario of about so many messages, a dozen people a company."""
    people = round(events / MESSAGES_A_PERSON)
    return scenario(f"{name}{seed}", seed, people=people, companies=max(people // 12, 2))


def campaign(system: System, sent: Sent, plan: Campaign) -> Report:
    """Kill under load at random moments, then compare everything visible with the oracle."""
    rng = random.Random(f"{plan.name}/{plan.seed}")
    strikes = list(plan.components) * plan.kills
    load = load_of(plan.name, plan.seed, (6 * len(strikes) + 4) * plan.rate_per_s)
    recoveries: list[float] = []
    with sending(load, system.data, system.url, system.secrets, plan.rate_per_s) as running:
        for component in strikes:
            time.sleep(rng.uniform(0.5, 3.0))
            began = time.monotonic()
            strike(system, component)
            sent.probe(system)
            recoveries.append(time.monotonic() - began)
        answers = running.finish()
    refused = [answer for answer in answers if answer.status != 200]
    assert not refused, f"requests answered otherwise than 200: {refused[:5]}"
    sent.pairs += [(load.calls[answer.index], answer.at_s) for answer in answers]
    acked = sum(load.calls[answer.index].events for answer in answers)
    return Report(plan.name, plan.seed, acked, recoveries, settled(system, sent.pairs))
