"""The chdb engine of this process: one short-lived connection per statement.

A connection is a session of its own (settings, role, current database), costs 0.1 ms while another keeps the engine
open, and chdb releases the GIL while it works: so nothing leaks from one request into the next and nothing is pooled.
"""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from schemas.errors import ConfigurationError
from services.embedded.clickhouse.aggregates import Aggregates
from services.embedded.clickhouse.cache import BoundedCache
from services.embedded.clickhouse.clauses import check_settings, parted
from services.embedded.clickhouse.errors import ACCESS_DENIED, SYNTAX_ERROR, UNKNOWN_SETTING, ClickHouseError, hidden
from services.embedded.clickhouse.heads import HEADS
from services.embedded.clickhouse.insert import insert_rows
from services.embedded.clickhouse.meaning import as_meant
from services.embedded.clickhouse.overdue import Overdue, end_process
from services.embedded.clickhouse.roles import USERS_XML, Role
from services.embedded.clickhouse.room import RoomWatch, check_room, free_bytes
from services.embedded.clickhouse.settings.process import WarehouseSettings
from services.embedded.clickhouse.settings.server import CONFIG_XML
from services.embedded.clickhouse.settings.shares import READERS, SERVICES, Ranks, of_this_machine
from services.embedded.clickhouse.settings.statement import COLUMNS_FIRST, base_settings, reader_settings
from services.embedded.clickhouse.sql_check import Ask, check, one_statement
from services.embedded.clickhouse.statement import Insert, Statement, split_insert

if TYPE_CHECKING:
    from chdb.state.sqlitelike import Connection

# takes a piece of the answer; False when nobody wants more
Emit = Callable[[bytes], bool]
_METADATA_BYTES: Final = 16 << 20
_ALLOWED_BYTES: Final = 8 << 20
_PIECE_BYTES: Final = 1 << 20
_LOGGED_CHARS: Final = 300
_TEXT: Final = re.compile(r"'(?:[^'\\]|\\.)*+(?:'|\Z)", re.S)
_PLANS: Final = re.compile(rb"EXPLAIN (?!(?:AST|SYNTAX|QUERY TREE) )")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


@dataclass(frozen=True, slots=True)
class Result:
    """ClickHouse's summary of a statement."""

    read_rows: int = 0
    read_bytes: int = 0
    written_rows: int = 0
    written_bytes: int = 0
    result_rows: int = 0
    result_bytes: int = 0
    elapsed_s: float = 0.0

    def summary(self) -> dict[str, str]:
        """As the header X-ClickHouse-Summary has it."""
        counts = {
            "read_rows": self.read_rows,
            "read_bytes": self.read_bytes,
            "written_rows": self.written_rows,
            "written_bytes": self.written_bytes,
            "result_rows": self.result_rows,
            "result_bytes": self.result_bytes,
            "elapsed_ns": int(self.elapsed_s * 1e9),
        }
        return {name: str(count) for name, count in counts.items()}


