"""Versions: what wrote a backup, and whether this installation may read it."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from services.cli.backup.manifest import BackupRefused, Manifest, Versions
from services.embedded.kafka.settings import KAFKA_VERSION
from services.sink.migrate import load
from streams.runtime.metrics import installed_version


def installed() -> Versions:
    """What this installation writes."""
    return Versions(
        touchline=installed_version(), schema_version=load()[-1].version, kafka=KAFKA_VERSION, engine=_engine()
    )


def of_folder(folder: Path) -> Versions:
    """What wrote the folder last, as far as its files tell."""
    ours = installed()
    try:
        kafka = str(json.loads((folder / "kafka" / "broker.json").read_text())["kafka_version"])
    except (OSError, ValueError, KeyError, TypeError):
        kafka = ""
    return ours.changed(kafka=kafka, engine=ours.engine if (folder / "clickhouse").exists() else "")


def refuse_newer(manifest: Manifest, ours: Versions) -> None:
    """Raises BackupRefused when something newer than this installation wrote it: formats are read forward only."""
    theirs = manifest.versions
    newer = [
        f"{what} {theirs_is} (here {ours_is})"
        for what, theirs_is, ours_is in (
            ("Touchline", theirs.touchline, ours.touchline),
            ("schema", str(theirs.schema_version), str(ours.schema_version)),
            ("Kafka", theirs.kafka, ours.kafka),
            ("chdb", theirs.engine, ours.engine),
        )
        if numbers(theirs_is) > numbers(ours_is)
    ]
    if newer:
        raise BackupRefused(
            f"the backup was written by a newer version: {', '.join(newer)}. Install Touchline {theirs.touchline} or "
            "newer, and restore with that"
        )


def numbers(text: str) -> tuple[int, ...]:
    """1.10.2 as (1, 10, 2); nothing for what is no such version, which is taken for old."""
    return tuple(int(part) for part in text.split(".") if part.isdigit())


def _engine() -> str:
    try:
        return version("chdb")
    except PackageNotFoundError:
        return ""
