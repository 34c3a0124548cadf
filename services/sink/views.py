"""The views that analysts read: a file each in `infra/clickhouse/views`, with its definition as it is now.

A view holds no data, so it needs no history: after the migrations each one is made anew that differs from its file, or
that is older than the latest migration. What was applied is recorded in `{database}.views`.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from clickhouse_connect.driver.client import Client

from schemas.config import ClickHouseConfig
from schemas.errors import ConfigurationError
from services.sink.hiding import with_masks
from streams.runtime.clickhouse import query_rows, store_errors

VIEWS_DIR: Final = Path(__file__).parents[2] / "infra" / "clickhouse" / "views"
_HEAD: Final = re.compile(r"CREATE OR REPLACE VIEW \{bi\}\.(\w+) \{on_cluster\}\n")

_HAS_KEY: Final = "SELECT count() AS n FROM {database}.pseudonyms"

VIEWS_TABLE: Final = """
CREATE TABLE IF NOT EXISTS {database}.views {on_cluster}
(
    name       String,
    checksum   String COMMENT 'sha256 of the file',
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = {replicated}ReplacingMergeTree(applied_at)
ORDER BY name
"""

_RECORDED: Final = """
SELECT name, checksum FROM {database}.views FINAL
WHERE applied_at >= (SELECT max(applied_at) FROM {database}.migrations FINAL)
"""


@dataclass(frozen=True, slots=True)
class View:
    """One file. `text` is one statement that still has its placeholders."""

    name: str
    text: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    def statement(self, config: ClickHouseConfig) -> str:
        """What makes it, for this configuration."""
        return rendered(self.text, config).rstrip().removesuffix(";")


def load_views(directory: Path = VIEWS_DIR) -> list[View]:
    """The views in `directory`, by name. Raises ConfigurationError where a file makes another view than its name."""
    found = [View(path.stem, path.read_text(encoding="utf-8")) for path in sorted(directory.glob("*.sql"))]
    for view in found:
        if _HEAD.findall(view.text) != [view.name]:
            raise ConfigurationError(f"{view.name}.sql must make the view `{view.name}` and nothing else")
    return found


def outdated(client: Client, config: ClickHouseConfig, known: list[View]) -> list[View]:
    """Those of `known` that are to be made anew. Changes nothing."""
    there = query_rows(
        client,
        "SELECT 1 FROM system.tables WHERE database = {name:String} AND name = 'views'",
        {"name": config.database},
    )
    rows = query_rows(client, rendered(_RECORDED, config)) if there else []
    recorded = {str(row["name"]): str(row["checksum"]) for row in rows}
    return [view for view in known if recorded.get(view.name) != view.checksum]


def absent(client: Client, config: ClickHouseConfig, known: list[View]) -> list[View]:
    """Those of them that are not there, whatever is recorded: a restored database remembers views of another server."""
    rows = query_rows(
        client, "SELECT name FROM system.tables WHERE database = {name:String}", {"name": config.bi_database}
    )
    made = {str(row["name"]) for row in rows}
    return [view for view in known if view.name not in made]


def apply_views(client: Client, config: ClickHouseConfig, known: list[View]) -> None:
    """Make them and record them. A crash before the record makes them once more, which is safe."""
    with store_errors():
        client.command(rendered("CREATE DATABASE IF NOT EXISTS {bi} {on_cluster}", config))
        for view in known:
            client.command(view.statement(config))
        client.command(rendered(VIEWS_TABLE, config))
        client.insert(
            "views",
            [[view.name, view.checksum] for view in known],
            column_names=["name", "checksum"],
            database=config.database,
        )


def make_key(client: Client, config: ClickHouseConfig) -> None:
    """The key of people's pseudonyms, where there is none. Of two that were made at once all views take the older."""
    with store_errors():
        ((known,),) = client.query(rendered(_HAS_KEY, config)).result_rows
        if known == 0:
            drawn = [datetime.now(UTC), secrets.randbits(64), secrets.randbits(64)]
            client.insert("pseudonyms", [drawn], column_names=["made_at", "k0", "k1"], database=config.database)


def rendered(text: str, config: ClickHouseConfig) -> str:
    """`text` with its placeholders filled in; the values are checked by ClickHouseConfig's patterns."""
    text = with_masks(text)
    values = {
        "{database}": config.database,
        "{bi}": config.bi_database,
        "{on_cluster}": f"ON CLUSTER `{config.cluster}`" if config.cluster else "",
        "{replicated}": "Replicated" if config.cluster else "",
    }
    for placeholder, value in values.items():
        text = text.replace(placeholder, value)
    return text