class Engine:
    """Runs statements on one chdb path. Every method may be called from any thread and blocks it."""

    def __init__(self, settings: WarehouseSettings) -> None:
        self._settings = settings
        self._path = str(settings.engine_dir.absolute())
        self._anchor: Connection | None = None
        own = (str(settings.data_dir), str(settings.data_dir.absolute()), str(settings.data_dir.resolve()))
        self._hidden = hidden(*own, socket.gethostname())
        self._allowed: BoundedCache[tuple[object, ...]] = BoundedCache(_ALLOWED_BYTES)
        self._aggregates: Aggregates | None = None
        self._ranks = Ranks(of_this_machine(settings.max_threads).at_once)
        limits = settings.limits
        self._overdue = Overdue(limits.reader_max_execution_s + limits.reader_overdue_s, end_process)
        self._room = RoomWatch(
            lambda: free_bytes(settings.engine_dir),
            self._let_merge,
            needed_bytes=_METADATA_BYTES,
            merge_bytes=2 * settings.keep_free_bytes,
        )

    def open(self) -> None:
        """Opens the path and recovers what a kill left. Raises ConfigurationError when it cannot be owned."""
        config = self._write_config()
        try:
            # chdb shuts the engine down with its last connection: this one keeps it open
            self._anchor = _connect(f"{self._path}?config-file={config}")
            self._make_bi_database(self._anchor)
            self._room.start()
            self._overdue.start()
        except Exception as error:
            raise ConfigurationError(f"cannot open the ClickHouse data in {self._path}: {error}") from error

    def _make_bi_database(self, connection: Connection) -> None:
        name = self._settings.bi_database
        there: Any = connection.query(f"EXISTS DATABASE {name}", "TabSeparated")
        if bytes(there.bytes()).strip() != b"1":
            check_room(self._settings.engine_dir, _METADATA_BYTES)
            connection.query(f"CREATE DATABASE IF NOT EXISTS {name}", "Null")

    def _let_merge(self, may: bool) -> None:
        with _connect(self._path) as connection:
            connection.query("SYSTEM START MERGES" if may else "SYSTEM STOP MERGES", "Null")

    def cancel(self) -> None:
        """Stops the statements under way; theirs is ClickHouse's error 394. An insert is whole or not there."""
        if self._anchor is not None:
            self._anchor.query("KILL QUERY WHERE query_id != queryID() ASYNC", "Null")

    def kill(self, role: Role, query_id: str, output_format: str = "Null") -> bytes:
        """Stops the statements of `role` with this id; what ClickHouse says of them, in `output_format`."""
        with _connect(self._path) as connection:
            sql = f"KILL QUERY WHERE Settings['log_comment'] = {quote(_tag(role, query_id))} ASYNC"
            got: Any = connection.query(sql, output_format)
            return bytes(got.bytes() or b"")

    def close(self) -> None:
        """Ends the engine after the statements under way; safe to call twice."""
        self._room.stop()
        self._overdue.stop()
        anchor, self._anchor = self._anchor, None
        if anchor is not None:
            anchor.close()

    def run(self, statement: Statement, role: Role, emit: Emit) -> Result:
        """Runs one statement as `role`; its answer goes to `emit` piece by piece.

        Raises ClickHouseError with ClickHouse's own code, possibly after the first pieces.
        """
        if role.reads:
            return self._run_read(statement, role, emit)
        if statement.is_several:  # of a reader's, the guard lets one through
            raise ClickHouseError.made(SYNTAX_ERROR, "Syntax error: Multi-statements are not allowed")
        if statement.changes:
            check_room(self._settings.engine_dir, _METADATA_BYTES)
        began = time.monotonic()
        result = self._answer(statement, role, emit)
        if statement.changes:
            self._room.check(began)
        return result

    def _run_read(self, statement: Statement, role: Role, emit: Emit) -> Result:
        if (query_id := statement.kills) is not None:
            emit(self.kill(role, query_id, statement.default_format))
            return Result()
        with self._overdue.watched(_logged(statement)) as waiting:

            def passed_on(piece: bytes) -> bool:
                with waiting():  # a client that is slow to take its answer, or takes none of it, computes nothing
                    return emit(piece)

            statement = self._guarded(statement)
            _check_shown(statement, role)
            return self._answer(statement, role, passed_on)

    def _answer(self, statement: Statement, role: Role, emit: Emit) -> Result:
        with self.session(statement, role, self._ranks.following() if role.reads else SERVICES) as connection:
            insert = split_insert(statement.text) if role is Role.INTERNAL else None
            if insert is not None:
                return _insert(connection, insert)
            if statement.streams:
                return _stream(connection, statement, emit)
            return _query(connection, statement, emit)

    def _guarded(self, statement: Statement) -> Statement:
        """The statement with the text to run. Raises ClickHouseError when a reader may not run it."""
        statement = replace(statement, database=statement.database or self._settings.bi_database)
        key = (
            statement.sql,
            statement.database,
            COLUMNS_FIRST in statement.settings,
            *sorted(statement.params.items()),
        )
        # the verdict depends on the text alone, and dashboards repeat theirs: 1.5 ms saved
        if (judged := self._allowed.get(key)) is None:
            judged = self._judged(statement)
            bound = sum(len(name) + len(value) for name, value in statement.params.items())
            self._allowed.put(key, judged, 4 * (len(statement.text) + len(statement.database) + bound))
        settings, _, text = judged.partition(b"\n")
        return replace(statement, text=text, settings={**statement.settings, **json.loads(settings)})

    def _judged(self, statement: Statement) -> bytes:
        """A line with the settings that stood in it, as JSON, and then the text to run."""
        with self._asking(statement, columns_first=True) as ask, self._asking(statement, columns_first=False) as other:

            def resolve(text: str, columns_first: bool) -> str:
                return (ask if columns_first else other)(f"EXPLAIN QUERY TREE {text}")

            parts = parted(one_statement(statement.sql, ask))
            check_settings(parts.settings, base_settings(Role.READER, self._settings))
            canonical = check(parts.select, statement.database, ask)
            # who says which meaning a name has gets that one
            if COLUMNS_FIRST not in {**statement.settings, **parts.settings}:
                self._aggregates = self._aggregates or Aggregates.known_to(ask)
                meant = as_meant(canonical, resolve, self._aggregates.has)
                canonical = canonical if meant == canonical else check(meant, statement.database, ask)
            return f"{json.dumps(parts.settings)}\n{parts.explain}{canonical}".encode()

    @contextmanager
    def _asking(self, statement: Statement, columns_first: bool) -> Iterator[Ask]:
        # on a connection of its own, so that nothing of it remains, and without the reader's settings: with
        # max_result_rows = 1 and result_overflow_mode = 'break' only the root of the syntax tree would be seen
        asking = replace(statement, settings={COLUMNS_FIRST: str(int(columns_first))})
        with self.session(asking, Role.READER, READERS) as connection:

            def ask(sql: str) -> str:
                try:
                    got: Any = connection.query(sql, "TabSeparatedRaw", params=dict(statement.params))
                except Exception as error:
                    raise ClickHouseError.from_engine(error, self._hidden) from None
                return bytes(got.bytes() or b"").decode()

            yield ask

    @contextmanager
    def session(self, statement: Statement, role: Role, rank: int = SERVICES) -> Iterator[Connection]:
        """A connection with the role, database and settings of the statement; closed afterwards.

        `rank`: statements with a smaller one go first.
        """
        try:
            with _connect(self._path) as connection:
                self._prepare(connection, statement, role, rank)
                yield connection
        except ClickHouseError:
            raise
        except Exception as error:
            raise ClickHouseError.from_engine(error, None if role is Role.INTERNAL else self._hidden) from None

    def _prepare(self, connection: Connection, statement: Statement, role: Role, rank: int) -> None:
        settings = base_settings(role, self._settings)
        if role is Role.INTERNAL:
            settings |= statement.settings
        else:
            settings |= reader_settings(statement.settings, settings)
            settings |= {"readonly": "1", "priority": str(rank)}
            connection.query("SET ROLE reader", "Null")
        # the one thing a statement can be found by: its ClickHouse id is made by chdb
        settings |= {"log_comment": _tag(role, statement.query_id)}
        connection.query(_set(settings), "Null")
        if statement.database:
            self._use(connection, statement.database)

    @staticmethod
    def _use(connection: Connection, database: str) -> None:
        if "`" in database or "\\" in database:
            raise ClickHouseError.made(ACCESS_DENIED, "The name of the database has a character it cannot have")
        connection.query(f"USE `{database}`", "Null")

    def _write_config(self) -> Path:
        folder = self._settings.data_dir.absolute()
        self._settings.engine_dir.mkdir(parents=True, exist_ok=True)
        _write(folder / "users.xml", USERS_XML.format(bi=self._settings.bi_database))
        config = folder / "config.xml"
        values = {
            "users": folder / "users.xml",
            "memory": self._settings.sql.memory_bytes,
            "backups": folder / "backups",
        }
        _write(config, CONFIG_XML.format(**values, keep_free=self._settings.keep_free_bytes))
        return config


