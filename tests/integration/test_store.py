"""The store on a real ClickHouse: schema, views, figures that nothing inflates, reasons, reconciliation."""

from __future__ import annotations

import itertools
import json
import re
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.config import ClickHouseConfig
from schemas.errors import ConfigurationError, StoreUnavailable
from schemas.facts import Fact, Tombstone, TouchpointFact
from services.dashboard import queries
from services.sink import migrate as migrations
from services.sink.columns import TABLES, columns
from services.sink.explain import as_text, explain
from services.sink.migrate import DEFAULT_DIR, load, migrate, pending
from services.sink.rows import rows_of
from services.sink.verify import settled, verify
from services.sink.views import load_views
from streams.runtime.clickhouse import Store, connect
from tests.clickhouse_fixture import ClickHouse
from tests.sink_harness import FIGURES, store_config
from tests.store_facts import START, account_fact, correction, signal_fact, tombstone_of, touchpoint_fact
from tests.store_fixture import fresh_store, put

pytestmark = pytest.mark.clickhouse
QUESTIONS = Path(__file__).parents[2] / "docs" / "how-to" / "questions.md"
SNAPSHOT = Path(__file__).with_name("bi_columns.json")


@pytest.fixture
def store(clickhouse_url: ClickHouse, clickhouse_database: str) -> Iterator[Store]:
    with fresh_store(clickhouse_url, clickhouse_database) as (made, _):
        yield made


@pytest.fixture
def config(clickhouse_url: ClickHouse, clickhouse_database: str) -> Iterator[ClickHouseConfig]:
    with fresh_store(clickhouse_url, clickhouse_database) as (_, made):
        yield made


def figures(store: Store) -> dict[str, str]:
    return {name: str(store.client.command(sql)) for name, sql in FIGURES.items()}


def recent(facts: Sequence[TouchpointFact]) -> list[TouchpointFact]:
    """The same facts, moved to yesterday."""
    by = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1) - START
    moved = []
    for fact in facts:
        clean = fact.input.touchpoint
        then = clean.changed(occurred_at=clean.occurred_at + by, received_at=clean.received_at + by)
        moved.append(fact.changed(input=fact.input.changed(touchpoint=then)))
    return moved


# Schema


def test_the_sinks_columns_are_the_schemas(store: Store) -> None:
    rows = store.rows(
        "SELECT table, name, type FROM system.columns WHERE database = currentDatabase() AND default_kind = ''"
        " AND table NOT IN ('journey_minutes', 'journey_days', 'journey_day_states', 'blueprints', 'incidents',"
        " 'migrations', 'pseudonyms', 'views') ORDER BY table, position"
    )
    actual: dict[str, dict[str, str]] = defaultdict(dict)
    for row in rows:
        actual[str(row["table"])][str(row["name"])] = str(row["type"])
    assert {table: list(types.items()) for table, types in actual.items()} == {
        table: list(types.items()) for table, types in TABLES.items()
    }


def test_migrating_again_changes_nothing(config: ClickHouseConfig, clickhouse_url: ClickHouse) -> None:
    assert pending(config, clickhouse_url.token) == []
    assert migrate(config, clickhouse_url.token) == []


def test_a_view_that_differs_from_its_file_or_is_older_than_a_migration_is_made_anew(
    config: ClickHouseConfig, clickhouse_url: ClickHouse
) -> None:
    token = clickhouse_url.token
    with Store(config, token) as store:
        store.command("INSERT INTO views (name, checksum) VALUES ('signals', 'of an earlier version')")
        store.command(f"CREATE OR REPLACE VIEW {config.bi_database}.signals AS SELECT 1 AS was")
        assert migrate(config, token) == ["views/signals"]
        assert store.rows(f"SELECT count() AS n FROM {config.bi_database}.signals WHERE signal_id = ''") == [{"n": 0}]
        newest = load()[-1]
        store.command(
            "INSERT INTO migrations (version, name, checksum) VALUES ({version:UInt32}, {name:String}, {sum:String})",
            {"version": newest.version, "name": newest.name, "sum": newest.checksum},
        )
    assert migrate(config, token) == [f"views/{view.name}" for view in load_views()]


