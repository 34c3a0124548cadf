"""`touchline verify` against a store that lost what the sink had committed."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yaml
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.facts import Fact
from schemas.links import Edge
from schemas.touchpoints import RawRequest
from services.cli.commands import verifying
from services.cli.context import Target
from services.cli.finding.missing_events import find_unseen
from services.cli.finding.missing_facts import find_holes
from services.sink.presence import Ask
from services.sink.rows import minute_of
from streams.processors.outcome import parked
from tests.clickhouse_fixture import ClickHouse
from tests.integration.test_sink import expected, sink, story
from tests.sink_harness import PARTITIONS, Harness, record_of, records_of
from tests.store_facts import START, signal_fact, touchpoint_fact

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]
__all__ = ["sink"]
TOLD = "facts in Kafka whose row in {} is not there"


def sound() -> list[Fact]:
    """Repaired, moved and withdrawn touchpoints, and a signal on one that stays where it is."""
    facts: list[Fact] = [fact for fact in story() if fact.kind != "signal"]
    return [*facts, signal_fact(9, account="crm:2", event=50)]


def configured(sink: Harness, folder: Path) -> Path:
    """The configuration of the harness as a file."""
    path, config = folder / "touchline.yaml", sink.config
    assert config.clickhouse.password is not None
    kafka = {
        "bootstrap": list(config.kafka.bootstrap),
        "topic_prefix": config.kafka.topic_prefix,
        "partitions": config.kafka.partitions,
    }
    clickhouse = {
        "url": config.clickhouse.url,
        "database": config.clickhouse.database,
        "bi_database": config.clickhouse.bi_database,
        "password": {"file": config.clickhouse.password.file},
    }
    path.write_text(yaml.safe_dump({"kafka": kafka, "clickhouse": clickhouse}))
    return path


#: No stage runs here but the sink: what they have not passed on need not be waited for as long as in earnest.
_SOON = (
    "from services.cli.finding import missing_events; missing_events.FLOW_TIMEOUT_S = 2.0; "
    "from services.cli.main import main; main()"
)


def verify(sink: Harness, folder: Path, *options: str) -> tuple[int, dict[str, int], str]:
    """Exit code, differences told, and everything that was said."""
    command = [sys.executable, "-c", _SOON, "verify", "--config", str(configured(sink, folder))]
    command += ["--data", str(folder), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    told = {line["check"]: line["count"] for line in lines if "check" in line}
    return done.returncode, told, done.stdout + done.stderr


def asking(sink: Harness) -> Ask:
    def ask(sql: str, parameters: dict[str, object]) -> list[dict[str, object]]:
        with sink.store() as store:
            return store.rows(sql, parameters)

    return ask


async def stored(sink: Harness, facts: list[Fact]) -> None:
    edge = Edge(a="email:a@acme.example", b="anonymous:1", since=START, evidence="e", source="web")
    await sink.send(records_of(facts))
    await sink.send([(edge.link_id, record_of([edge]))], sink.links_topic)
    sink.start()
    await sink.caught_up()
    sink.stop_all()


def lose(sink: Harness, table: str, where: str) -> None:
    with sink.store() as store:
        store.command(f"ALTER TABLE {table} DELETE WHERE {where} SETTINGS mutations_sync = 1")


async def test_a_store_that_has_everything_adds_up_whatever_is_still_under_way(sink: Harness, tmp_path: Path) -> None:
    await stored(sink, sound())
    code, differences, said = verify(sink, tmp_path)
    assert (code, differences) == (0, {}), said
    await sink.send(records_of([touchpoint_fact(n) for n in range(700, 720)]))  # not committed, so not missing
    assert verify(sink, tmp_path)[:2] == (0, {})


async def test_a_hole_is_found_by_id_and_mended_from_kafka_as_the_sink_does(
    sink: Harness, clickhouse_url: ClickHouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = sound()
    await stored(sink, facts)
    whole = sink.figures()
    for table in ("touchpoints", "histories"):
        lose(sink, table, "event_id IN ('event-000050', 'event-000051', 'event-000000')")
    lose(sink, "links", "1")
    lose(sink, "signals", "signal_id = 'signal-9'")
    assert sink.figures() != whole
    # known bad: what compares the store with itself does not know what was never in it
    assert not any("facts in Kafka" in check for check in verify(sink, tmp_path, "--store-only")[1])

    # event 0 was taken from one account and given to another: two rows of it are gone
    lost = {"touchpoints": 4, "histories": 4, "links": 1, "signals": 1}
    holes = {TOLD.format(table): count for table, count in lost.items()}
    code, differences, said = verify(sink, tmp_path)
    assert (code, {check: count for check, count in differences.items() if "Kafka" in check}) == (1, holes)
    assert "event-000050" in said
    assert verify(sink, tmp_path, "--since", "1h")[1].items() >= holes.items(), "all of it is that young"
    assert not any("facts in Kafka" in check for check in verify(sink, tmp_path, "--since", "2999-01-01")[1])

    asked: list[list[str]] = []

    def refold(_target: object, accounts: list[str], **_: object) -> tuple[dict[str, object], list[str]]:
        asked.append(accounts)
        return {}, []

    monkeypatch.setattr(verifying, "run_refold", refold)
    target = Target(tmp_path, configured(sink, tmp_path))
    verified = await asyncio.to_thread(verifying.run_verify, target, verifying.Options(fix=True), print)
    assert verified.findings == []
    assert verified.done["facts_stored_again"] == 6
    assert len(asked) == 1 and set(asked[0]) >= {"crm:0", "crm:1"}, "those whose history had a hole"
    assert sink.figures() == whole == await expected(sink, clickhouse_url, facts)
    assert verify(sink, tmp_path, "--fix")[:2] == (0, {})


async def test_what_cannot_be_stored_again_yet_stays_a_difference(sink: Harness) -> None:
    await stored(sink, [touchpoint_fact(n) for n in range(5)])
    lose(sink, "touchpoints", "event_id = 'event-000003'")
    holes = await find_holes(sink.config.kafka, asking(sink), print, from_at=None, repair=lambda _items: None)
    assert {finding.check: finding.count for finding in holes.findings()} == {TOLD.format("touchpoints"): 1}
    assert (holes.repaired, holes.accounts) == (0, {"crm:1"})


async def test_an_event_without_row_and_without_fact_is_found_by_its_request(sink: Harness, tmp_path: Path) -> None:
    """Retention may take the facts before the raw requests."""
    await stored(sink, [touchpoint_fact(1)])
    request = RawRequest(
        request_id="r1",
        source="web",
        vendor="segment",
        received_at=START,
        body=json.dumps({"type": "page", "messageId": "m1", "userId": "u1", "timestamp": START.isoformat()}),
    )
    topic = sink.config.kafka.topic_prefix + "touchpoints.raw.v1"
    await sink.send([("r1", b"[" + request.encoded() + b"]")], topic)
    waits = asyncio.create_task(find_unseen(sink.config.kafka, asking(sink), print, from_at=None, send=False))
    await asyncio.sleep(2)
    assert not waits.done(), "what is under way is not missing"
    async with passed(sink, "touchline-attribute", topic):
        found = await waits
    assert (found.judged, found.requests, len(found.ids)) == (True, 1, 1)
    (finding,) = found.findings()
    assert finding.count == 1
    with sink.store() as store:
        minute = minute_of(START)
        row = {"event_id": found.ids[0], "account_id": "crm:1", "minute": minute, "is_deleted": 1}
        store.client.insert("touchpoints", [list(row.values())], column_names=list(row))
    again = await find_unseen(sink.config.kafka, asking(sink), print, from_at=None, send=False)
    assert again.ids == [], "a tombstone is a row, too"


async def test_a_request_that_waits_unread_is_no_hole(sink: Harness) -> None:
    """Its source is set aside. Known bad: without that knowledge its event is told as missing."""
    body = json.dumps({"type": "page", "messageId": "m2", "userId": "u1", "timestamp": START.isoformat()})
    request = RawRequest(request_id="r2", source="web", vendor="segment", received_at=START, body=body)
    prefix = sink.config.kafka.topic_prefix
    topic = prefix + "touchpoints.raw.v1"
    await sink.send([("r2", b"[" + request.encoded() + b"]")], topic)
    _, key, item = parked(request, (topic, 0, 0), 0)
    async with passed(sink, "touchline-attribute", topic):
        seen = await find_unseen(sink.config.kafka, asking(sink), print, from_at=None, send=False)
        assert (len(seen.ids), seen.parked) == (1, 0)
        await sink.send([(key, b"[" + item + b"]")], prefix + "touchpoints.parked.v1")
        seen = await find_unseen(sink.config.kafka, asking(sink), print, from_at=None, send=False)
        assert (seen.ids, seen.parked) == ([], 1)


@asynccontextmanager
async def passed(sink: Harness, group: str, topic: str) -> AsyncIterator[None]:
    """A stage's group that has committed all there is."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=list(sink.config.kafka.bootstrap), group_id=sink.config.kafka.topic_prefix + group
    )
    await consumer.start()
    try:
        places = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        consumer.assign(places)
        await consumer.commit(await consumer.end_offsets(places))
        yield
    finally:
        await consumer.stop()


async def test_what_the_sink_refused_is_not_asked_for(sink: Harness, tmp_path: Path) -> None:
    unstorable, bad = touchpoint_fact(2, importance=999).encoded(), b'{"kind": "touchpoint", "account_id": 7}'
    await sink.send([("crm:1", b"[" + b",".join([touchpoint_fact(1).encoded(), unstorable, bad]) + b"]")])
    sink.start()
    await sink.caught_up()
    assert len(await sink.dead_letters()) == 2
    assert verify(sink, tmp_path)[:2] == (0, {})
