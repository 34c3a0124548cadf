"""The cluster profile's two ClickHouse users may do what their clients need, and nothing else."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest

from schemas.config import ClickHouseConfig
from services.alerting.prometheus.board import dashboard
from services.cli.generate import grafana_boards
from services.dashboard import queries
from services.sink.hiding import VIEWER
from services.sink.migrate import load
from services.sink.views import load_views
from tests.clickhouse_fixture import ClickHouse
from tests.integration.granted import SERVER

pytestmark = pytest.mark.clickhouse
CONFIG = ClickHouseConfig()
NOW = "now64(3, 'UTC')"
BOARDS = Path(__file__).parents[2] / "infra" / "grafana" / "dashboards"
#: One row behind each view that a panel reads.
SEEN = (
    "INSERT INTO touchline.touchpoints (minute, account_id, event_id, occurred_at, received_at, source, phase,"
    f" touchpoint_type) SELECT toStartOfMinute({NOW}), 'crm:1', 'e1', {NOW}, {NOW}, 'web', 'awareness', 'pricing_page'",
    "INSERT INTO touchline.signals (account_id, signal_id, rule, polarity, opened_at)"
    f" SELECT 'crm:1', 's1', 'rage_clicks', 'friction', {NOW}",
    f"INSERT INTO touchline.corrections (account_id, correction_id, corrected_at) SELECT 'crm:1', 'c1', {NOW}",
    "INSERT INTO touchline.source_freshness (source, last_occurred_at, last_received_at, last_written_at)"
    f" SELECT 'web', {NOW}, {NOW}, {NOW}",
    "INSERT INTO touchline.journey_minutes (minute, phase, touchpoint_type, version, volume, account_set, person_set)"
    f" SELECT toStartOfMinute({NOW}), 'awareness', 'pricing_page', now64(6), 1, [1], [1]",
)


class Asked:
    """One user's session."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def __call__(self, statement: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(statement) + "\n")
        self._process.stdin.flush()
        return dict(json.loads(self._process.stdout.readline()))