def _write(path: Path, text: str) -> None:
    """In one step, and only what is new: an engine on a full disk must still start, to be read."""
    if path.exists() and path.read_text() == text:
        return
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(path)


def _connect(target: str) -> Connection:
    from chdb.state.sqlitelike import (
        connect,
    )  # 1 s and 200 MB: only the process that owns an engine pays them

    return connect(target)


def _logged(statement: Statement) -> str:
    """Its id and beginning, without its texts: they may be about people, and logs are kept."""
    beginning = _TEXT.sub("'…'", statement.sql[:_LOGGED_CHARS])
    return f"{statement.query_id}: {beginning}"


def _set(settings: dict[str, str]) -> str:
    for name in settings:
        if not _NAME.match(name):
            raise ClickHouseError.made(UNKNOWN_SETTING, f"Setting {name[:80]!r} has no valid name")
    return "SET " + ", ".join(f"{name} = {quote(value)}" for name, value in settings.items())


def _tag(role: Role, query_id: str) -> str:
    """What a statement's `log_comment` is; the views look at its beginning."""
    return f"{role}:{query_id}"


def _check_shown(statement: Statement, role: Role) -> None:
    # a plan names the key that people's pseudonyms are made with
    if role is Role.VIEWER and _PLANS.match(statement.text):
        raise ClickHouseError.made(ACCESS_DENIED, f"{role}: Only EXPLAIN AST, SYNTAX and QUERY TREE are allowed")


