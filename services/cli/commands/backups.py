"""`touchline backup` and `touchline restore`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.cli.console import EXIT_FINDINGS, emit, exit_codes, say
from services.cli.context import DATA_DIR, ClickHouseOption, ConfigOption, DataOption, KafkaOption, Target

BackupArgument = Annotated[Path, typer.Argument(help="Folder of the backup, best on another disk.", metavar="DIR")]


def backup(  # noqa: PLR0913 - one parameter per flag
    into: BackupArgument,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; read the backup in DIR and compare every checksum.")
    ] = False,
    data: DataOption = DATA_DIR,
    config: ConfigOption = None,
    kafka: KafkaOption = None,
    clickhouse: ClickHouseOption = None,
) -> None:
    """Write everything into DIR, which is new or empty.

    A data folder is stopped for some seconds and comes back. Servers of your own go on; ClickHouse puts its part where
    its configuration allows.
    """
    from services.cli.backup import folder, servers

    with exit_codes():
        if check:
            _check(into)
            return
        target = Target(data, config, kafka, clickhouse)
        done = folder.back_up(data, into, say) if folder.is_one(data) else servers.back_up(target, into, say)
    emit(done)
    say(f"It holds secrets and what customers did: keep it as you keep those. Next: `touchline backup --check {into}`")


def restore(  # noqa: PLR0913 - one parameter per flag
    backup: BackupArgument,
    ledger: Annotated[
        Path | None,
        typer.Option(help="privacy/ledger.jsonl of the folder that was there before, with whom you erased since."),
    ] = None,
    data: DataOption = DATA_DIR,
    config: ConfigOption = None,
    kafka: KafkaOption = None,
    clickhouse: ClickHouseOption = None,
) -> None:
    """Make a new data folder, or empty servers, what the backup in DIR holds. Nothing else may run meanwhile."""
    from services.cli.backup import restoring, servers
    from services.cli.backup.manifest import read_manifest
    from services.cli.privacy.folder import PrivacyFolder

    with exit_codes():
        # one that cannot be read is refused before anything is written
        newer = list(PrivacyFolder(data).ledger(ledger)) if ledger else []
        if read_manifest(backup).kind == "folder":
            done = restoring.restore(backup, data, say)
        else:
            done = servers.restore(backup, Target(data, config, kafka, clickhouse), say)
        since = PrivacyFolder(data).add(newer)
    emit(done | ({"erasures_since": since} if ledger else {}))
    say(
        f"What was answered with 2xx after {done['taken_at']} is not in it: start everything, and have senders "
        "send it again. What is there already does not change. Whom you have erased since is in it: "
        + (
            "`touchline erase --requested`, on your schedule or now, erases them again."
            if ledger
            else "run `touchline erase --again --ledger FILE` with the newer ledger."
        )
    )


def _check(backup: Path) -> None:
    from services.cli.backup.manifest import read_manifest
    from services.cli.backup.restoring import TOLD, damages
    from services.cli.backup.written_by import installed, refuse_newer

    manifest = read_manifest(backup)
    refuse_newer(manifest, installed())
    found = damages(backup, manifest)
    for line in found[:TOLD]:
        say(line)
    if found:
        say(f"{backup} is damaged: {len(found)} difference(s). Use another backup")
        raise typer.Exit(EXIT_FINDINGS)
    emit({"backup": str(backup), "taken_at": manifest.taken_at, "files": len(manifest.files), "bytes": manifest.bytes})
    say("The backup is as it was written.")
    if manifest.clickhouse_backup:
        say(f"ClickHouse compares its part, {manifest.clickhouse_backup}, when it restores it.")
