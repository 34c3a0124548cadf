"""Servers of one's own: the topics with their offsets, ClickHouse's tables by its own BACKUP, and both back again.

BACKUP and RESTORE are ClickHouse's own, run by chdb, also with the rights of the shipped `users.xml`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete
from clickhouse_connect.driver.exceptions import DatabaseError

from schemas.config import KafkaConfig
from schemas.topics import FORMER, TOPICS, TopicName
from services.cli.backup import database, servers, topics
from services.cli.backup.manifest import CONTENT, BackupRefused, read_manifest
from services.cli.backup.records import FILLER_VALUE
from services.cli.context import Target
from services.common.records import consumer, producer, records_of, spans
from services.embedded.clickhouse.engine import quote
from services.sink.migrate import migrate
from streams.runtime.kafka import group_consumer
from streams.runtime.topics_admin import ensure_topics
from tests.clickhouse_fixture import ClickHouse
from tests.integration.test_clickhouse_users import Asked, user

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]
RAW: TopicName = "touchpoints.raw.v1"
VIEW = "touchpoints"
LINKS: TopicName = "identity.links.v1"


def _quiet(_: str) -> None: ...


def _target(folder: Path, bootstrap: str, prefix: str, clickhouse: ClickHouse, database: str) -> Target:
    folder.mkdir()
    (folder / "token").write_text(clickhouse.token)
    kafka = {"bootstrap": [bootstrap], "topic_prefix": prefix, "partitions": 2}
    store = {"url": clickhouse.base_url, "user": "internal", "password": {"file": "token"}, "database": database}
    store["bi_database"] = f"{database}_bi"
    (folder / "touchline.yaml").write_text(json.dumps({"kafka": kafka, "clickhouse": store}))
    return Target(folder)


async def _fill(kafka: KafkaConfig) -> None:
    """Records in two topics, and in one that an earlier version left; retention took some; a group has read some."""
    await ensure_topics(kafka, former=FORMER)
    async with producer(kafka) as writer:
        for number in range(40):
            name = kafka.topic_prefix + RAW
            await writer.send_and_wait(
                name, b"[%d]" % number, key=b"k", partition=number % 2, headers=[("h", b"\x00v")]
            )
        for number in range(3):
            await writer.send_and_wait(kafka.topic_prefix + "touchpoints.clean.v1", b"[%d]" % number, partition=1)
        for number in range(5):
            await writer.send_and_wait(kafka.topic_prefix + LINKS, b"[{}]", key=b"%d" % number, partition=0)
    async with topics._admin(kafka) as admin:
        await admin.delete_records({TopicPartition(kafka.topic_prefix + RAW, 1): RecordsToDelete(before_offset=7)})
    group = group_consumer(kafka, "touchline-attribute", role="attribute")
    await group.start()
    try:
        group.assign([TopicPartition(kafka.topic_prefix + RAW, 0)])
        await group.commit({TopicPartition(kafka.topic_prefix + RAW, 0): 12})
    finally:
        await group.stop()


async def _seen(kafka: KafkaConfig) -> dict[tuple[str, int], list[tuple[Any, ...]]]:
    """Every record that is no filler, with its place."""
    found: dict[tuple[str, int], list[tuple[Any, ...]]] = {}
    async with consumer(kafka) as reader:
        for name in TOPICS | FORMER:
            for place, span in (await spans(reader, kafka, name)).items():
                found[name, place.partition] = [
                    (record.offset, record.timestamp, record.key, record.value, tuple(record.headers))
                    async for record in records_of(reader, {place: span})
                    if record.value != FILLER_VALUE
                ] + [(span[1],)]
    return found


class Granted:
    """`internal` of a server, as the backup's statements see a client."""

    def __init__(self, ask: Asked) -> None:
        self._ask = ask

    def command(self, statement: str) -> None:
        """Raises DatabaseError."""
        answer = self._ask(statement)
        if "error" in answer:
            raise DatabaseError(answer["error"])

    def query(self, statement: str, parameters: Mapping[str, object]) -> SimpleNamespace:
        """One column; raises DatabaseError."""
        for name, value in parameters.items():
            statement = statement.replace(f"{{{name}:String}}", quote(str(value)))
        answer = self._ask(statement)
        if "error" in answer:
            raise DatabaseError(answer["error"])
        (column,) = (name for name in ("total_size", "name") if f"SELECT {name}" in statement)
        return SimpleNamespace(column_names=[column], result_columns=[answer["ok"].splitlines()])