@pytest.mark.parametrize("is_every", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["some", "every"])
def test_a_migration_killed_after_any_statement_is_run_again(
    clickhouse_url: ClickHouse, clickhouse_database: str, *, is_every: bool
) -> None:
    """Each in its turn: after none of its statements, after one, …, and before it is recorded; then whole."""
    config = store_config(clickhouse_url.base_url, clickhouse_database, clickhouse_url.data_dir / "internal.token")
    token, names = clickhouse_url.token, [migration.name for migration in load()]
    client = clickhouse_url.client()
    try:
        for number, migration in enumerate(load()):
            statements = len(migration.statements(config))
            for survived in (
                range(statements + 1) if is_every else sorted({0, min(1, statements), statements // 2, statements})
            ):
                with pytest.raises(_Killed):
                    _migrate_until(config, token, survived)
                assert pending(config, token)[: len(names) - number] == names[number:]
            with suppress(_Killed):  # in the next one, or in the first view
                _migrate_until(config, token, statements + 1)
        views = [f"views/{view.name}" for view in load_views()]
        assert pending(config, token) == views
        with pytest.raises(_Killed):
            _migrate_until(config, token, len(views) // 2)
        assert pending(config, token) == views
        assert migrate(config, token) == views
        assert pending(config, token) == []
    finally:
        client.command(f"DROP DATABASE IF EXISTS {config.bi_database}")
        client.close()


class _Killed(BaseException):
    """Stands for kill -9: nothing after it runs."""


def _migrate_until(config: ClickHouseConfig, token: str, survived: int) -> None:
    real = connect

    class Mortal:
        def __init__(self, mortal: Any) -> None:
            self._client = mortal
            self._left = survived

        def command(self, sql: str, **more: Any) -> object:
            if self._left == 0:
                raise _Killed
            self._left -= 1
            return self._client.command(sql, **more)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._client, name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(migrations, "connect", lambda *a, **k: Mortal(real(*a, **k)))
        migrate(config, token)


def test_a_changed_migration_is_refused(config: ClickHouseConfig, clickhouse_url: ClickHouse, tmp_path: Path) -> None:
    for path in DEFAULT_DIR.glob("*.sql"):
        (tmp_path / path.name).write_text(path.read_text())
    assert pending(config, clickhouse_url.token, directory=tmp_path) == []
    (tmp_path / "0002_bi.sql").write_text((tmp_path / "0002_bi.sql").read_text() + "-- changed\n")
    with pytest.raises(ConfigurationError, match="0002_bi.sql has changed"):
        migrate(config, clickhouse_url.token, directory=tmp_path)
    (tmp_path / "0002_bi.sql").unlink()
    with pytest.raises(ConfigurationError, match="does not know"):
        migrate(config, clickhouse_url.token, directory=tmp_path)


def test_migrating_waits_for_clickhouse_but_not_for_ever() -> None:
    with pytest.raises(StoreUnavailable):
        migrate(ClickHouseConfig(url="http://127.0.0.1:9"), deadline_s=0.3)


# Views


def test_every_view_and_column_is_described_and_flat(store: Store) -> None:
    bad = """
    SELECT table, name, type FROM system.columns
    WHERE database = concat('bi_', currentDatabase())
      AND (comment = '' OR match(
        replaceRegexpOne(type, '^Nullable.((Decimal|DateTime64).*).$', '\\\\1'),
        'Nullable|UInt|Array|Map|Tuple|Enum|Aggregate|Float32|DateTime\\\\('
      ))
    """
    assert store.rows(bad) == []
    plain = "SELECT name FROM system.tables WHERE database = concat('bi_', currentDatabase()) AND "
    assert store.rows(plain + "(comment = '' OR engine != 'View')") == []
    # known bad: the same question does find such columns where they are
    assert store.rows(bad.replace("concat('bi_', currentDatabase())", "currentDatabase()"))


def test_views_keep_their_columns(store: Store) -> None:
    rows = store.rows(
        "SELECT table, name, type FROM system.columns WHERE database = concat('bi_', currentDatabase())"
        " ORDER BY table, position"
    )
    actual: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        actual[str(row["table"])].append(f"{row['name']} {row['type']}")
    assert dict(actual) == json.loads(SNAPSHOT.read_text()), "a changed view breaks reports: make a v2_ view instead"


@pytest.mark.parametrize("setting", ["", "SETTINGS prefer_column_name_to_alias = 1, join_use_nulls = 1"])
def test_views_are_exact(store: Store, setting: str) -> None:
    facts = recent([touchpoint_fact(n, account=f"crm:{n % 3}") for n in range(60)])
    moved = facts[8]
    newer = facts[4].changed(revision=9 << 32, pain=0.9)
    put(store, [*facts, account_fact("crm:0"), signal_fact(1), signal_fact(2, withdrawn=True), correction()])
    put(store, [signal_fact(3).changed(parts=("signal-1",), rule="champion_in_pain")])
    put(store, [tombstone_of(moved, revision=5), newer, signal_fact(1)])
    bi = f"bi_{store.client.database}"
    alive = [newer if fact.event_id == newer.event_id else fact for fact in facts if fact is not moved]
    mapped = [fact for fact in alive if fact.on_map]

    rows = {str(row["event_id"]): row for row in store.rows(f"SELECT * FROM {bi}.touchpoints {setting}")}
    assert set(rows) == {fact.event_id for fact in alive}
    assert rows[newer.event_id]["pain"] == 0.9
    assert all(row["is_identified"] for row in rows.values())
    assert (rows["event-000003"]["account_name"], rows["event-000001"]["account_name"]) == ("Acme, the 'best'", "1")
    assert [row["signal_id"] for row in store.rows(f"SELECT * FROM {bi}.signals {setting}")] == ["signal-1"]
    (compound,) = store.rows(f"SELECT * FROM {bi}.compounds {setting}")  # of no case, and still to be seen
    assert (compound["signal_id"], compound["parts"], compound["parts_count"]) == ("signal-3", "signal-1", 1)
    (change,) = store.rows(f"SELECT * FROM {bi}.account_phases {setting}")
    assert (change["to_phase"], change["is_accepted"], change["dwell_s"]) == ("purchase", True, 3600.0)
    assert change["changed_at"] == START.replace(tzinfo=None)
    won, opened = store.rows(f"SELECT * FROM {bi}.opportunities ORDER BY opportunity_id {setting}")
    assert (won["kind"], won["status"], won["amount"], won["currency"]) == ("new", "won", 1200.5, "EUR")
    assert (won["age_s"], won["closed_at"]) == (2 * 86_400, (START + timedelta(days=2)).replace(tzinfo=None))
    assert (opened["is_closed"], opened["has_amount"], opened["has_close_due_at"]) == (False, False, False)
    assert (opened["amount"], opened["closed_at"], opened["close_due_at"]) == (None, None, None)
    assert float(str(opened["age_s"])) > 0
    assert [(deal["directory"], deal["crm_id"]) for deal in (won, opened)] == [("", "1"), ("crm_us", "a:2")]
    seats = store.rows(f"SELECT role, known, required, completeness FROM {bi}.committee ORDER BY role {setting}")
    assert [tuple(seat.values()) for seat in seats] == [("champion", 3, 2, 1.0), ("decision maker", 0, 1, 0.0)]
    (own,) = store.rows(f"SELECT * FROM {bi}.accounts {setting}")
    assert (own["committee_completeness"], own["open_opportunities"], own["blueprint_version"]) == (0.5, 1, 3)
    assert len(store.rows(f"SELECT * FROM {bi}.corrections {setting}")) == 1
    assert {row["source"] for row in store.rows(f"SELECT * FROM {bi}.freshness {setting}")} == {"web", "crm"}

    cells = {
        (row["phase"], row["touchpoint_type"]): row for row in store.rows(f"SELECT * FROM {bi}.journey_map {setting}")
    }
    assert set(cells) == {(fact.phase, fact.touchpoint_type) for fact in mapped}
    for key, cell in cells.items():
        mine = [fact for fact in mapped if (fact.phase, fact.touchpoint_type) == key]
        _same_cell(cell, mine, len({fact.account_id for fact in mapped}))
    daily = store.rows(f"SELECT * FROM {bi}.journey_map_daily {setting}")
    assert sum(int(str(row["volume"])) for row in daily) == len(mapped)
    put(store, recent([touchpoint_fact(99, account="anon:a1")]))
    visitors = store.rows(f"SELECT event_id FROM {bi}.touchpoints WHERE NOT is_identified {setting}")
    assert visitors == [{"event_id": "event-000099"}]


@pytest.mark.parametrize("setting", ["", "SETTINGS prefer_column_name_to_alias = 1, join_use_nulls = 1"])
def test_what_is_not_of_customers_is_kept_and_counted_apart(store: Store, setting: str) -> None:
    """Left out, it is in no figure of the map; where it counts, it says so."""
    customers = recent([touchpoint_fact(n, account="crm:1") for n in range(8, 12)])
    bots = [
        fact.changed(
            traffic="bot", on_map=False,
            input=fact.input.changed(touchpoint=fact.input.touchpoint.changed(agent="Googlebot", agent_kind="bot")),
        )
        for fact in recent([touchpoint_fact(n, account="anon:b") for n in range(20, 23)])
    ]  # fmt: skip
    ours = [fact.changed(traffic="internal", on_map=True) for fact in recent([touchpoint_fact(31, account="crm:9")])]
    put(store, [*customers, *bots, *ours])
    bi = f"bi_{store.client.database}"
    rows = store.rows(f"SELECT traffic, agent, sum(touchpoints) AS n, sum(on_map) AS shown FROM {bi}.traffic"
                      f" GROUP BY traffic, agent ORDER BY traffic, agent {setting}")  # fmt: skip
    assert [tuple(row.values()) for row in rows] == [
        ("bot", "Googlebot", 3, 0), ("customer", "", 4, 4), ("internal", "", 1, 1)
    ]  # fmt: skip
    (volume,) = store.rows(f"SELECT sum(volume) AS n FROM {bi}.journey_map {setting}")
    assert volume["n"] == 5
    told = store.rows(queries.sources.TRAFFIC, {"since": datetime.now(UTC) - timedelta(days=3)})
    assert {(row["traffic"], row["example"], row["counted"]) for row in told} == {
        ("bot", "Googlebot", 0), ("internal", "", 1)
    }  # fmt: skip
    assert {row["touchpoints"] for row in told if row["traffic"] == "bot"} <= {1, 2, 3}


NAMED = ("accounts", "touchpoints", "signals", "compounds", "cases", "account_phases", "opportunities")


def test_an_account_without_a_name_is_called_by_its_own_id_in_every_view(store: Store) -> None:
    for account in ("crm:crm_us:a:7", "domain:acme.com", "crm:7"):
        whole = signal_fact(3, account=account).changed(parts=("signal-1",), rule="struggle")
        part = signal_fact(1, account=account).changed(case_id="signal-3")
        unnamed = account_fact(account).changed(traits={})
        put(store, [*recent([touchpoint_fact(1, account=account)]), unnamed, part, whole])
    bi = f"bi_{store.client.database}"
    for view in NAMED:
        rows = store.rows(f"SELECT DISTINCT account_id, account_name FROM {bi}.{view}")
        assert {str(row["account_id"]): row["account_name"] for row in rows} == {
            "crm:crm_us:a:7": "a:7", "domain:acme.com": "acme.com", "crm:7": "7",
        }, view  # fmt: skip


@pytest.mark.parametrize("setting", ["0", "1"])
def test_the_questions_of_the_documentation_are_answered(store: Store, setting: str) -> None:
    """Every statement, with either meaning of a name that is both column and alias."""
    put(store, [*recent([touchpoint_fact(n, account=f"crm:{n % 3}") for n in range(60)]), account_fact("crm:0")])
    questions = re.findall(r"```sql\n(.*?)```", QUESTIONS.read_text(), re.S)
    assert len(questions) == 18
    bi = f"bi_{store.client.database}"
    for question in questions:
        sql = re.sub(r"\bbi\.", f"{bi}.", question)
        assert store.rows(f"{sql} SETTINGS prefer_column_name_to_alias = {setting}") is not None


def _same_cell(cell: dict[str, Any], mine: list[TouchpointFact], everyone: int) -> None:
    """The cell against the facts, computed by hand."""
    felt = [fact.emotion for fact in mine if fact.emotion is not None]
    painful = sum(1 for fact in mine if fact.friction_signals)
    accounts = {fact.account_id for fact in mine}
    assert (cell["volume"], cell["accounts"], cell["friction_touchpoints"]) == (len(mine), len(accounts), painful)
    assert cell["people"] == len({fact.input.attribution.person_id for fact in mine} - {""})
    assert cell["reach_percent"] == pytest.approx(100 * len(accounts) / everyone)
    assert cell["friction_rate"] == pytest.approx(painful / len(mine))
    assert cell["has_emotion"] == bool(felt)
    if felt:
        assert float(cell["emotion"]) == pytest.approx(sum(felt) / len(felt), abs=1e-6)
    else:
        assert cell["emotion"] is None
    mean_pain = sum(fact.pain for fact in mine) / len(mine)
    assert cell["pain_index"] == pytest.approx(100 * mean_pain * 3 / 5 * len(mine) / (len(mine) + 20))
    assert (cell["importance"], cell["moment_of_truth"]) == (3, mine[0].moment_of_truth)


def test_a_reader_sees_the_views_and_nothing_else(clickhouse_url: ClickHouse) -> None:
    # the embedded server's reader has rights on the database `bi`
    config = ClickHouseConfig(url=clickhouse_url.base_url, database="reader_test", bi_database="bi")
    migrate(config, clickhouse_url.token)
    reader = clickhouse_url.reader()
    try:
        for row in reader.query("SELECT name FROM system.tables WHERE database = 'bi'").result_rows:
            reader.query(f"SELECT * FROM {row[0]} LIMIT 1")
        with pytest.raises(DatabaseError) as refused:
            reader.query("SELECT * FROM reader_test.touchpoints")
        assert refused.value.code == 497
    finally:
        reader.close()


# Figures: any order, any number of times

Puts = Callable[[Store, Sequence[Fact]], object]


def _history() -> list[Fact]:
    """Facts in the order of knowledge, each touchpoint in a minute of its own: one moves, one signal is withdrawn."""
    first = [touchpoint_fact(9 * n) for n in range(10)]
    return [
        *first,
        signal_fact(1),
        touchpoint_fact(9 * 4, revision=2, phase="purchase", pain=0.7),
        touchpoint_fact(9 * 5, revision=2, on_map=False),
        tombstone_of(first[3], revision=3),
        touchpoint_fact(9 * 3, account="crm:2", revision=4),
        tombstone_of(first[8], revision=3),
        signal_fact(1, revision=3, withdrawn=True),
        account_fact(revision=1),
        account_fact(revision=6, phase="advocacy"),
        correction(),
    ]


def _all_in_one(store: Store) -> dict[str, str]:
    _truncate(store)
    put(store, _history())
    return figures(store)


def _truncate(store: Store) -> None:
    for table in (*TABLES, "journey_minutes", "journey_days"):
        store.command(f"TRUNCATE TABLE {table}")


@st.composite
def arrivals(draw: st.DrawFn) -> list[list[Fact]]:
    """Every fact at least once, in any order, some again, cut into batches anywhere."""
    facts = _history()
    again = draw(st.lists(st.sampled_from(facts), max_size=6))
    order = draw(st.permutations([*facts, *again]))
    cuts = sorted(draw(st.sets(st.integers(1, len(order) - 1), max_size=4)))
    return [list(order[a:b]) for a, b in itertools.pairwise([0, *cuts, len(order)])]


def test_any_order_and_any_repetition_give_the_same_figures(store: Store) -> None:
    expected = _all_in_one(store)

    @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
    @given(arrivals())
    def same(batches: list[list[Fact]]) -> None:
        _truncate(store)
        for batch in batches:
            put(store, batch)
        assert figures(store) == expected

    same()
    assert verify(store.client) == []


def test_known_bad_counting_up_is_caught(store: Store) -> None:
    """A table that sums what passes by counts a replay twice; ours does not."""
    store.command(
        "CREATE TABLE counted (touchpoint_type String, n UInt64) ENGINE = SummingMergeTree ORDER BY touchpoint_type"
    )
    store.command(
        "CREATE MATERIALIZED VIEW counting TO counted AS"
        " SELECT touchpoint_type, toUInt64(1) AS n FROM touchpoints WHERE on_map AND NOT is_deleted"
    )
    read = "SELECT sum(n) AS volume FROM counted"
    ours = "SELECT sum(volume) AS volume FROM journey_minutes FINAL"
    facts = [touchpoint_fact(n) for n in range(10)]
    put(store, facts)
    assert store.rows(read) == store.rows(ours) == [{"volume": 8}]
    put(store, facts)
    assert store.rows(read) == [{"volume": 16}]
    assert store.rows(ours) == [{"volume": 8}]


def test_known_bad_a_revision_by_the_clock_is_caught(store: Store) -> None:
    """With the time of writing as revision, what arrives last wins, whatever it knew."""

    def by_clock(facts: Sequence[Fact]) -> list[Fact]:
        stamps = itertools.count(1)
        kinds = TouchpointFact | Tombstone
        return [fact.changed(revision=next(stamps)) if isinstance(fact, kinds) else fact for fact in facts]

    def outcome(facts: Sequence[Fact]) -> str:
        _truncate(store)
        put(store, facts)
        return figures(store)["cells"]

    history = _history()
    assert outcome(history) == outcome(history[::-1])
    assert outcome(by_clock(history)) != outcome(by_clock(history[::-1]))


def test_a_recomputation_outlives_a_clock_that_was_set_back(store: Store) -> None:
    put(store, [touchpoint_fact(1)])
    store.command(
        "INSERT INTO journey_minutes SELECT * REPLACE (version + INTERVAL 1 DAY AS version) FROM journey_minutes FINAL"
    )
    put(store, [touchpoint_fact(1), touchpoint_fact(4, phase="purchase", friction_signals=())])
    assert store.rows("SELECT sum(volume) AS n FROM journey_minutes FINAL") == [{"n": 2}]


def test_more_minutes_than_fit_into_one_statement(store: Store) -> None:
    facts = [touchpoint_fact(9 * n) for n in range(1100)]  # 63 s apart
    put(store, facts)
    volume = store.rows("SELECT sum(volume) AS n, uniqExact(minute) AS minutes FROM journey_minutes FINAL")
    assert volume == [
        {"n": sum(fact.on_map for fact in facts), "minutes": len({9 * n * 7 // 60 for n in range(1100) if 9 * n % 7})}
    ]


def test_a_large_block_is_stored_whole(store: Store) -> None:
    """Larger than one block of the driver; an answer that counts fewer rows must not pass as success."""
    rows = rows_of([touchpoint_fact(n) for n in range(6000)], datetime.now(UTC))
    store.insert("histories", TABLES["histories"], columns("histories", rows["histories"]))
    assert store.rows("SELECT count() AS n FROM histories FINAL") == [{"n": 6000}]


# Reasons and reconciliation


def test_explain_says_why(store: Store) -> None:
    put(store, [touchpoint_fact(n) for n in range(6)] + [signal_fact(1, event=4), account_fact(), correction()])
    found = explain(store.client, "event-000004")
    assert (found["account_id"], found["attribution"]["method"]) == ("crm:1", "email_domain")
    assert found["judged"]["touchpoint_type"] == "quote_request"
    assert [signal["rule"] for signal in found["signals"]] == ["form_abandoned"]
    assert explain(store.client, "vendor-4")["event_id"] == "event-000004"
    text = as_text(found)
    for part in ("crm:1 by email_domain, confidence 0.80", "quote_request", "form_abandoned v1", "late event"):
        assert part in text
    assert as_text(explain(store.client, "event-000001")).count("moved the account from consideration to purchase") == 1
    assert "emotion    no evidence" in as_text(explain(store.client, "event-000001"))
    assert explain(store.client, "nothing") == {"event_id": "nothing", "found": False}
    assert "nothing is stored" in as_text(explain(store.client, "nothing"))


def test_verify_finds_nothing_in_a_sound_store_and_every_break(store: Store) -> None:
    put(store, [touchpoint_fact(n) for n in range(30)] + [signal_fact(1, event=4)])
    assert verify(store.client) == []
    store.command(
        "INSERT INTO journey_minutes SELECT * REPLACE (volume + 1 AS volume, version + 1 AS version)"
        " FROM journey_minutes FINAL LIMIT 1"
    )
    put_only(store, "touchpoints", [touchpoint_fact(4, account="crm:9", on_map=False)])
    put(store, [signal_fact(2, event=77)])
    checks = {finding.check: finding.count for finding in verify(store.client)}
    assert checks == {
        "touchpoints and histories that do not match": 1,
        "touchpoints that are visible more than once": 1,
        "signals on touchpoints that their account does not have": 1,
        "cells of the map that differ from the touchpoints": 1,
    }


def test_verify_looks_again_while_the_store_is_written_to(store: Store) -> None:
    put(store, [touchpoint_fact(n) for n in range(5)])
    put_only(store, "touchpoints", [touchpoint_fact(7)])
    said: list[str] = []
    rest = threading.Timer(1.0, put, (store, [touchpoint_fact(7)]))
    rest.start()
    assert settled(store.client, said.append, pause_s=3.0) == []
    assert said == ["1 kind(s) of difference while the store is written to: looking again"]


def test_verify_waits_no_longer_where_nothing_is_written(store: Store) -> None:
    put(store, [touchpoint_fact(1)])
    put_only(store, "touchpoints", [touchpoint_fact(4, account="crm:9", on_map=False)])
    said: list[str] = []
    assert [finding.count for finding in settled(store.client, said.append, pause_s=0.05)] == [1]
    assert said == []


def put_only(store: Store, table: str, facts: Sequence[Fact]) -> None:
    """A half-done insert."""
    store.insert(table, TABLES[table], columns(table, rows_of(facts, datetime.now(UTC))[table]))
