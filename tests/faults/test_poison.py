"""What can never be processed: one dead letter each, with its original bytes; its neighbours go on."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import shlex
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.faults.conftest import Victim
from tests.faults.kit.checks import dump, settled
from tests.faults.kit.driver import deliver
from tests.faults.kit.lag import produce, wait_idle
from tests.faults.kit.scenario import PLACES, Call
from tests.unit.test_runbooks import RUNBOOKS, commands

pytestmark = [pytest.mark.fault, pytest.mark.kafka, pytest.mark.clickhouse]

#: What it is → (reason of its letter, the message).
POISON = {
    "wrong type": ("wrong_type", '{"type":"track","messageId":"x1","userId":{"a":1},"event":"A"}'),
    "no identity": ("no_identity", '{"type":"track","messageId":"x2","event":"A"}'),
    "unknown type": ("unknown_type", '{"type":"teleport","messageId":"x3","userId":"u"}'),
    "no name": ("missing_field", '{"type":"track","messageId":"x4","userId":"u"}'),
    "1e400": ("not_representable", '{"type":"track","messageId":"x5","userId":"u","event":"A","n":1e400}'),
    "year 9999": ("bad_time", '{"type":"track","messageId":"x6","userId":"u","event":"A","timestamp":"9999-01-01"}'),
    "year 1": ("bad_time", '{"type":"track","messageId":"x7","userId":"u","event":"A","timestamp":"0001-01-01"}'),
    "not an object": ("wrong_type", "17"),
}  # fmt: skip
TOPICS = ("touchpoints.raw.v1", "touchpoints.recalled.v1", "touchpoints.attributed.v1", "journey.facts.v1")
READING = {f"touchline {name}" for name in (
    "doctor", "validate", "verify", "retention", "dlq ls", "sources ls", "access ls", "alerts log", "alerts preview",
    "incidents ls",
)}  # fmt: skip
GARBAGE = {"no JSON": b"\xff\x00 garbage", "no array": b'{"a": 1}', "wrong item": b'[{"kind":"wrong","a":1}]'}


STAMP = (datetime.now(UTC) - timedelta(days=2)).isoformat(timespec="seconds")


def good(name: str, **fields: Any) -> str:
    message = {"type": "page", "messageId": name, "anonymousId": name, "timestamp": STAMP}
    return json.dumps({**message, "context": {"page": {"path": "/pricing"}}, **fields})


def send(victim: Victim, call: Call) -> None:
    async def work() -> None:
        async with httpx.AsyncClient(timeout=15.0) as client:
            system = victim.system
            answer = await deliver(client, system.url, call, system.secrets[call.source])
        assert answer.status == 200, (answer, call.body[:200])
        victim.sent.pairs.append((call, answer.at_s))

    asyncio.run(work())


def letters(victim: Victim) -> list[dict[str, Any]]:
    done = victim.system.cli("dlq", "ls")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def shown(victim: Victim, letters: list[dict[str, Any]]) -> dict[str, bytes]:
    """The original bytes of each letter."""
    done = victim.system.cli("dlq", "show", *(letter["letter_id"] for letter in letters))
    assert done.returncode == 0, done.stderr
    return {letter["letter_id"]: _original(letter) for letter in map(json.loads, done.stdout.splitlines())}


def _original(letter: dict[str, Any]) -> bytes:
    return base64.b64decode(letter["original"]) if letter["encoding"] == "base64" else letter["original"].encode()


@pytest.mark.timeout(420)
def test_one_letter_each_neighbours_stored_and_replays_change_nothing(victim: Victim) -> None:
    old = {letter["letter_id"] for letter in letters(victim)}
    for number, (_, poison) in enumerate(POISON.values()):
        body = f'{{"batch":[{good(f"left-{number}")},{poison},{good(f"right-{number}")}]}}'
        send(victim, Call("web", PLACES["web"], body, 3))
    unknown = json.dumps({"id": "z1", "type": "zen:event-type:", "time": STAMP, "detail": {}})
    send(victim, Call("support", PLACES["support"], unknown))
    odd = [good("nul", userId="a\x00b"), good("new-field", novel=[1])]
    send(victim, Call("web", PLACES["web"], f'{{"batch":[{",".join(odd)}]}}', 2))
    thrown = {(topic, *produce(victim.system, topic, value)): value for topic in TOPICS for value in GARBAGE.values()}

    verdict = settled(victim.system, victim.sent.pairs)
    assert verdict, str(verdict)
    wait_idle(victim.system)
    new = [letter for letter in letters(victim) if letter["letter_id"] not in old]
    originals = shown(victim, new)
    by_message: dict[bytes, list[str]] = {}
    for letter in new:
        by_message.setdefault(originals[letter["letter_id"]], []).append(letter["reason"])
    for reason, poison in POISON.values():
        assert by_message.get(poison.encode()) == [reason], poison
    assert by_message.get(unknown.encode()) == ["unknown_type"]
    _check_garbage(new, thrown, originals)
    assert len(new) == len(POISON) + 1 + len(thrown)

    before = dump(victim.system)
    for _ in range(2):
        done = victim.system.cli("dlq", "replay", *(letter["letter_id"] for letter in new))
        assert done.returncode == 0, done.stdout + done.stderr
        wait_idle(victim.system)
    assert dump(victim.system) == before


def _check_garbage(
    new: list[dict[str, Any]], thrown: dict[tuple[str, int, int], bytes], originals: dict[str, bytes]
) -> None:
    for (topic, partition, offset), value in thrown.items():
        found = [
            letter
            for letter in new
            if (letter["origin_topic"], letter["origin_partition"], letter["origin_offset"])
            == (topic, partition, offset)
        ]
        assert len(found) == 1, (topic, value, found)
        original = originals[found[0]["letter_id"]]
        assert original == (value[1:-1] if value.startswith(b"[") else value)


def test_a_client_with_a_future_clock_does_not_capture_the_account(victim: Victim) -> None:
    name = f"clock-{time.time_ns()}"
    for kind, stamp in (("ahead", "2036-01-02T03:04:05Z"), ("honest", STAMP)):
        body = f'{{"batch":[{good(f"{name}-{kind}", anonymousId=name, timestamp=stamp)}]}}'
        send(victim, Call("web", PLACES["web"], body))
    wait_idle(victim.system)
    (row,) = victim.system.rows(f"SELECT * FROM bi.touchpoints WHERE vendor_event_id = '{name}-ahead'")
    assert row["clock_suspect"]
    # such an event is ordered by the time of its receipt, which only the gateway knows exactly
    received_at = datetime.fromisoformat(row["received_at"]).replace(tzinfo=UTC)
    victim.sent.pairs[-2] = (victim.sent.pairs[-2][0], received_at.timestamp())
    verdict = settled(victim.system, victim.sent.pairs)
    assert verdict, str(verdict)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_commands_of_the_runbooks_answer_on_a_running_system(victim: Victim) -> None:
    """Those that only read, as they stand there: none breaks off. What they find may be wrong."""
    lines = {line for page in RUNBOOKS for line in commands(page.read_text(encoding="utf-8"))}
    tried = sorted(line for line in lines if line.startswith(tuple(READING)) and not re.search(r"[A-Z]{4}|--fix", line))
    assert {name for name in READING if any(line.startswith(name) for line in tried)} == READING
    for line in tried:
        done = victim.system.cli(*shlex.split(line)[1:])
        assert done.returncode in (0, 1) and "Traceback" not in done.stderr, (line, done.stderr)
