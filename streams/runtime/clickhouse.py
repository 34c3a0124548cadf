"""The one way to ClickHouse: a client with explicit settings, and its errors as ours.

Errors are told apart by ClickHouse's code, never by text. Only a code that says "this data can never be
stored" is permanent; everything else (network, limits, read-only, a table that a migration has yet to make,
codes we do not know) is worth waiting for, because a wrong wait is visible and a wrong dead letter is not.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final, Self
from urllib.parse import urlsplit

import clickhouse_connect
from clickhouse_connect.driver import options
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, DataError, Error
from clickhouse_connect.driver.insert import InsertContext
from urllib3.exceptions import HTTPError

from schemas.config import ClickHouseConfig
from schemas.errors import PermanentError, StoreFull, StoreUnavailable, TouchlineError

# We send and take lists. Left to itself the driver loads pandas and NumPy with the first insert, where they happen to
# be installed, to see whether it was given theirs: a second, and 60 MB in each process.
for _unused in ("pd", "pd_time_test", "np"):
    setattr(options, _unused, None)

#: ClickHouse error codes that blame the data, with the reason a dead letter gets.
PERMANENT_CODES: Final[Mapping[int, str]] = {
    6: "cannot_parse_text",
    26: "cannot_parse_quoted_string",
    27: "cannot_parse_input",
    38: "cannot_parse_date",
    41: "cannot_parse_datetime",
    53: "type_mismatch",
    69: "argument_out_of_bound",
    70: "cannot_convert_type",
    72: "cannot_parse_number",
    117: "incorrect_data",
    131: "too_large_string",
    190: "array_sizes_differ",
    321: "value_out_of_range",
    349: "null_in_ordinary_column",
    407: "decimal_overflow",
    469: "violated_constraint",
}

FULL_CODES: Final = frozenset({243})
"""NOT_ENOUGH_SPACE: ClickHouse reserves space before it writes a part, and tells when there is none."""

SETTINGS: Final[Mapping[str, object]] = {
    # an answer means that the rows are in a part on disk
    "async_insert": 0,
    "wait_for_async_insert": 1,
    # equal blocks are meant: rows replace one another by key, a deduplicated recomputation would be lost
    "insert_deduplicate": 0,
    # a backfill touches many months at once
    "max_partitions_per_insert_block": 0,
    # the partition is a function of the sorting key's first column
    "do_not_merge_across_partitions_select_final": 1,
}

PAGE: Final = "touchline-page"
"""How the client of the pages calls itself: the embedded ClickHouse tells its requests from those of services."""
LOOKED: Final = "touchline_looked_s"
"""In the summary of the embedded ClickHouse: seconds since somebody looked."""

Columns = Mapping[str, Sequence[object]]
"""A block: column name → values, all of one length."""


def connect(
    config: ClickHouseConfig,
    password: str = "",
    *,
    database: str | None = None,
    timeout_s: float = 60.0,
    settings: Mapping[str, object] = SETTINGS,
    name: str = "",
) -> Client:
    """A new client that threads may share; the caller closes it.

    `database` defaults to the configured one, which must exist. `name` goes before the driver's own. Raises
    StoreUnavailable when ClickHouse does not answer within `timeout_s`.
    """
    # the driver logs what it then raises, and what it raises is handled and told here
    logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)
    url = urlsplit(config.url)
    with store_errors():
        return clickhouse_connect.get_client(
            interface="https" if url.scheme == "https" else "http",
            host=url.hostname or "127.0.0.1",
            port=url.port or (8443 if url.scheme == "https" else 8123),
            username=config.user,
            password=password,
            database=config.database if database is None else database,
            client_name=name,
            settings=dict(settings),
            connect_timeout=min(5, int(timeout_s) or 1),
            send_receive_timeout=int(timeout_s) or 1,
            # without it one client is one session, and a session takes one statement at a time
            autogenerate_session_id=False,
            # between two processes of one machine compression costs more than it saves
            compress=not _is_local(url.hostname or ""),
            # our own loop retries, and counts
            query_retries=0,
        )


def _is_local(host: str) -> bool:
    return host in ("127.0.0.1", "::1", "localhost")


def classified(error: BaseException) -> TouchlineError:
    """What a failed call to ClickHouse means for the caller: a PermanentError or a StoreUnavailable."""
    code = error.code if isinstance(error, Error) else None
    if isinstance(error, DataError):  # the driver could not encode the values
        return PermanentError(str(error), "unencodable")
    if code is not None and code in PERMANENT_CODES:
        return PermanentError(str(error), PERMANENT_CODES[code])
    if code in FULL_CODES:
        return StoreFull(f"its disk is full, nothing of it was stored: {error}")
    return StoreUnavailable(str(error) or type(error).__name__)


@contextmanager
def store_errors() -> Iterator[None]:
    """Turns what the driver raises into PermanentError or StoreUnavailable."""
    try:
        yield
    except (ClickHouseError, HTTPError, OSError) as error:
        raise classified(error) from error


@contextmanager
def _inserting(client: Client, table: str, types: Mapping[str, str]) -> Iterator[InsertContext]:
    """What one insert is made with. It refers to itself, and so to all its rows, which stayed until Python looks for
    garbage: thousands of batches later, where little else is made that stays."""
    context = client.create_insert_context(
        table, list(types), column_type_names=list(types.values()), column_oriented=True
    )
    try:
        yield context
    finally:
        vars(context).clear()


class Store:
    """A client that connects when first used and tells errors as ours. Blocks; one thread at a time."""

    def __init__(self, config: ClickHouseConfig, password: str = "", *, timeout_s: float = 60.0) -> None:
        self._config = config
        self._password = password
        self._timeout_s = timeout_s
        self._client: Client | None = None
        self.looked_s: float | None = None
        """Seconds since somebody looked, as of the last insert; None: this ClickHouse does not say."""

    @property
    def client(self) -> Client:
        """The driver's client. Raises StoreUnavailable when ClickHouse does not answer."""
        if self._client is None:
            self._client = connect(self._config, self._password, timeout_s=self._timeout_s)
        return self._client

    def insert(self, table: str, types: Mapping[str, str], columns: Columns) -> None:
        """Inserts one block; `types` (column → ClickHouse type) decides which columns are sent, and in which order.

        An answer that counts fewer rows than were sent is no success, whatever its status.
        """
        with store_errors(), _inserting(self.client, table, types) as context:
            summary = self.client.insert(context=context, data=[columns[name] for name in types])
        looked_s = summary.summary.get(LOOKED)
        self.looked_s = None if looked_s is None else float(looked_s)
        sent = len(next(iter(columns.values())))
        if "written_rows" in summary.summary and summary.written_rows < sent:
            raise StoreUnavailable(f"{table}: {sent} rows sent, {summary.written_rows} stored")

    def command(self, sql: str, parameters: Mapping[str, object] | None = None) -> None:
        """Runs a statement that returns no rows."""
        with store_errors():
            self.client.command(sql, parameters=dict(parameters or {}))

    def rows(self, sql: str, parameters: Mapping[str, object] | None = None) -> list[dict[str, object]]:
        """The rows of a query, as dicts."""
        return query_rows(self.client, sql, parameters)

    def close(self) -> None:
        """Gives the connections back; safe to call twice."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def stamp(at: datetime) -> str:
    """A time as a bound parameter, milliseconds kept: the driver would cut them."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def query_rows(
    client: Client, sql: str, parameters: Mapping[str, object] | None = None, *, zoned: bool = False
) -> list[dict[str, object]]:
    """The rows of a query, as dicts; `zoned`: times say that they are UTC. Raises StoreUnavailable, PermanentError."""
    with store_errors():
        result = client.query(sql, parameters=dict(parameters or {}))
    columns = result.result_columns
    if zoned:
        columns = [
            [_in_utc(value) for value in values] if _is_time(kind.name) else values
            for values, kind in zip(columns, result.column_types, strict=True)
        ]
    return [dict(zip(result.column_names, row, strict=True)) for row in zip(*columns, strict=True)]


def _is_time(kind: str) -> bool:
    """Also of what keeps the type of a column: max() of a SimpleAggregateFunction(max, DateTime64(3, 'UTC')) is one."""
    return "DateTime" in kind


def _in_utc(value: Any) -> Any:
    """Whatever the driver made of it; what is not told stays so."""
    if not isinstance(value, datetime):
        return value
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
