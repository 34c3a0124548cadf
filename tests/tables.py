"""The record of what the migrations make: `python -m tests.tables` writes it anew after a new migration."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from services.cli.commands.doctor.tables import RECORD, Made, made
from services.sink.migrate import migrate
from streams.runtime.clickhouse import connect
from tests.clickhouse_fixture import ClickHouse, warehouse
from tests.sink_harness import store_config


def made_by_migrations(running: ClickHouse, database: str) -> Made:
    """Migrate an empty database, and say what that made."""
    config = store_config(running.base_url, database, running.data_dir / "internal.token")
    migrate(config, running.token)
    client = connect(config, running.token)
    try:
        return made(client, config)
    finally:
        client.command(f"DROP DATABASE IF EXISTS {config.bi_database}")
        client.close()


def as_text(record: Made) -> str:
    """As it is committed."""
    return json.dumps(record, indent=1, ensure_ascii=False) + "\n"


def main() -> int:
    """Write the record."""
    with tempfile.TemporaryDirectory() as folder, warehouse(Path(folder)) as (running, _):
        RECORD.write_text(as_text(made_by_migrations(running, "tables")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
