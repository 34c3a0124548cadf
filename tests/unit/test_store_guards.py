"""Decoding, fuse, continuity, health, letters and error classes of the sink."""

from __future__ import annotations

import re
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import orjson
import pytest
from aiokafka.errors import KafkaTimeoutError
from clickhouse_connect.driver.exceptions import DatabaseError, DataError, OperationalError
from hypothesis import given
from hypothesis import strategies as st

from schemas.config import ClickHouseConfig
from schemas.errors import ConfigurationError, PermanentError, StoreUnavailable
from schemas.facts import FACTS
from schemas.touchpoints import DeadLetter
from services.sink.batch import Batch
from services.sink.health import SinkHealth
from services.sink.letters import DeadLettersUnavailable, deliver
from services.sink.migrate import load
from services.sink.missing_records import Continuity, Gap
from services.sink.views import load_views, rendered
from streams.runtime.clickhouse import classified, store_errors
from streams.runtime.dead import letter
from streams.runtime.decode import WHOLE_RECORD, Refused, decode, item_bytes
from streams.runtime.fuse import Fuse, FuseBlown
from tests.sink_harness import record_of
from tests.store_facts import signal_fact, touchpoint_fact
from tests.store_fixture import FakeRecord

NOW = datetime(2026, 3, 2, tzinfo=UTC)
GOOD = touchpoint_fact(1).encoded()


@pytest.mark.parametrize(
    "poison",
    [
        b'{"kind": "touchpoint"}',
        b'{"kind": "from_the_future", "account_id": "crm:1"}',
        b"17",
        b"null",
        b'"text"',
        b'{"kind": "tombstone", "account_id": "\\ud800"}',
        b'{"kind":  "signal",  "severity": 1e400, "x": [1, {"y": "]},"}]}',
        GOOD.replace(b'"importance":3', b'"importance":"three"'),
        GOOD.replace(b"2026-03-01", b"2026-13-01"),
    ],
)
def test_poison_is_cut_out_with_its_exact_bytes(poison: bytes) -> None:
    decoded = decode(b"[" + GOOD + b" ,\n" + poison + b"," + GOOD + b"]", FACTS)
    assert [index for index, _ in decoded.items] == [0, 2]
    assert [(refused.index, refused.original) for refused in decoded.refused] == [(1, poison)]


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"{}",
        b"[",
        b"[1",
        b"[" + GOOD,
        b"[" + GOOD + b"]]",
        b"[1,]",
        b"\xff\xfe",
        b"[" * 20_000,
        b"null",
        b"\x00[]",
    ],
)
def test_what_is_no_array_is_refused_whole(value: bytes) -> None:
    decoded = decode(value, FACTS)
    assert decoded.items == []
    assert [(refused.index, refused.original) for refused in decoded.refused] == [(WHOLE_RECORD, value)]


@given(
    st.recursive(st.none() | st.floats() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))
)
def test_decoding_never_raises_and_loses_nothing(value: object) -> None:
    record = orjson.dumps([value, 1])
    assert [refused.index for refused in decode(record, FACTS).refused] == [0, 1]
    assert item_bytes(record, 0) == orjson.dumps(value)


def test_an_unknown_new_field_is_accepted() -> None:
    assert decode(b"[" + GOOD[:-1] + b',"new_field":1}]', FACTS).refused == []


def test_a_batch_remembers_where_to_go_on() -> None:
    batch = Batch()
    batch.add(FakeRecord(offset=7, value=record_of([touchpoint_fact(1), signal_fact(1)])), "facts")
    batch.add(FakeRecord(topic="links", offset=3, value=None), "links")
    batch.add(FakeRecord(partition=1, offset=9, value=None), "facts")
    assert batch.next_offsets == {("journey.facts.v1", 0): 8, ("links", 0): 4, ("journey.facts.v1", 1): 10}
    assert (len(batch.items), len(batch.refusals)) == (2, 1)


def test_the_fuse_lets_single_poison_pass_and_stops_a_flood() -> None:
    fuse = Fuse(minimum=100)
    for _ in range(1000):
        fuse.note(100, 1)
    with pytest.raises(FuseBlown, match="of the last"):
        for _ in range(200):
            fuse.note(100, 100)


def test_the_fuse_is_quiet_below_its_minimum() -> None:
    Fuse(minimum=100).note(99, 99)
    with pytest.raises(FuseBlown):
        Fuse(minimum=100).note(100, 51)


def test_a_gap_is_counted_and_a_restart_is_told_apart() -> None:
    watch: Continuity[str] = Continuity()
    assert watch.check("a", 5, 9) is None  # a new group starts anywhere
    assert watch.check("a", 10, 10) is None
    assert watch.check("a", 40, 41) == Gap("a", 11, 40)
    gap = watch.check("a", 0, 3)
    assert gap is not None
    assert (gap.restarted, gap.lost) == (True, 0)
    watch.forget("a")
    assert watch.check("a", 77, 77) is None


