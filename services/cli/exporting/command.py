"""The command line of `touchline export`."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from services.cli.console import UsageError, emit, exit_codes, say
from services.cli.context import DATA_DIR, ClickHouseOption, ConfigOption, DataOption, Target

export = typer.Typer(no_args_is_help=True, help="The views for analysts as files.")


@export.callback()
def _group() -> None:
    """Keeps `parquet` a command of its own."""


@export.command("parquet")
def parquet(  # noqa: PLR0913 - one parameter per flag
    into: Annotated[Path, typer.Argument(help="Folder of the files; made if missing.", metavar="DIR")],
    view: Annotated[list[str] | None, typer.Option(help="Only this view; may be given again.")] = None,
    day: Annotated[
        list[str] | None, typer.Option(help="Only this day (UTC), as 2026-11-30; may be given again.")
    ] = None,
    hide_people: Annotated[
        bool, typer.Option(help="As viewers see the views: no names, no texts, pseudonyms.")
    ] = False,
    data: DataOption = DATA_DIR,
    config: ConfigOption = None,
    clickhouse: ClickHouseOption = None,
) -> None:
    """Write each view of `bi` as Parquet: a file a day where it has days, else one. Run it every night.

    Only what has changed is written; a run that was broken off goes on where it stood.
    """
    from services.cli.context import store_client
    from services.cli.exporting.parquet import Export
    from services.sink.hiding import VIEWER

    with exit_codes():
        days = [_day(text) for text in day or ()]
        loaded = Target(data, config, None, clickhouse).load()
        client = store_client(loaded, timeout_s=3_600)
        try:
            asker = VIEWER if hide_people else ""
            for line in Export(client, loaded.clickhouse.bi_database, into, days, asker).run(view or (), say):
                emit(line)
        finally:
            client.close()


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise UsageError(f"--day {text[:40]!r} is no day: write it as 2026-11-30") from None
