"""Harm under load, again and again: one harm, N runs, one line of the table."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from statistics import median

import httpx

from tests.faults.kit.checks import Verdict, settled
from tests.faults.kit.driver import Answer, deliver, sending
from tests.faults.kit.report import Report
from tests.faults.kit.scenario import PLACES, Call, Scenario, scenario
from tests.faults.kit.system import SERVICES, System

RECOVERY_BUDGET_S = 15.0
"""Printed beside what was measured; on a shared machine it is no ground to fail."""
MESSAGES_A_PERSON = 28
EVERYTHING = "everything"
COMPONENTS = (*SERVICES, EVERYTHING)
Harm = Callable[[System, str], float]
"""Does it, and returns when a recovery could begin, as `time.monotonic()` has it."""


@dataclass(slots=True)
class Sent:
    """Everything a system was ever sent and answered with 2xx, over all campaigns on it."""

    pairs: list[tuple[Call, float]] = field(default_factory=list)
    probes: int = 0
    wrong: set[tuple[str, object]] = field(default_factory=set)
    """Rows that differed after an earlier fault on this system: not the doing of the next one, unless it mends them."""
    taken: float = 0.0
    """When the last probe was answered, as `time.monotonic()` has it: Kafka and the gateway are back."""

    def probe(self, system: System, timeout_s: float = 60.0) -> float:
        """Send one visitor's page view and wait until it is visible; the seconds from now on."""
        began = time.monotonic()
        self.probes += 1
        name = f"probe-{self.probes}-{time.time_ns()}"
        at = (datetime.now(UTC) - timedelta(days=2)).isoformat()
        message = {"type": "page", "messageId": name, "anonymousId": name, "timestamp": at}
        call = Call("web", PLACES["web"], json.dumps({"batch": [message | {"context": {"page": {"path": "/p"}}}]}))
        answer = asyncio.run(_send(system, call))
        assert answer.status == 200, f"the probe was answered with {answer.status}"
        self.taken = time.monotonic()
        self.pairs.append((call, answer.at_s))
        while time.monotonic() - began < timeout_s:
            if _is_visible(system, name):
                break
            time.sleep(0.1)
        return time.monotonic() - began

    def settled(self, system: System) -> tuple[Verdict, str]:
        """The verdict on everything sent so far, and how much of it is an earlier fault's."""
        verdict = settled(system, self.pairs)
        wrong = {(part, key) for part, rows in verdict.wrong.items() for key in rows}
        before, self.wrong = len(wrong & self.wrong), wrong
        return verdict, f"{before} of the wrong rows are from an earlier fault on this system" if before else ""

    def took(self, load: Scenario, answers: Sequence[Answer]) -> int:
        """Note what was acked of a load; the events of it, copies too. Anything but 200 in the end is a failure."""
        refused = [answer for answer in answers if answer.status != 200]
        assert not refused, f"requests answered otherwise than 200: {refused[:5]}"
        self.pairs += [(load.calls[answer.index], answer.at_s) for answer in answers]
        return sum(load.calls[answer.index].events for answer in answers)


async def _send(system: System, call: Call) -> Answer:
    async with httpx.AsyncClient(timeout=15.0) as client:
        return await deliver(client, system.url, call, system.secrets[call.source])


def _is_visible(system: System, vendor_event_id: str) -> bool:
    try:
        return bool(system.rows(f"SELECT 1 FROM bi.touchpoints WHERE vendor_event_id = '{vendor_event_id}'"))
    except httpx.HTTPError:
        return False


def strike(system: System, component: str) -> float:
    """Kill one component, or everything and start again on the same folder."""
    began = time.monotonic()
    if component == EVERYTHING:
        system.kill_all()
        system.start()
    else:
        system.kill(component)
    return began


@dataclass(frozen=True, slots=True)
class Campaign:
    """What is harmed, each `runs` times, under which load. `lasts_s`: how long a run takes, for the load's size."""

    components: tuple[str, ...]
    runs: int
    seed: int
    rate_per_s: float = 120.0
    fault: str = "kill"
    lasts_s: float = 6.0

    @property
    def of(self) -> str:
        return self.components[0] if len(self.components) == 1 else "each"


def load_of(name: str, seed: int, events: float, *, hot: bool = False) -> Scenario:
    """A scenario of about so many messages, a dozen people a company."""
    people = round(events / MESSAGES_A_PERSON)
    return scenario(f"{name}{seed}", seed, people=people, companies=max(people // 12, 2), hot=hot)


def campaign(system: System, sent: Sent, plan: Campaign, harm: Harm = strike) -> Report:
    """Harm under load at random moments, then compare everything visible with the oracle."""
    rng = random.Random(f"{plan.of}/{plan.seed}")
    runs = list(plan.components) * plan.runs
    name = f"{plan.fault}-{plan.of}".replace(" ", "-")
    load = load_of(name, plan.seed, (plan.lasts_s * len(runs) + 4) * plan.rate_per_s)
    recoveries, taken = list[float](), list[float]()
    with sending(load, system, plan.rate_per_s) as running:
        for component in runs:
            time.sleep(rng.uniform(0.5, 3.0))
            over = harm(system, component)
            sent.probe(system)
            recoveries.append(time.monotonic() - over)
            taken.append(sent.taken - over)
        answers = running.finish()
    acked = sent.took(load, answers)
    verdict, earlier = sent.settled(system)
    until_taken = f"of the recovery until the gateway takes an event: p50 {median(taken):.1f} s, max {max(taken):.1f} s"
    said = "; ".join(words for words in (until_taken, earlier) if words)
    return report(plan.fault, plan.of, plan.seed, acked, verdict, recoveries, said=said)


def report(  # noqa: PLR0913 - the columns of a table
    fault: str,
    of: str,
    seed: int,
    acked: int,
    verdict: Verdict,
    recoveries_s: Sequence[float],
    *,
    broken: Sequence[str] = (),
    said: str = "",
) -> Report:
    """A verdict as a line of the table."""
    return Report(
        fault,
        of,
        seed,
        acked,
        visible=verdict.visible,
        lost=verdict.lost,
        doubled=verdict.duplicates,
        wrong=verdict.wrong_rows,
        recoveries_s=tuple(recoveries_s),
        broken=tuple(broken) + ((f"{verdict.invented} invented",) if verdict.invented else ()),
        said=said,
        detail=str(verdict),
    )