@pytest.mark.parametrize("without", ["", "GRANT FILE ON *.*", "GRANT ALL ON touchline_restoring.*"])
def test_the_shipped_rights_are_enough_to_back_up_and_to_restore(tmp_path: Path, without: str) -> None:
    """The known-bad variants lack a right, and say which step it is that cannot be made."""
    with user(tmp_path, "internal", without=without) as ask:
        client: Any = Granted(ask)
        client.command("CREATE DATABASE touchline")
        client.command("CREATE TABLE touchline.t (n UInt64, s String) ENGINE = ReplacingMergeTree ORDER BY n")
        client.command("INSERT INTO touchline.t SELECT number, 'a' FROM numbers(9)")
        if "FILE" in without:
            with pytest.raises(BackupRefused, match=r"does not back up.*GRANT FILE ON"):
                database.save(client, "touchline", "touchline-20261130T000000Z")
            return
        saved = database.save(client, "touchline", "touchline-20261130T000000Z")
        assert saved.bytes > 0
        with pytest.raises(BackupRefused, match="not empty"):
            database.bring(client, "touchline", "touchline", saved.name)
        client.command("DROP DATABASE touchline SYNC")
        if without:
            with pytest.raises(BackupRefused, match="does not restore"):
                database.bring(client, "touchline", "touchline", saved.name)
            return
        for _ in range(2):  # the first is as one that was killed before its last statement
            database.bring(client, "touchline", "touchline", saved.name)
            assert ask("SELECT sum(n), any(s) FROM touchline.t") == {"ok": "36\ta\n"}
            client.command("RENAME DATABASE touchline TO touchline_restoring")


def test_a_server_that_allows_no_backups_is_named(tmp_path: Path) -> None:
    with user(tmp_path, "internal") as ask:
        client: Any = Granted(ask)
        client.command("CREATE DATABASE touchline")
        with pytest.raises(BackupRefused, match="no name that can stand in a statement"):
            database.save(client, "touchline", "../elsewhere")
        (tmp_path / "backups").touch()  # where the folder should be
        with pytest.raises(BackupRefused, match="allowed_path"):
            database.save(client, "touchline", "touchline-20261130T000000Z")


@pytest.mark.slow
def test_topics_offsets_and_tables_come_back(
    kafka_bootstrap: str, topic_prefix: str, clickhouse_url: ClickHouse, clickhouse_database: str, tmp_path: Path
) -> None:
    here = _target(tmp_path / "here", kafka_bootstrap, topic_prefix, clickhouse_url, clickhouse_database)
    there = _target(tmp_path / "there", kafka_bootstrap, f"{topic_prefix}z", clickhouse_url, f"{clickhouse_database}_z")
    asyncio.run(_fill(here.load().kafka))
    migrate(here.load().clickhouse, clickhouse_url.token)
    client = clickhouse_url.client()
    made = f"CREATE TABLE {clickhouse_database}.t ENGINE = MergeTree ORDER BY n"
    client.command(f"{made} AS SELECT number AS n FROM numbers(9)")
    backup = tmp_path / "backup"
    done = servers.back_up(here, backup, _quiet)
    assert done["stopped_s"] == 0.0 and int(str(done["clickhouse_bytes"])) > 0
    before = asyncio.run(_seen(here.load().kafka))
    assert before[RAW, 1][0][0] == 7 and before[RAW, 0][-1] == (20,)

    _kill_after(10, there, backup)
    restored = servers.restore(backup, there, _quiet)
    try:
        assert restored["taken_at"] == done["taken_at"]
        assert asyncio.run(_seen(there.load().kafka)) == before
        assert asyncio.run(topics.committed(there.load().kafka)) == {"touchline-attribute": [(RAW, 0, 12)]}
        assert client.command(f"SELECT sum(n) FROM {clickhouse_database}_z.t") == 36
        applied = migrate(there.load().clickhouse, clickhouse_url.token)
        assert f"views/{VIEW}" in applied and all(name.startswith("views/") for name in applied), "views were not in it"
        assert client.command(f"SELECT count() FROM {clickhouse_database}_z_bi.{VIEW}") == 0
        with pytest.raises(BackupRefused, match="is not empty"):
            servers.restore(backup, there, _quiet)
        _send_something(there.load().kafka)
        with pytest.raises(BackupRefused, match="not of this backup"):
            servers.restore(backup, there, _quiet)
    finally:
        for name in ("_z", "_z_bi", "_bi"):
            client.command(f"DROP DATABASE IF EXISTS {clickhouse_database}{name} SYNC")
        client.close()


def _kill_after(records: int, there: Target, backup: Path) -> None:
    """A restore that gets as far as some records of the first topic."""
    kafka, manifest = there.load().kafka, read_manifest(backup)
    progress = topics.Progress.model_validate_json((backup / CONTENT / servers.PROGRESS).read_bytes())
    name, number, _ = progress.ends[0]
    file = backup / CONTENT / topics.file_of(name, number)

    async def some() -> None:
        await ensure_topics(kafka)
        async with producer(kafka) as writer:
            await topics._send(writer, kafka, file, (name, number, records), 0)

    assert manifest.kind == "servers" and name == RAW
    asyncio.run(some())


def _send_something(kafka: KafkaConfig) -> None:
    async def send() -> None:
        async with producer(kafka) as writer:
            sent: Awaitable[object] = writer.send_and_wait(kafka.topic_prefix + RAW, b"[1]", partition=0)
            await sent

    asyncio.run(send())
