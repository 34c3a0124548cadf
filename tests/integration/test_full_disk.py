"""A full disk: what is stored is answered, what is not is an error that is waited on, and it goes on by itself."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Event

import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from schemas.errors import StoreFull
from services.cli.commands.doctor.tables import RECORD, drift, made
from services.embedded.clickhouse.errors import NOT_ENOUGH_SPACE
from services.sink.migrate import migrate
from streams.runtime.clickhouse import Store
from tests.clickhouse_fixture import warehouse
from tests.integration.test_sink import health, until_unhealthy
from tests.listening import free_port
from tests.sink_harness import harness, records_of, store_config
from tests.small_disk import SmallDisk, small_disk
from tests.store_facts import tombstone_of, touchpoint_fact

pytestmark = [pytest.mark.clickhouse]

#: Inserts 100 rows in three ways while nothing can be reserved: ["what chdb counted" or its error's code, rows there].
_WAYS = """
import json, sys
from pathlib import Path
from services.embedded.clickhouse.engine import Engine
from services.embedded.clickhouse.insert import insert_rows
from services.embedded.clickhouse.errors import ClickHouseError
from services.embedded.clickhouse.roles import Role
from services.embedded.clickhouse.settings.process import WarehouseSettings
from services.embedded.clickhouse.statement import Insert, Statement

folder = Path(sys.argv[1])
engine = Engine(WarehouseSettings(data_dir=folder, keep_free_bytes=int(sys.argv[2])))
engine.open()
rows = b"".join(b"%d\\t%s\\n" % (n, b"x" * 1000) for n in range(100))

def streamed(c):
    with c.send_insert("INSERT INTO t.a", "TSV") as sent:
        sent.append(rows)
        return sent.finish().rows_written

def with_settings(c):
    head = "INSERT INTO t.a SETTINGS max_threads = 1"
    return insert_rows(c, Insert(head, "TSV", memoryview(rows))).rows_written()

def ours(c):
    return insert_rows(c, Insert("INSERT INTO t.a", "TSV", memoryview(rows))).rows_written()

found = {}
with engine.session(Statement(text=b""), Role.INTERNAL) as c:
    c.query("CREATE DATABASE t", "Null")
    c.query("CREATE TABLE t.a (id UInt64, s String) ENGINE = MergeTree ORDER BY id", "Null")
for way in (streamed, with_settings, ours):
    with engine.session(Statement(text=b""), Role.INTERNAL) as c:
        try:
            said = way(c)
        except Exception as error:
            said = f"error {ClickHouseError.from_engine(error).code}"
        there = int(c.query("SELECT count() FROM t.a", "TSV").bytes())
    found[way.__name__] = [said, there]
