"""Kafka's logs lose their tail, as by a power cut: what is answered with 200 after it is seen all the same."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from schemas.config import KafkaConfig
from schemas.topics import TOPICS
from services.supervisor.folder import birth
from streams.transport.kafka import partitions
from tests.faults.kit.driver import deliver
from tests.faults.kit.lag import wait_idle
from tests.faults.kit.scenario import PLACES, Call
from tests.faults.kit.system import System
from tests.faults.kit.tail import truncate_log

pytestmark = [pytest.mark.fault, pytest.mark.kafka, pytest.mark.clickhouse, pytest.mark.slow]
CANARIES = 12
LOST_RECORDS = 3
VISIBLE_WITHIN_S = 90.0


def _send(system: System, name: str) -> set[str]:
    """A page view each, in a request of its own, so that each is a record of its own."""

    async def send() -> set[str]:
        at = (datetime.now(UTC) - timedelta(days=2)).isoformat()
        async with httpx.AsyncClient(timeout=30.0) as client:
            for number in range(CANARIES):
                who = f"{name}-{number}"
                page = {"type": "page", "messageId": who, "anonymousId": who, "timestamp": at}
                told = page | {"context": {"page": {"path": "/pricing"}}}
                call = Call("web", PLACES["web"], json.dumps({"batch": [told]}))
                assert (await deliver(client, system.url, call, system.secrets["web"])).status == 200
        return {f"{name}-{number}" for number in range(CANARIES)}

    return asyncio.run(send())


def _missing(system: System, wanted: set[str], within_s: float) -> set[str]:
    """Those of the vendor's event ids that are not visible in time."""
    until, missing = time.monotonic() + within_s, wanted
    while missing and time.monotonic() < until:
        time.sleep(0.3)
        found = system.rows("SELECT DISTINCT vendor_event_id AS id FROM bi.touchpoints")
        missing = wanted - {row["id"] for row in found}
    return missing


def _cut(system: System) -> None:
    """The broker must be down: every log loses its tail."""
    for topic in TOPICS:
        for number in range(partitions(KafkaConfig(), topic)):
            truncate_log(system.data / "kafka", topic, number, LOST_RECORDS)


def _cut_under_the_workers(system: System) -> None:
    """The broker is killed and its logs are cut before the supervisor can start it again."""
    system.signal("supervisor", signal.SIGSTOP)
    try:
        jvm = int((system.data / "kafka" / "jvm.pid").read_text())
        system.kill("kafka")
        until = time.monotonic() + 20
        while birth(jvm):
            assert time.monotonic() < until
            time.sleep(0.05)
        _cut(system)
    finally:
        system.signal("supervisor", signal.SIGCONT)


def test_after_a_lost_tail_everything_new_is_seen(tmp_path: Path) -> None:
    with System(tmp_path / "data") as system:
        assert not _missing(system, _send(system, "before"), VISIBLE_WITHIN_S)
        wait_idle(system)
        system.stop()
        _cut(system)
        system.start()
        assert not _missing(system, _send(system, "stopped"), VISIBLE_WITHIN_S)
        wait_idle(system)
        _cut_under_the_workers(system)
        assert not _missing(system, _send(system, "running"), VISIBLE_WITHIN_S)
        told = system.cli("doctor", "--json").stdout
        assert "had lost its tail; read again from offset" in told, told
        found = system.cli("verify")
        assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize("guarded", [True, False])
def test_a_tail_written_over_while_a_stage_stands_still(tmp_path: Path, guarded: bool) -> None:
    """With the known-bad stage, what took the place of records that it had read is never seen."""
    swap = () if guarded else ("normalise=tests.faults.kit.unguarded",)
    with System(tmp_path / "data", swap=swap) as system:
        assert not _missing(system, _send(system, "before"), VISIBLE_WITHIN_S)
        wait_idle(system)
        normalise = system.pid("normalise")
        os.kill(normalise, signal.SIGSTOP)
        _cut_under_the_workers(system)
        sent = _send(system, "after")
        os.kill(normalise, signal.SIGCONT)
        missing = _missing(system, sent, VISIBLE_WITHIN_S if guarded else 30.0)
        assert bool(missing) != guarded, f"{len(missing)} of {CANARIES} are missing"
        if guarded:
            assert "had lost its tail; read again from offset" in system.log("normalise")