@contextmanager
def user(folder: Path, name: str, without: str = "") -> Iterator[Asked]:
    """`without`: a grant that is taken away."""
    command = [sys.executable, "-m", "tests.integration.granted", str(folder), name, without]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Asked(process)
        assert process.stdin is not None
        process.stdin.close()
        process.wait(20)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose database `internal` has migrated, with rights of its own only."""
    path = tmp_path_factory.mktemp("granted")
    with user(path, "internal") as ask:
        tables = [statement for migration in load() for statement in migration.statements(CONFIG)]
        for statement in (*tables, *(view.statement(CONFIG) for view in load_views())):
            # chdb's one user is `default` here; on a server the current user is `internal`
            answer = ask(statement.replace("DEFINER = CURRENT_USER", "DEFINER = internal"))
            assert "ok" in answer, answer
        minute = "toStartOfMinute(now('UTC'))"
        insert = f"INSERT INTO touchline.account_journeys (account_id, last_seen_at) VALUES ('crm:1', {minute})"
        assert "ok" in ask(insert)
        for row in SEEN:
            assert "ok" in ask(row), row
        assert "error" in ask("CREATE DATABASE other")
        assert "error" in ask("CREATE USER mallory")
        assert ask("SELECT count() FROM touchline.account_journeys FINAL") == {"ok": "1\n"}
        for statement in (queries.cells.FIRST_MINUTE, queries.sources.FRESHNESS, queries.cells.CHANNELS):
            assert "ok" in ask("USE touchline"), statement
            assert "ok" in ask(statement), statement
        assert "ok" in ask(queries.cells.FINGERPRINT)
        assert "ok" in ask("SELECT name, value, readonly FROM system.settings LIMIT 1")
        assert "ok" in ask("SET readonly = 2")
    return path


def test_a_reader_reads_the_views_and_nothing_else(folder: Path) -> None:
    with user(folder, "reader") as ask:
        for refused in (
            "SELECT * FROM touchline.account_journeys",
            "SELECT * FROM file('/etc/passwd', 'LineAsString')",
            "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
            "INSERT INTO touchline.account_journeys (account_id) VALUES ('crm:2')",
            "DROP VIEW bi.accounts",
            "CREATE TABLE bi.mine (x Int8) ENGINE = Memory",
            "SET readonly = 0",
            "SET max_memory_usage = 0",
            "SET max_execution_time = 0",
            "SET max_execution_time = 3600",
            "SELECT number FROM numbers(70000) SETTINGS max_result_rows = 10000, result_overflow_mode = 'break'",
            "SET result_overflow_mode = 'break'",
            "SET timeout_overflow_mode = 'break'",
        ):
            assert "error" in ask(refused), refused
        assert ask("SELECT account_id FROM bi.accounts") == {"ok": "crm:1\n"}
        assert "ok" in ask("SELECT count() FROM bi.journey_map")
        whole = ask("SELECT number FROM numbers(200000)")  # and no setting of the profile cuts an answer
        assert whole["ok"].count("\n") == 200_000
        for mode in ("result", "timeout", "read", "group_by", "sort", "set", "join", "distinct"):
            assert ask(f"SELECT getSetting('{mode}_overflow_mode')") == {"ok": "throw\n"}, mode
        assert ask("SELECT getSetting('limit'), getSetting('offset')") == {"ok": "0\t0\n"}
        assert ask("SELECT getSetting('prefer_column_name_to_alias')") == {"ok": "true\n"}
        assert "ok" in ask("SELECT name, comment FROM system.columns WHERE database = 'bi'")
        tables = ask("SELECT name FROM system.tables WHERE database IN ('bi', 'touchline') ORDER BY name")
        assert "journey_map" in tables["ok"]
        assert "account_journeys" not in tables["ok"]


def expanded(sql: str, seconds: int = 3600, step_s: int = 60) -> str:
    """What Grafana's ClickHouse plugin makes of the macros, for the last so many seconds."""
    until = int(time.time()) + 60
    bounds = rf"\1 >= toDateTime({until - seconds}) AND \1 <= toDateTime({until})"
    sql = re.sub(r"\$__timeFilter\((\w+)\)", bounds, sql)
    return re.sub(r"\$__timeInterval\((\w+)\)", rf"toStartOfInterval(toDateTime(\1), INTERVAL {step_s} second)", sql)


def test_every_panel_of_the_dashboard_shows_something_to_a_reader(folder: Path) -> None:
    targets = [panel["targets"][0] for panel in dashboard()["panels"] if "rawSql" in panel["targets"][0]]
    assert len(targets) >= 6
    with user(folder, "reader") as ask:
        for target in targets:
            sql = expanded(target["rawSql"])
            assert "$" not in sql
            assert set(re.findall(r"FROM (\w+)\.", sql)) == {"bi"}
            answer = ask(f"{sql} FORMAT TabSeparatedWithNamesAndTypes")
            assert "ok" in answer, answer
            names, types, *rows = [line.split("\t") for line in answer["ok"].splitlines()]
            assert rows, sql
            if target["format"] == 0:
                assert names[0] == "time"
                assert types[0].startswith("DateTime")
        assert "error" in ask(expanded("SELECT sum(volum) FROM bi.journey_map"))


@pytest.mark.parametrize("name", grafana_boards.BOARDS)
def test_every_panel_of_the_journey_is_a_statement_that_a_reader_may_send(name: str, folder: Path) -> None:
    made = dashboard(grafana_boards.BOARDS[name])
    assert json.loads((BOARDS / f"{name}.json").read_text()) == made
    with user(folder, "reader") as ask:
        for panel in made["panels"]:
            (target,) = panel["targets"]
            sql = expanded(target["rawSql"])
            assert "$" not in sql and set(re.findall(r"(?:FROM|JOIN) (\w+)\.", sql)) == {"bi"}
            answer = ask(f"{sql} FORMAT TabSeparatedWithNames")
            assert "ok" in answer, (panel["title"], answer)
            assert (panel["type"] == "timeseries") == answer["ok"].startswith("time\t"), panel["title"]


