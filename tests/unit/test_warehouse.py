"""The embedded ClickHouse's pure parts: no engine, no socket."""

from __future__ import annotations

import asyncio
import base64
import random
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from schemas.errors import ConfigurationError
from services.common.access import Access, add_token
from services.embedded.clickhouse.codec import accepted, decode, encoder
from services.embedded.clickhouse.errors import ClickHouseError
from services.embedded.clickhouse.main import listening, owned
from services.embedded.clickhouse.outlet import Outlet
from services.embedded.clickhouse.request import to_statement
from services.embedded.clickhouse.roles import Role, Users
from services.embedded.clickhouse.settings.process import WarehouseSettings
from services.embedded.clickhouse.sql_check import check
from services.embedded.clickhouse.statement import Statement, split_insert
from services.embedded.clickhouse.tree import tree


@pytest.mark.parametrize(
    ("text", "head", "format_name", "data"),
    [
        (b"INSERT INTO t (`a`) FORMAT Native\n\x01\x02", "INSERT INTO t (`a`) ", "Native", b"\x01\x02"),
        (b"insert into t format CSV\r\n1\n", "insert into t ", "CSV", b"1\n"),
        (b"/* a */ INSERT INTO t SETTINGS x = 1 FORMAT TSV 1", "/* a */ INSERT INTO t SETTINGS x = 1 ", "TSV", b"1"),
        (b"INSERT INTO t (`format`, `FORMAT x`) FORMAT TSV\n", "INSERT INTO t (`format`, `FORMAT x`) ", "TSV", b""),
        (b"INSERT INTO t -- FORMAT CSV\n FORMAT TSV\n\n", "INSERT INTO t -- FORMAT CSV\n ", "TSV", b"\n"),
    ],
)
def test_an_insert_is_cut_where_its_rows_begin(text: bytes, head: str, format_name: str, data: bytes) -> None:
    insert = split_insert(text)
    assert insert is not None
    assert (insert.head, insert.format, bytes(insert.data)) == (head, format_name, data)


@pytest.mark.parametrize(
    "text",
    [
        b"INSERT INTO t SELECT * FROM x FORMAT Native\n",
        b"INSERT INTO t VALUES (1, 'FORMAT TSV')",
        b"INSERT INTO t FROM INFILE 'x' FORMAT TSV",
        b"INSERT INTO t (a) FORMAT Values (1)",
        b"SELECT 'INSERT INTO t FORMAT CSV'",
        b"INSERT INTO t",
    ],
)
def test_other_statements_stay_whole(text: bytes) -> None:
    assert split_insert(text) is None


@pytest.mark.parametrize(
    ("text", "several"),
    [
        (b"SELECT 1", False),
        (b"SELECT 1 ;\n;", False),
        (b"SELECT ';' -- ; SELECT 2", False),
        (b"SELECT 1; -- done", False),
        (b"SELECT 1; SELECT 2", True),
        (b"SELECT ';'; DROP TABLE t", True),
        (b"INSERT INTO t FORMAT CSV\n1;2\n", False),
    ],
)
def test_statements_are_counted(text: bytes, several: bool) -> None:
    assert Statement(text).is_several is several


def test_the_format_of_an_answer() -> None:
    assert Statement(b"SELECT 1").format == "TabSeparated"
    assert Statement(b"SELECT 1 FORMAT JSON ;", default_format="Native").format == "JSON"
    assert Statement(b"SELECT 1\n FORMAT Native").streams
    assert not Statement(b"SELECT 1 FORMAT JSON").streams
    assert not Statement(b"SHOW TABLES").streams
    assert Statement(b"WITH 1 AS a SELECT a").answers
    assert not Statement(b"CREATE TABLE t (a Int8)").answers


@pytest.mark.parametrize("encoding", ["lz4", "zstd", "gzip", "deflate", "br", ""])
def test_encodings_round_trip_and_bombs_stop_at_the_cap(encoding: str) -> None:
    plain = b"row\t1\n" * 20_000
    packer = encoder(encoding)
    packed = packer.compress(plain[:100]) + packer.compress(plain[100:]) + packer.flush()
    assert decode(packed, encoding, len(plain)) == plain
    if encoding:
        with pytest.raises(ClickHouseError) as caught:
            decode(packed, encoding, len(plain) - 1)
        assert (caught.value.code, caught.value.status) == (307, 413)


@pytest.mark.parametrize("encoding", ["lz4", "zstd", "gzip", "br"])
def test_broken_bodies_are_the_senders_fault(encoding: str) -> None:
    with pytest.raises(ClickHouseError) as caught:
        decode(b"\x00not compressed at all", encoding, 1000)
    assert caught.value.status == 400