def quote(value: str) -> str:
    """A string literal of ClickHouse."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _stream(connection: Connection, statement: Statement, emit: Emit) -> Result:
    read_rows = read_bytes = result_rows = result_bytes = 0
    elapsed_s = 0.0
    head_of, head = HEADS.get(statement.format), None
    with connection.send_query(statement.sql, statement.default_format, params=dict(statement.params)) as chunks:
        for chunk in chunks:
            read_rows += chunk.storage_rows_read()
            read_bytes += chunk.storage_bytes_read()
            result_rows += chunk.rows_read()
            result_bytes += chunk.bytes_read()
            elapsed_s += chunk.elapsed()
            piece = chunk.bytes()
            if head is not None:
                piece = piece.removeprefix(head)
            elif head_of is not None:
                head = piece[: head_of(piece)]
            if not emit(piece):
                break
    if head_of is not None and head is None:  # without rows chdb gives no piece, and so no head
        return _query(connection, statement, emit)
    return Result(
        read_rows=read_rows,
        read_bytes=read_bytes,
        result_rows=result_rows,
        result_bytes=result_bytes,
        elapsed_s=elapsed_s,
    )


def _query(connection: Connection, statement: Statement, emit: Emit) -> Result:
    got: Any = connection.query(statement.sql, statement.default_format, params=dict(statement.params))
    if size_bytes := got.size():
        # a whole answer lies in the engine's memory, within the statement's limit, and is not copied as a whole
        body = got.get_memview().view()
        for start in range(0, size_bytes, _PIECE_BYTES):
            if not emit(bytes(body[start : start + _PIECE_BYTES])):
                break
    return _summed(got)


def _insert(connection: Connection, insert: Insert) -> Result:
    return _summed(insert_rows(connection, insert)) if insert.data else Result()


def _summed(got: Any) -> Result:
    return Result(
        read_rows=got.storage_rows_read(),
        read_bytes=got.storage_bytes_read(),
        written_rows=got.rows_written(),
        written_bytes=got.bytes_written(),
        result_rows=got.rows_read(),
        result_bytes=got.bytes_read(),
        elapsed_s=got.elapsed(),
    )