def test_health_says_what_it_waits_for_and_since_when() -> None:
    now = [NOW]
    health = SinkHealth(lambda: now[0])
    assert health.report()[0]
    assert health.wait("ClickHouse", "refused")
    now[0] += timedelta(seconds=5)
    assert not health.wait("ClickHouse", "still")
    ok, checks = health.report()
    assert not ok
    assert checks["waiting"] == f"waiting for ClickHouse since {NOW.isoformat(timespec='seconds')}"
    assert health.go_on() == 5.0
    assert health.go_on() is None
    assert health.report()[0]
    health.fuse = "51 of 100"
    assert not health.report()[0]


def test_a_letter_keeps_bytes_and_place_and_has_one_id() -> None:
    refused = Refused(2, "undecodable", "why", b"\xff\x00")
    made = _letter(refused, ("t", 1, 9))
    assert (made.encoding, made.origin_index, made.origin_offset) == ("base64", 2, 9)
    assert UUID(made.letter_id) and made.letter_id == _letter(refused, ("t", 1, 9)).letter_id
    assert made.letter_id != _letter(refused, ("t", 1, 10)).letter_id


class _DeadProducer:
    async def send(self, topic: str, value: bytes, key: bytes) -> Awaitable[object]:
        raise KafkaTimeoutError


async def test_a_letter_that_cannot_be_written_stops_the_sink() -> None:
    with pytest.raises(DeadLettersUnavailable, match=r"p-touchpoints\.dead\.v1"):
        await deliver(_DeadProducer(), "p-", [_letter(Refused(0, "r", "m", b""), ("t", 0, 0))])


@pytest.mark.parametrize("code", [None, 60, 81, 164, 202, 241, 252, 516, 999, 1002, 99999])
def test_what_may_pass_is_waited_for(code: int | None) -> None:
    # the text blames the data; only the code counts
    assert isinstance(classified(DatabaseError("Code: 53. TYPE_MISMATCH", code=code)), StoreUnavailable)


@pytest.mark.parametrize("code", [6, 27, 53, 70, 321, 349])
def test_what_blames_the_data_is_permanent(code: int) -> None:
    assert isinstance(classified(DatabaseError("timed out", code=code)), PermanentError)


@pytest.mark.parametrize("error", [OperationalError("away"), ConnectionResetError(), TimeoutError()])
def test_a_network_that_fails_is_waited_for(error: Exception) -> None:
    with pytest.raises(StoreUnavailable), store_errors():
        raise error


def test_values_that_the_driver_cannot_encode_are_permanent() -> None:
    with pytest.raises(PermanentError) as caught, store_errors():
        raise DataError("Unable to create native array")
    assert caught.value.reason == "unencodable"


def test_migrations_have_numbers_of_their_own(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="must hold"):
        load(tmp_path)
    for name in ("0003_c", "0001_a"):
        (tmp_path / f"{name}.sql").write_text("SELECT 1;\n")
    assert [migration.name for migration in load(tmp_path)] == ["0001_a", "0003_c"]
    (tmp_path / "0003_d.sql").write_text("SELECT 1;\n")
    with pytest.raises(ConfigurationError, match="twins"):
        load(tmp_path)
    (tmp_path / "0002-b.sql").write_text("")
    with pytest.raises(ConfigurationError, match="0002-b.sql"):
        load(tmp_path)


def test_every_placeholder_of_the_shipped_migrations_is_filled() -> None:
    cluster = ClickHouseConfig(cluster="main")
    for migration in load():
        text = "\n".join(migration.statements(cluster))
        assert "{" not in text.replace("{bi}", ""), migration.name
        tables = [statement for statement in migration.statements(cluster) if "INSERT INTO" not in statement]
        assert text.count("ON CLUSTER `main`") >= len(tables)
    assert "ReplicatedReplacingMergeTree" in rendered(load()[0].text, cluster)
    assert "Replicated" not in rendered(load()[0].text, ClickHouseConfig()).replace("'Replicated'", "")


def test_a_view_is_made_by_its_own_file_and_by_no_later_migration(tmp_path: Path) -> None:
    cluster = ClickHouseConfig(cluster="main")
    for view in load_views():
        text = view.statement(cluster)
        assert not re.search(r"\{\w", text) and text.count("ON CLUSTER `main`") == 1, view.name
    later = [migration.name for migration in load() if migration.version > 15 and "VIEW {bi}" in migration.text]
    assert later == [], "its definition belongs into infra/clickhouse/views"
    (tmp_path / "mine.sql").write_text("CREATE OR REPLACE VIEW {bi}.other {on_cluster}\nAS SELECT 1;\n")
    with pytest.raises(ConfigurationError, match=r"mine.sql must make the view `mine`"):
        load_views(tmp_path)


def _letter(refused: Refused, origin: tuple[str, int, int]) -> DeadLetter:
    return letter("sink", refused.original, refused.reason, refused.message, origin, refused.index)