@pytest.mark.parametrize("encoding", ["lz4", "zstd", "gzip", "deflate", "br"])
def test_cut_bodies_are_not_taken_for_whole(encoding: str) -> None:
    plain = random.Random(1).randbytes(5000)
    packer = encoder(encoding)
    packed = packer.compress(plain) + packer.flush()
    assert decode(packed, encoding, 10_000) == plain
    with pytest.raises(ClickHouseError) as caught:
        decode(packed[:-10], encoding, 10_000)
    assert caught.value.status == 400


def test_the_answers_encoding() -> None:
    assert accepted("lz4,zstd,gzip", 5000) == "lz4"
    assert accepted("identity, gzip;q=0.5", 5000) == "gzip"
    assert accepted("gzip", 10) == ""
    assert accepted("", 5000) == ""


def test_a_request_becomes_a_statement() -> None:
    params = {
        "query": "INSERT INTO t FORMAT CSV",
        "database": "d",
        "param_a": "1",
        "max_threads": "2",
        "session_id": "s",
        "query_id": "q",
    }
    statement = to_statement({}, params, b"1\n")
    assert statement == Statement(
        b"INSERT INTO t FORMAT CSV\n1\n", "d", query_id="q", params={"a": "1"}, settings={"max_threads": "2"}
    )
    with pytest.raises(ClickHouseError, match="decompress=1"):
        to_statement({}, {"decompress": "1"}, b"")


@pytest.mark.parametrize("query_id", ["a\r\nAccess-Control-Allow-Origin: *", "a b", "\x00", "é", "x" * 257])
def test_an_id_that_no_header_can_carry_is_refused(query_id: str) -> None:
    with pytest.raises(ClickHouseError, match="query_id must be") as refused:
        to_statement({}, {"query_id": query_id}, b"SELECT 1")
    assert refused.value.status == 400


def test_roles_follow_the_password() -> None:
    users = Users(internal_token="token")
    basic = {"authorization": "Basic " + base64.b64encode(b"internal:token").decode()}
    assert users.role_of(basic, {}) is Role.INTERNAL
    assert users.role_of({}, {}) is Role.READER
    assert users.role_of({"x-clickhouse-user": "reader"}, {}) is Role.READER
    for wrong in ({"user": "internal"}, {"user": "internal", "password": "é"}, {"user": "reader", "password": "token"}):
        with pytest.raises(ClickHouseError, match="Authentication failed"):
            users.role_of({}, wrong)
    with pytest.raises(ClickHouseError):
        users.role_of({"authorization": "Basic %%%"}, {})


def test_a_token_of_the_page_opens_what_its_owner_may_see(tmp_path: Path) -> None:
    now, file = datetime(2026, 1, 2, tzinfo=UTC), tmp_path / "access.json"
    users = Users(internal_token="token", access=Access(file), clock=lambda: now)
    assert [users.role_of({}, {"user": user}) for user in ("reader", "viewer")] == [Role.READER, Role.VIEWER]
    viewers = add_token(file, "Vera", "viewer", now)
    operators = add_token(file, "Otto", "operator", now)
    old = add_token(file, "Ann", "operator", now, now)
    found = [users.role_of({}, {"user": "reader", "password": given}) for given in (viewers, operators, "")]
    assert found == [Role.VIEWER, Role.READER, Role.VIEWER], "without a token nobody sees people, once there is one"
    assert users.role_of({}, {"user": "viewer", "password": operators}) is Role.VIEWER
    for user, given in (("reader", old), ("internal", operators), ("somebody", operators), ("reader", "no")):
        with pytest.raises(ClickHouseError, match="Authentication failed"):
            users.role_of({}, {"user": user, "password": given})


def test_a_caller_is_the_owner_of_a_token_or_an_address(tmp_path: Path) -> None:
    now, file = datetime(2026, 1, 2, tzinfo=UTC), tmp_path / "access.json"
    users = Users(internal_token="token", access=Access(file), clock=lambda: now)
    tokens = [add_token(file, name, "viewer", now) for name in ("Vera", "Otto")]
    basic = {"authorization": "Basic " + base64.b64encode(f"reader:{tokens[1]}".encode()).decode()}
    assert users.caller_of({}, {"password": tokens[0]}, "10.0.0.9") == "token Vera"
    assert users.caller_of(basic, {}, "10.0.0.9") == "token Otto"
    assert [users.caller_of({}, {"password": given}, "10.0.0.9") for given in ("", "no")] == ["10.0.0.9"] * 2


