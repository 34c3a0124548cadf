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
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from schemas.config import KafkaConfig
from schemas.topics import TOPICS
from services.supervisor.folder import birth
from streams.runtime.kafka import partitions
from tests.faults.kit.driver import deliver
from tests.faults.kit.lag import wait_idle
from tests.faults.kit.scenario import PLACES, Call
from tests.faults.kit.system import System
from tests.faults.kit.tail import truncate_log

pytestmark = [pytest.mark.fault, pytest.mark.kafka, pytest.mark.clickhouse, pytest.mark.slow]
CANARIES = 12
LOST_RECORDS = 3
VISIBLE_WITHIN_S = 90.0
AT = (datetime.now(UTC) - timedelta(days=2)).isoformat()


def _send(system: System, name: str) -> set[str]:
    """A page view each, in a request of its own, so that each is a record of its own."""

    names = {f"{name}-{number}" for number in range(CANARIES)}
    for who in sorted(names):
        assert asyncio.run(_sent(system, _page(who))) == 200
    return names


def _page(who: str) -> Call:
    page = {"type": "page", "messageId": who, "anonymousId": who, "timestamp": AT}
    return Call("web", PLACES["web"], json.dumps({"batch": [page | {"context": {"page": {"path": "/pricing"}}}]}))


async def _sent(system: System, call: Call) -> int:
    async with httpx.AsyncClient(timeout=30.0) as client:
        return (await deliver(client, system.url, call, system.secrets["web"])).status


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


def test_an_event_that_store_and_facts_have_lost_is_sent_again_beside_a_journey_that_remembers_it(
    tmp_path: Path,
) -> None:
    """Repeating the request alone is not enough: the control."""
    with System(tmp_path / "data") as system:
        before = _send(system, "before")
        assert not _missing(system, before, VISIBLE_WITHIN_S)
        wait_idle(system)
        asyncio.run(_expire_facts(system.kafka))
        _lose(system, "before-3")
        call = _page("before-3")
        assert asyncio.run(_sent(system, call)) == 200
        wait_idle(system)
        assert _missing(system, before, 0.5) == {"before-3"}
        fixed = system.cli("verify", "--fix")
        assert fixed.returncode == 0, fixed.stdout + fixed.stderr
        assert not _missing(system, before, VISIBLE_WITHIN_S)


async def _expire_facts(bootstrap: str) -> None:
    """As retention does."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        places = [TopicPartition("journey.facts.v1", n) for n in range(partitions(KafkaConfig(), "journey.facts.v1"))]
        await admin.delete_records({place: RecordsToDelete(before_offset=-1) for place in places})
    finally:
        await admin.close()


def _lose(system: System, vendor_event_id: str) -> None:
    """The store forgets an event, rows and all."""
    at = system.run().addresses
    auth = ("internal", Path(at["token_file"]).read_text().strip())
    (row,) = system.rows(f"SELECT event_id FROM bi.touchpoints WHERE vendor_event_id = '{vendor_event_id}'")
    for table in ("touchpoints", "histories"):
        sql = f"ALTER TABLE touchline.{table} DELETE WHERE event_id = '{row['event_id']}' SETTINGS mutations_sync = 1"
        httpx.post(f"{at['sql_url']}/", content=sql, auth=auth, timeout=60).raise_for_status()


@pytest.mark.parametrize("guarded", [True, False])
def test_a_tail_written_over_while_a_stage_stands_still(tmp_path: Path, guarded: bool) -> None:
    """With the known-bad stage, what took the place of records that it had read is never seen."""
    swap = () if guarded else ("attribute=tests.faults.kit.unguarded",)
    with System(tmp_path / "data", swap=swap) as system:
        assert not _missing(system, _send(system, "before"), VISIBLE_WITHIN_S)
        wait_idle(system)
        attribute = system.pid("attribute")
        os.kill(attribute, signal.SIGSTOP)
        _cut_under_the_workers(system)
        sent = _send(system, "after")
        os.kill(attribute, signal.SIGCONT)
        missing = _missing(system, sent, VISIBLE_WITHIN_S if guarded else 30.0)
        assert bool(missing) != guarded, f"{len(missing)} of {CANARIES} are missing"
        if guarded:
            assert "had lost its tail; read again from offset" in system.log("attribute")
