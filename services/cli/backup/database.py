"""ClickHouse's own BACKUP and RESTORE of the database of a server, to the place that the server allows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from schemas.errors import PermanentError, TransientError
from services.cli.backup.manifest import BackupRefused
from streams.runtime.clickhouse import query_rows, store_errors

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

#: Names as of databases and backups; nothing else is put into a statement.
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,120}\Z")
_ALLOW: Final = (
    "Does the server allow it? It needs <backups><allowed_path>…</allowed_path></backups> in its configuration, a "
    "folder there that it may write to, and this user GRANT FILE ON *.*: as in infra/clickhouse/server"
)


@dataclass(frozen=True, slots=True)
class Saved:
    """What ClickHouse says of a backup that it has made."""

    name: str
    bytes: int


def save(client: Client, database: str, name: str) -> Saved:
    """Everything in `database`, as the server's backup `name`; the server works on meanwhile. Raises BackupRefused."""
    try:
        with store_errors():
            client.command(f"BACKUP DATABASE {_checked(database)} TO File('{_checked(name)}')")
    except (PermanentError, TransientError) as error:
        raise BackupRefused(f"ClickHouse does not back up: {str(error)[:300]}. {_ALLOW}") from None
    rows = query_rows(
        client,
        "SELECT total_size FROM system.backups WHERE name = {name:String} ORDER BY start_time DESC LIMIT 1",
        {"name": f"File('{name}')"},
    )
    return Saved(name, int(str(rows[0]["total_size"])) if rows else 0)


def bring(client: Client, database: str, saved: str, name: str) -> None:
    """Make `database` what the server's backup `name` of the database `saved` holds. A killed one is run again.

    It is restored beside, and gets its name when it is whole. Raises BackupRefused: there is something in `database`.
    """
    beside = f"{_checked(database)}_restoring"
    tables = query_rows(
        client,
        "SELECT name FROM system.tables WHERE database = {name:String} ORDER BY name LIMIT 3",
        {"name": database},
    )
    if tables:
        some = ", ".join(str(row["name"]) for row in tables)
        raise BackupRefused(
            f"database `{database}` is not empty, it has {some}: restore into a new server, or drop it by hand"
        )
    try:
        with store_errors():
            client.command(f"DROP DATABASE IF EXISTS {beside} SYNC")
            client.command(f"RESTORE DATABASE {_checked(saved)} AS {beside} FROM File('{_checked(name)}')")
            client.command(f"DROP DATABASE IF EXISTS {database} SYNC")
            client.command(f"RENAME DATABASE {beside} TO {database}")
    except (PermanentError, TransientError) as error:
        raise BackupRefused(f"ClickHouse does not restore {name}: {str(error)[:300]}. {_ALLOW}") from None


def _checked(name: str) -> str:
    if not _NAME.match(name):
        raise BackupRefused(f"{name[:80]!r} is no name that can stand in a statement")
    return name
