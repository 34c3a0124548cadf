"""Migrations: numbered SQL files, forward only, each recorded with its checksum in `{database}.migrations`.

A migration is a list of statements that can all be run again, so a migration killed half-way is simply
run again. A recorded migration whose file has changed since is refused: the store would not be what the
files say.
"""

from __future__ import annotations

import hashlib
import logging
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clickhouse_connect.driver.client import Client

from schemas.config import ClickHouseConfig
from schemas.errors import ConfigurationError, StoreUnavailable
from services.sink.views import VIEWS_DIR, absent, apply_views, load_views, make_key, outdated, rendered
from streams.runtime.clickhouse import connect, query_rows, store_errors

DEFAULT_DIR: Final = Path(__file__).parents[2] / "infra" / "clickhouse" / "migrations"
_FILE_NAME: Final = re.compile(r"(\d{4})_[a-z0-9_]+\.sql\Z")
_VIEW: Final = re.compile(r"^CREATE OR REPLACE VIEW \{bi\}\.(\w+)", re.MULTILINE)
_STATEMENT_END: Final = re.compile(r";[ \t]*(?:\n|\Z)")
_log = logging.getLogger("touchline.migrate")

_MIGRATIONS_TABLE: Final = """
CREATE TABLE IF NOT EXISTS {database}.migrations {on_cluster}
(
    version    UInt32,
    name       String,
    checksum   String COMMENT 'sha256 of the file',
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = {replicated}ReplacingMergeTree(applied_at)
ORDER BY version
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file. `text` still has its placeholders."""

    version: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    def statements(self, config: ClickHouseConfig) -> list[str]:
        """Its statements for this configuration, in order; without views that have a file: those are made last."""
        parts = _STATEMENT_END.split(self.text)
        return [rendered(part, config) for part in parts if _has_code(part) and not _has_file(part)]


def migrate(
    config: ClickHouseConfig, password: str = "", *, deadline_s: float = 60.0, directory: Path = DEFAULT_DIR
) -> list[str]:
    """Applies what is missing and returns the names applied: migrations, oldest first, then views as `views/NAME`.

    Waits up to `deadline_s` for ClickHouse, then raises StoreUnavailable. Raises ConfigurationError when the files
    and what was applied contradict each other.
    """
    client = _wait_for_store(config, password, deadline_s)
    try:
        missing = _missing(client, config, load(directory))
        for migration in missing:
            _apply(client, config, migration)
        make_key(client, config)
        known = load_views()
        due = {view.name for view in (*outdated(client, config, known), *absent(client, config, known))}
        views = [view for view in known if view.name in due]
        if views:
            apply_views(client, config, views)
            _log.info("views made anew", extra={"views": len(views)})
        return [*(migration.name for migration in missing), *(f"views/{view.name}" for view in views)]
    finally:
        client.close()


def pending(config: ClickHouseConfig, password: str = "", *, directory: Path = DEFAULT_DIR) -> list[str]:
    """Names of what is still to be applied, as `migrate` returns them. Changes nothing. Raises as `migrate` does."""
    client = connect(config, password, database="default")
    try:
        missing = _missing(client, config, load(directory))
        views = load_views() if missing else outdated(client, config, load_views())
        return [*(migration.name for migration in missing), *(f"views/{view.name}" for view in views)]
    finally:
        client.close()


def load(directory: Path = DEFAULT_DIR) -> list[Migration]:
    """The migrations in `directory`, by number; numbers may be left out. Raises ConfigurationError for twins."""
    found = []
    for path in sorted(directory.glob("*.sql")):
        match = _FILE_NAME.match(path.name)
        if match is None:
            raise ConfigurationError(f"{path.name}: a migration is called NNNN_words.sql")
        found.append(Migration(int(match[1]), path.stem, path.read_text()))
    if not found or len({migration.version for migration in found}) < len(found):
        raise ConfigurationError(f"{directory} must hold migrations 0001, 0002, … without twins")
    return found


def _has_file(statement: str) -> bool:
    view = _VIEW.search(statement)
    return view is not None and (VIEWS_DIR / f"{view[1]}.sql").exists()


def _has_code(statement: str) -> bool:
    return any(line.strip() and not line.lstrip().startswith("--") for line in statement.splitlines())


def _wait_for_store(config: ClickHouseConfig, password: str, deadline_s: float) -> Client:
    deadline = time.monotonic() + deadline_s
    while True:
        try:
            return connect(config, password, database="default")
        except StoreUnavailable:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.2)


def _apply(client: Client, config: ClickHouseConfig, migration: Migration) -> None:
    for statement in migration.statements(config):
        with store_errors():
            client.command(statement)
    with store_errors():  # last: a crash before it runs the statements again, which is safe
        client.command(rendered(_MIGRATIONS_TABLE, config))
        client.insert(
            "migrations",
            [[migration.version, migration.name, migration.checksum]],
            column_names=["version", "name", "checksum"],
            database=config.database,
        )
    _log.info("migrated", extra={"migration": migration.name})


def _missing(client: Client, config: ClickHouseConfig, known: Sequence[Migration]) -> list[Migration]:
    applied = _applied(client, config)
    by_version = {migration.version: migration for migration in known}
    for version, checksum in applied.items():
        if version not in by_version:
            raise ConfigurationError(
                f"database `{config.database}` has migration {version:04}, which this version does not know: "
                "run the newer version, or restore a backup"
            )
        if by_version[version].checksum != checksum:
            raise ConfigurationError(
                f"{by_version[version].name}.sql has changed since it was applied to `{config.database}`: "
                "put the file back and write a new migration"
            )
    return [migration for migration in known if migration.version not in applied]


def _applied(client: Client, config: ClickHouseConfig) -> dict[int, str]:
    there = query_rows(
        client,
        "SELECT 1 FROM system.tables WHERE database = {name:String} AND name = 'migrations'",
        {"name": config.database},
    )
    if not there:
        return {}
    rows = query_rows(client, f"SELECT version, checksum FROM {config.database}.migrations FINAL ORDER BY version")
    return {int(str(row["version"])): str(row["checksum"]) for row in rows}