print(json.dumps(found))
engine.close()
"""


def _ways(folder: Path, keep_free_bytes: int) -> dict[str, list[object]]:
    command = [sys.executable, "-c", _WAYS, str(folder), str(keep_free_bytes)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_known_bad_chdbs_streamed_insert_answers_well_and_stores_nothing(tmp_path: Path) -> None:
    """Why rows are inserted as they are: on a disk without room it counts them and keeps none."""
    found = _ways(tmp_path, 1 << 50)
    assert found["ours"] == [f"error {NOT_ENOUGH_SPACE}", 0]
    assert found["streamed"] == [100, 0], "chdb tells the truth now: insert_rows may be simplified"
    assert found["with_settings"] == [f"error {NOT_ENOUGH_SPACE}", 0]


def test_with_room_every_way_stores(tmp_path: Path) -> None:
    assert {there for _, there in _ways(tmp_path, 1 << 20).values()} == {100, 200, 300}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", 320) as made:
        yield made


WRITES: dict[str, Callable[[Client], object]] = {
    "native rows": lambda c: c.insert("a", [[n, "x" * 500] for n in range(100)], ["id", "s"]),
    "rows as text": lambda c: c.raw_insert("a", ["id", "s"], b"1\tx\n2\ty\n", fmt="TSV"),
    "values": lambda c: c.command("INSERT INTO a (id, s) VALUES (1, 'x')"),
    "select": lambda c: c.command("INSERT INTO a (id) SELECT number FROM numbers(10)"),
    "a table": lambda c: c.command("CREATE TABLE b (id UInt64) ENGINE = MergeTree ORDER BY id"),
    "a view": lambda c: c.command("CREATE OR REPLACE VIEW v AS SELECT 2 AS x"),
    "a column": lambda c: c.command("ALTER TABLE a ADD COLUMN IF NOT EXISTS z UInt8"),
    "a comment": lambda c: c.command("ALTER TABLE a MODIFY COMMENT 'y'"),
    "a deletion": lambda c: c.command("ALTER TABLE a DELETE WHERE id = 1"),
}


def test_on_a_full_disk_every_write_is_an_error_reads_go_on_and_nothing_breaks(disk: SmallDisk) -> None:
    folder = disk.path / "clickhouse"
    with warehouse(folder) as (running, _):
        client = running.client()
        client.command("CREATE TABLE a (id UInt64, s String DEFAULT 'd') ENGINE = MergeTree ORDER BY id")
        client.command("CREATE VIEW v AS SELECT 1 AS x")
        WRITES["native rows"](client)
        for leave_bytes in (0, 1 << 20, 12 << 20):
            disk.fill(leave_bytes)
            for name, write in WRITES.items():
                with pytest.raises(DatabaseError) as refused:
                    write(client)
                assert refused.value.code == NOT_ENOUGH_SPACE, f"{name}: {refused.value}"
            assert _count(client) == 100
            disk.free()
        disk.fill()
        client.close()
    with warehouse(folder) as (running, _):  # the disk is still full: it opens, and is read
        client = running.client()
        assert (_count(client), client.command("SELECT x FROM v")) == (100, 1)
        disk.free()
        for write in WRITES.values():
            write(client)
        assert (client.command("SELECT x FROM v"), client.command("EXISTS b")) == (2, 1)
        client.close()


def _count(client: Client) -> int:
    return int(str(client.command("SELECT count() FROM a")))


def test_what_was_answered_outlives_a_disk_that_fills_while_parts_are_written_and_merged(disk: SmallDisk) -> None:
    """Somebody else writes to the disk all the time, so that space that was reserved is gone when it is needed."""
    folder = disk.path / "clickhouse"
    acked: set[int] = set()
    with warehouse(folder) as (running, _):
        client = running.client()
        client.command("CREATE TABLE a (id UInt64, s String) ENGINE = ReplacingMergeTree ORDER BY id")
        refused = 0
        for turn in range(60):
            if turn % 3 == 2:
                disk.fill((turn * 7919) % (140 << 20))
            else:
                disk.free()
            ids = range(turn * 300, turn * 300 + 300)
            try:
                client.insert("a", [[n, f"{n:x}" * 100] for n in ids], ["id", "s"])
                acked |= set(ids)
            except DatabaseError as error:
                assert error.code == NOT_ENOUGH_SPACE, error
                refused += 1
        assert refused > 3, "the disk was never full"
        disk.free()
        client.close()
    with warehouse(folder) as (running, _):
        client = running.client()
        assert acked - {row[0] for row in client.query("SELECT id FROM a").result_rows} == set()
        client.close()


@pytest.mark.slow
def test_what_was_answered_outlives_somebody_who_fills_the_disk_in_the_middle_of_a_write(disk: SmallDisk) -> None:
    """Nothing is reserved against others. Without `RoomWatch` a merge ends with empty files and takes the place of
    good parts: 48,000 rows of 69,000 were gone."""
    folder, over = disk.path / "clickhouse", Event()

    def others() -> None:
        while not over.is_set():
            disk.fill()
            over.wait(0.05)
            disk.free()
            over.wait(0.1)

    acked, refused = set[int](), 0
    with warehouse(folder) as (running, _), ThreadPoolExecutor() as threads:
        client = running.client()
        client.command("CREATE TABLE a (id UInt64, s String) ENGINE = ReplacingMergeTree ORDER BY id")
        filling = threads.submit(others)
        try:
            for turn in range(60):
                ids = range(turn * 3_000, turn * 3_000 + 3_000)
                try:
                    client.insert("a", [[n, f"{n:x}" * 300] for n in ids], ["id", "s"])
                    acked |= set(ids)
                except DatabaseError:
                    refused += 1
                with suppress(DatabaseError):
                    client.command("OPTIMIZE TABLE a FINAL")
        finally:
            over.set()
            filling.result()
        client.close()
    assert acked and refused, "it was never full, or always"
    with warehouse(folder) as (running, _):
        client = running.client()
        there = {row[0] for row in client.query("SELECT id FROM a").result_rows}
        assert acked - there == set()
        assert client.command("SELECT count() FROM system.detached_parts WHERE reason != 'ignored'") == 0
        client.close()


def test_a_migration_that_meets_a_full_disk_is_run_again(disk: SmallDisk) -> None:
    folder = disk.path / "clickhouse"
    with warehouse(folder) as (running, _):
        config = store_config(running.base_url, "full", folder / "internal.token")
        disk.fill((16 << 20) + (300 << 10))
        with pytest.raises(StoreFull):
            migrate(config, running.token)
        client = running.client()
        begun = made(client, config)["objects"]
        disk.free()
        assert migrate(config, running.token)
        assert 0 < len(begun) < len(made(client, config)["objects"]), "it met the full disk half-way"
        assert [check.state for check in drift(json.loads(RECORD.read_text()), made(client, config))] == ["ok"]
        client.close()


@pytest.mark.parametrize("deduplicate", [0, 1])
def test_the_same_rows_again_are_a_success(disk: SmallDisk, deduplicate: int) -> None:
    """A retry of what was stored, though nobody heard so, ends the waiting, also where ClickHouse looks for doubles."""
    with warehouse(disk.path / "clickhouse") as (running, _):
        client = running.client()
        client.command(
            "CREATE TABLE a (id UInt64) ENGINE = ReplacingMergeTree ORDER BY id"
            " SETTINGS non_replicated_deduplication_window = 100"
        )
        config = store_config(running.base_url, "default", running.data_dir / "internal.token")
        with Store(config, running.token) as store:
            store.client.set_client_setting("insert_deduplicate", deduplicate)
            for _ in range(2):
                store.insert("a", {"id": "UInt64"}, {"id": [1, 2, 3]})
        assert client.command("SELECT count() FROM a FINAL") == 3
        client.close()


@pytest.mark.kafka
@pytest.mark.fault
async def test_the_sink_waits_on_a_full_disk_and_goes_on_by_itself(
    kafka_bootstrap: str, topic_prefix: str, disk: SmallDisk
) -> None:
    folder, port = disk.path / "clickhouse", free_port()
    with warehouse(folder) as (running, _):
        config = store_config(running.base_url, "full", folder / "internal.token")
        migrate(config, running.token)
        sink = harness(kafka_bootstrap, topic_prefix, config, running.token)
        await sink.create_topics()
        sink.start(ops_port=port)
        try:
            await sink.send(records_of([touchpoint_fact(n) for n in range(10)]))
            await sink.caught_up()
            disk.fill()
            facts = [touchpoint_fact(n) for n in range(10, 400)]
            await sink.send(records_of([*facts, tombstone_of(touchpoint_fact(5), revision=3)], size=3))
            checks = await until_unhealthy(port, "waiting")
            assert str(checks["waiting"]).startswith("waiting for disk space for ClickHouse since 20")
            assert "its disk is full" in str(checks["error"])
            before = await sink.committed()
            await asyncio.sleep(5)
            assert await sink.committed() == before
            with sink.store() as store, pytest.raises(StoreFull):
                store.command("CREATE TABLE nothing (a UInt8) ENGINE = MergeTree ORDER BY a")
            disk.free()
            await sink.caught_up()
            with sink.store() as store:
                assert store.rows("SELECT count() AS n, uniqExact(event_id) AS ids FROM touchpoints FINAL") == [
                    {"n": 399, "ids": 399}
                ]
            assert (health(port)[0], await sink.dead_letters()) == (200, [])
        finally:
            sink.stop_all()


def test_a_deletion_under_way_waits_for_space_and_is_done_then(disk: SmallDisk) -> None:
    with warehouse(disk.path / "clickhouse") as (running, _):
        client = running.client()
        client.command("CREATE TABLE a (id UInt64, s String) ENGINE = MergeTree ORDER BY id")
        client.insert("a", [[n, "x" * 500] for n in range(2000)], ["id", "s"])
        disk.fill(40 << 20)  # enough to take the order, too little to carry it out
        with ThreadPoolExecutor() as threads:
            deleting = threads.submit(client.command, "ALTER TABLE a DELETE WHERE id < 1000")
            time.sleep(3)
            other = running.client()
            assert (deleting.done(), _count(other)) == (False, 2000), "not answered before it is done"
            disk.free()
            deleting.result(60)
        assert _count(other) == 1000
        client.close()
        other.close()
