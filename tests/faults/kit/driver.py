"""The sender, a process of its own: `python -m tests.faults.kit.driver PLAN JOURNAL`.

Open loop: each request has its moment, whatever became of those before it. A request is sent again until it is
answered with something other than 503, as senders do. The journal has one JSON line for each request answered.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

import httpx

from services.gateway.signatures import Signed, prove
from streams.connectors.support import zendesk
from tests.faults.kit.scenario import Call, Scenario
from tests.faults.kit.system import System

GIVE_UP_S = 180.0
RETRY_S = 0.3


@dataclass(frozen=True, slots=True)
class Answer:
    """How a request ended. `at_s` is wall time; `attempts` includes those that were not answered.

    `put_off` of them were answered with 503, `unadvised` without a Retry-After.
    """

    index: int
    status: int
    at_s: float
    attempts: int
    put_off: int = 0
    unadvised: int = 0


def signed_headers(call: Call, secret: str) -> dict[str, str]:
    """What lets a request in: the write key, or a signature made now."""
    if call.source != "support":
        token = httpx.BasicAuth(secret, "")
        request = httpx.Request("POST", "http://x")
        return {"authorization": next(token.auth_flow(request)).headers["authorization"]}
    unsigned = Signed(b"POST", (b"",), {}, call.body.encode())
    proof = prove(zendesk.SCHEME, secret.encode(), unsigned, datetime.now(UTC))
    return {name.decode(): value.decode() for name, value in proof.items()}


async def deliver(  # noqa: PLR0913 - whom, what, and how long
    client: httpx.AsyncClient, url: str, call: Call, secret: str, index: int = 0, give_up_s: float = GIVE_UP_S
) -> Answer:
    """Send until it is taken or refused; status 0 or 503 when neither happened in time."""
    until = time.monotonic() + give_up_s
    attempts = status = put_off = unadvised = 0
    while time.monotonic() < until:
        attempts += 1
        try:
            headers = signed_headers(call, secret)
            answer = await client.post(url + call.path, content=call.body.encode(), headers=headers)
        except httpx.TransportError:
            status = 0
        else:
            status = answer.status_code
            if status != 503:
                break
            put_off += 1
            unadvised += "retry-after" not in answer.headers
        await asyncio.sleep(RETRY_S)
    return Answer(index, status, time.time(), attempts, put_off, unadvised)


async def drive(plan: dict[str, Any], journal: TextIO) -> None:
    """Send every call of the plan at its moment."""
    limits = httpx.Limits(max_connections=plan["connections"], max_keepalive_connections=plan["connections"])
    async with httpx.AsyncClient(limits=limits, timeout=15.0) as client:
        began, due_s, tasks = time.monotonic(), 0.0, []

        async def one(index: int, call: Call) -> None:
            answer = await deliver(client, plan["url"], call, plan["secrets"][call.source], index, plan["give_up_s"])
            journal.write(json.dumps(asdict(answer)) + "\n")
            journal.flush()

        for index, entry in enumerate(plan["calls"]):
            await asyncio.sleep(max(0.0, began + due_s - time.monotonic()))
            call = Call(**entry)
            tasks.append(asyncio.create_task(one(index, call)))
            due_s += call.events / plan["rate_per_s"]
        await asyncio.gather(*tasks)


class Load:
    """A scenario being sent by a process of its own; `answers` reads what has been answered so far."""

    def __init__(self, load: Scenario, process: subprocess.Popen[bytes], journal: Path, give_up_s: float) -> None:
        self.scenario, self._process, self._journal, self._give_up_s = load, process, journal, give_up_s

    def finish(self) -> list[Answer]:
        """Wait until every request is answered."""
        code = self._process.wait(self._give_up_s + 30)
        assert code == 0, f"the driver ended with {code}"
        return self.answers()

    def answers(self) -> list[Answer]:
        """What the journal says now."""
        return [Answer(**json.loads(line)) for line in self._journal.read_text().splitlines()]

    @property
    def running(self) -> bool:
        return self._process.poll() is None


@contextmanager
def sending(
    load: Scenario, system: System, rate_per_s: float, *, connections: int = 60, give_up_s: float = GIVE_UP_S
) -> Iterator[Load]:
    """Start the driver on a scenario; it is ended with the block."""
    plan, journal = system.scratch / f"{load.name}.plan.json", system.scratch / f"{load.name}.journal"
    told = {"url": system.url, "secrets": system.secrets, "rate_per_s": rate_per_s}
    told |= {"connections": connections, "give_up_s": give_up_s}
    plan.write_text(json.dumps({**told, "calls": [asdict(call) for call in load.calls]}))
    journal.touch()
    command = [sys.executable, "-m", "tests.faults.kit.driver", str(plan), str(journal)]
    with subprocess.Popen(command) as process:
        try:
            yield Load(load, process, journal, give_up_s)
        finally:
            if process.poll() is None:
                process.kill()


if __name__ == "__main__":
    with Path(sys.argv[2]).open("a") as out:
        asyncio.run(drive(json.loads(Path(sys.argv[1]).read_text()), out))