def test_a_configured_password_shows_people_beside_tokens(tmp_path: Path) -> None:
    file = tmp_path / "access.json"
    add_token(file, "Vera", "viewer", datetime(2026, 1, 2, tzinfo=UTC))
    users = Users(internal_token="token", reader_password="secret", access=Access(file))
    assert users.role_of({}, {"user": "reader", "password": "secret"}) is Role.READER
    assert users.role_of({}, {"user": "viewer", "password": "secret"}) is Role.VIEWER
    with pytest.raises(ClickHouseError):
        users.role_of({}, {"user": "reader"})


def test_outside_loopback_a_reader_password_is_required(tmp_path: Path) -> None:
    for host in ("127.0.0.1", "::1", "localhost"):
        assert WarehouseSettings(data_dir=tmp_path, host=host).on_loopback
    with pytest.raises(ValidationError, match="reader_password_file"):
        WarehouseSettings(data_dir=tmp_path, host="0.0.0.0")
    assert WarehouseSettings(data_dir=tmp_path, host="0.0.0.0", reader_password_file=tmp_path / "p").port == 0


def test_a_folder_has_one_owner(tmp_path: Path) -> None:
    with owned(tmp_path), pytest.raises(ConfigurationError, match="in use by another process"), owned(tmp_path):
        pass
    with owned(tmp_path):
        pass


def test_a_picked_port_is_kept(tmp_path: Path) -> None:
    settings = WarehouseSettings(data_dir=tmp_path)
    with listening(settings) as first:
        port = first.getsockname()[1]
        with pytest.raises(ConfigurationError, match="another --port"), listening(settings):
            pass
    with listening(settings) as second:
        assert second.getsockname()[1] == port


def answers(canonical: str, ast: str) -> list[str]:
    return [canonical + "\n", ast]


@pytest.mark.parametrize(
    ("canonical", "ast", "why"),
    [
        ("DROP TABLE t", "DropQuery  t (children 1)\n Identifier t\n", "Only SELECT"),
        (
            "SELECT 1 INTO OUTFILE '/x'",
            "SelectWithUnionQuery (children 2)\n ExpressionList\n Literal '/x'\n",
            "OUTFILE",
        ),
        ("SHOW TABLES INTO OUTFILE '/x'", "ShowTables\n", "OUTFILE"),
        ("SELECT * APPLY file", "SelectWithUnionQuery (children 1)\n ExpressionList\n", "The name file"),
        ("SELECT `file`", "SelectWithUnionQuery (children 1)\n ExpressionList\n", "The name file"),
        ("SELECT 1", "", "Only SELECT"),
    ],
)
def test_the_guard_reads_the_tree_and_the_text(canonical: str, ast: str, why: str) -> None:
    replies = iter(answers(canonical, ast))
    with pytest.raises(ClickHouseError, match=why) as caught:
        check("anything", "bi", lambda _: next(replies))
    assert (caught.value.code, caught.value.status) == (497, 403)


def test_the_guard_asks_for_the_canonical_text_first() -> None:
    asked: list[str] = []

    def ask(sql: str) -> str:
        asked.append(sql)
        return "SELECT 1\n" if len(asked) == 1 else "SelectWithUnionQuery (children 1)\n ExpressionList\n"

    assert check("select 'it''s' \\ 1", "bi", ask) == "SELECT 1"
    assert asked == ["SELECT formatQuerySingleLine('select \\'it\\'\\'s\\' \\\\ 1')", "EXPLAIN AST SELECT 1"]


def test_the_tree_is_read_line_by_line() -> None:
    nodes = list(tree("A (children 1)\n TableIdentifier x.t (alias tt)\n  Literal 'a (b'\n"))
    assert [(node.depth, node.kind, node.name) for node in nodes] == [
        (0, "A", "(children 1)"),
        (1, "TableIdentifier", "x.t"),
        (2, "Literal", "'a"),
    ]


async def test_a_slow_client_stops_the_engine_and_a_gone_one_frees_it() -> None:
    outlet = Outlet(asyncio.get_running_loop())
    sent: list[int] = []

    def engine() -> None:
        for number in range(100):
            if not outlet.emit(b"x"):
                return
            sent.append(number)

    thread = threading.Thread(target=engine, daemon=True)  # where this fails, the run must still end
    thread.start()
    await asyncio.sleep(0.1)
    assert len(sent) == 4
    assert await outlet.next() == b"x"
    await asyncio.sleep(0.1)
    assert len(sent) == 5
    outlet.abandon()
    await asyncio.to_thread(thread.join, 5)
    assert not thread.is_alive()
    assert len(sent) == 5
