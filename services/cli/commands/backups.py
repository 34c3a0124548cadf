"""`touchline backup` and `touchline restore`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.cli.console import EXIT_FINDINGS, emit, exit_codes, say
from services.cli.context import DATA_DIR, DataOption

BackupArgument = Annotated[Path, typer.Argument(help="Folder of the backup, best on another disk.", metavar="DIR")]


def backup(
    into: BackupArgument,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; read the backup in DIR and compare every checksum.")
    ] = False,
    data: DataOption = DATA_DIR,
) -> None:
    """Write the data folder into DIR, which is new or empty. What runs is stopped for some seconds and comes back."""
    from services.cli.backup.folder import back_up

    with exit_codes():
        if check:
            _check(into)
            return
        done = back_up(data, into, say)
    emit(done)
    say(
        f"The backup holds secrets and what customers did: keep it as you keep those. `touchline backup --check {into}`"
    )


def restore(backup: BackupArgument, data: DataOption = DATA_DIR) -> None:
    """Make a new data folder from the backup in DIR; `touchline up` goes on from there."""
    from services.cli.backup.restoring import restore as bring

    with exit_codes():
        done = bring(backup, data, say)
    emit(done)
    say(
        f"What was answered with 2xx after {done['taken_at']} is not in it: start `touchline up`, and have senders "
        "send it again. What is there already does not change."
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