def test_without_its_grants_the_checks_above_would_fail(folder: Path) -> None:
    """The control: the same statements, refused to a reader, are taken from `internal`."""
    with user(folder, "internal") as ask:
        assert "ok" in ask("SELECT * FROM touchline.account_journeys")
        assert "ok" in ask("SET max_execution_time = 3600")
        assert "ok" in ask("CREATE TABLE bi.mine (x Int8) ENGINE = Memory")
        assert "ok" in ask("DROP TABLE bi.mine")


def test_what_chdb_does_not_read_of_the_server_is_there() -> None:
    """A reader is kept out of the system tables, may set its time limit, and shares its memory with other readers.

    Grafana and JDBC send one with every query; a server takes it under `readonly` only with both of these."""
    users = ElementTree.parse(SERVER / "users.xml").getroot()
    limit = users.find("profiles/reader/constraints/max_execution_time")
    assert limit is not None
    assert limit.find("changeable_in_readonly") is not None
    assert (limit.findtext("min"), limit.findtext("max")) == ("1", "60")
    # a server knows its users apart, which chdb does not: here is the readers' memory bounded
    one, all_of_them = (int(users.findtext(f"profiles/reader/max_memory_usage{of}", "0")) for of in ("", "_for_user"))
    assert 0 < one < all_of_them
    assert users.find("profiles/reader/max_concurrent_queries_for_user") is not None
    # and whatever users they have, what they may run beside everybody else; services have no such bound
    of_all = "max_concurrent_queries_for_all_users"
    assert int(users.findtext(f"profiles/reader/{of_all}", "0")) > 0
    assert users.find(f"profiles/internal/{of_all}") is None
    config = ElementTree.parse(SERVER / "config.xml").getroot()
    assert config.findtext("access_control_improvements/settings_constraints_replace_previous") == "true"
    assert config.findtext("access_control_improvements/select_from_system_db_requires_grant") == "true"


def test_a_viewer_is_a_reader_from_whom_the_views_hide_people() -> None:
    profiles = ElementTree.parse(SERVER / "users.xml").getroot().find("profiles")
    assert profiles is not None
    assert profiles.findtext("viewer/profile") == "reader" and profiles.findtext("reader/readonly") == "1"
    assert str(profiles.findtext("viewer/log_comment")).startswith(VIEWER)
    assert not str(profiles.findtext("reader/log_comment") or "").startswith(VIEWER)


def test_readers_give_way_to_services() -> None:
    profiles = ElementTree.parse(SERVER / "users.xml").getroot().find("profiles")
    assert profiles is not None
    ranks = [int(profiles.findtext(f"{name}/priority") or 0) for name in ("internal", "reader")]
    assert 0 < ranks[0] < ranks[1], "the smaller number goes first; 0 waits for nobody and holds up nobody"


def test_the_bound_on_all_queries_counts_those_of_services_and_refuses_only_who_has_it(
    clickhouse_url: ClickHouse,
) -> None:
    """A server knows more users than chdb does; that everybody's queries count is the engine's own."""
    bounded = "SELECT 1 SETTINGS max_concurrent_queries_for_all_users = 2"
    with ThreadPoolExecutor(3) as pool:
        asked = partial(httpx.post, clickhouse_url.base_url, auth=("internal", clickhouse_url.token), timeout=30)
        running = [pool.submit(asked, content="SELECT sleepEachRow(1) FROM numbers(3)") for _ in range(3)]
        deadline = time.monotonic() + 20
        while (refused := asked(content=bounded)).status_code == 200 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert "Too many simultaneous queries for all users" in refused.text
        assert asked(content="SELECT 1").text == "1\n", "known-bad: without the bound nobody is refused"
        assert all(each.result().status_code == 200 for each in running)
    assert asked(content=bounded).text == "1\n"
