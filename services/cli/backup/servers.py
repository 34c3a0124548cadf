"""The backup of the server profile: the topics into the folder, ClickHouse's tables to where its server puts them.

Nothing is stopped. First it is written down how far each group has read, then ClickHouse makes its backup, then the
topics are read to where they end by then. So what a group had done after the first step is done again after a restore,
which changes nothing, and nothing that was answered with 2xx before it is missing.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from services.cli.backup import database, topics
from services.cli.backup.copying import check, checksum
from services.cli.backup.manifest import (
    CONTENT,
    PARTIAL,
    BackupRefused,
    FileEntry,
    Manifest,
    read_manifest,
    write_manifest,
)
from services.cli.backup.target import unfinished
from services.cli.backup.written_by import installed, refuse_newer
from services.cli.context import Target, store_client
from services.supervisor.private import UMASK

PROGRESS: Final = "progress.json"
Say = Callable[[str], None]
LONG_S: Final = 24 * 3600.0
"""ClickHouse answers when its backup is made."""


def back_up(target: Target, into: Path, say: Say) -> dict[str, object]:
    """Writes the servers' state into `into`, and says where ClickHouse's part is. Raises BackupRefused, KafkaAway."""
    os.umask(UMASK)
    into, config, began_s, taken_at = into.resolve(), target.load(), time.monotonic(), datetime.now(UTC)
    with unfinished(into, PARTIAL, "a backup"):
        groups = asyncio.run(topics.committed(config.kafka))
        client = store_client(config, timeout_s=LONG_S)
        try:
            name = f"{config.clickhouse.database}-{taken_at:%Y%m%dT%H%M%SZ}"
            saved = database.save(client, config.clickhouse.database, name)
        finally:
            client.close()
        say(f"ClickHouse has made its backup {saved.name}: {saved.bytes:,} bytes")
        root = into / CONTENT
        root.mkdir(mode=0o700)
        ends = asyncio.run(topics.save(config.kafka, root, say))
        (root / PROGRESS).write_bytes(topics.Progress(ends=ends, groups=groups).encoded())
        manifest = _described(root, taken_at, saved).changed(clickhouse_database=config.clickhouse.database)
        write_manifest(into, manifest)
    return {
        "backup": str(into),
        "taken_at": taken_at,
        "files": len(manifest.files),
        "bytes": manifest.bytes,
        "clickhouse_backup": saved.name,
        "clickhouse_bytes": saved.bytes,
        "stopped_s": 0.0,
        "duration_s": round(time.monotonic() - began_s, 1),
    }


def _described(root: Path, taken_at: datetime, saved: database.Saved) -> Manifest:
    paths = sorted(path for path in root.rglob("*") if path.is_file())
    return Manifest(
        kind="servers",
        taken_at=taken_at,
        versions=installed().changed(kafka="", engine=""),
        clickhouse_backup=saved.name,
        clickhouse_bytes=saved.bytes,
        files=tuple(
            FileEntry(path=path.relative_to(root).as_posix(), bytes=path.stat().st_size, sha256=checksum(path))
            for path in paths
        ),
    )


def restore(backup: Path, target: Target, say: Say) -> dict[str, object]:
    """Makes empty servers what the backup holds; what was done. A killed restore is run again.

    Raises BackupRefused: something is there, something newer wrote the backup, or a file is damaged. Raises KafkaAway.
    """
    began_s, manifest, config = time.monotonic(), read_manifest(backup), target.load()
    refuse_newer(manifest, installed())
    root = backup / CONTENT
    if damaged := [wrong for file in manifest.files if (wrong := check(root, file))]:
        raise BackupRefused(f"{backup} is damaged: {damaged[0]}; nothing was restored. Use another backup")
    progress = topics.Progress.model_validate_json((root / PROGRESS).read_bytes())
    asyncio.run(topics.bring(config.kafka, root, progress, say))
    client = store_client(config, database="default", timeout_s=LONG_S)
    try:
        database.bring(client, config.clickhouse.database, manifest.clickhouse_database, manifest.clickhouse_backup)
    finally:
        client.close()
    return {
        "restored": config.clickhouse.url,
        "taken_at": manifest.taken_at,
        "written_by": manifest.versions.touchline,
        "files": len(manifest.files),
        "bytes": manifest.bytes,
        "clickhouse_bytes": manifest.clickhouse_bytes,
        "duration_s": round(time.monotonic() - began_s, 1),
    }
