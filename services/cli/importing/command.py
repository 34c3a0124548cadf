"""The command: its options, and nothing that takes time to import."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from services.cli.console import EXIT_FINDINGS, EXIT_OK, exit_codes
from services.cli.context import DATA_DIR, ClickHouseOption, ConfigOption, DataOption, Target


def import_files(  # noqa: PLR0913 - one parameter per flag
    files: Annotated[list[Path], typer.Argument(help="CSV with a header, or JSON lines (.jsonl).")],
    kind: Annotated[str, typer.Option(help="accounts, contacts, deals, touchpoints, owners")],
    mapping: Annotated[
        list[str] | None, typer.Option("--map", metavar="COLUMN=FIELD", help="A column's field; `-` leaves it out.")
    ] = None,
    dates: Annotated[str, typer.Option(help="How 2/3/2026 is meant: dmy, mdy; iso refuses it.")] = "iso",
    encoding: Annotated[str, typer.Option(help="The files' encoding, where it is not found out.")] = "",
    as_of: Annotated[
        datetime | None, typer.Option(help="Time of rows without one, UTC. Default: the first import of the file.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Send nothing; the same report.")] = False,
    source: Annotated[str, typer.Option(help="Source to send as. Default: the first with vendor touchline.")] = "",
    gateway: Annotated[str, typer.Option(help="URL of the gateway. Default: the one that runs here.")] = "",
    data: DataOption = DATA_DIR,
    config: ConfigOption = None,
    clickhouse: ClickHouseOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Findings and reports as JSON lines on stdout.")] = False,
) -> None:
    """Load CRM records and offline touchpoints; what cannot be taken or placed is said, line by line."""
    from services.cli.importing.work import Sending, import_all, way_of

    with exit_codes():
        way = way_of(kind, mapping or [], dates, encoding, as_of)
        sending = Sending(source, gateway, dry_run, as_json)
        reports = import_all(files, way, Target(data, config, None, clickhouse), sending)
    raise typer.Exit(EXIT_FINDINGS if any(report.refused for report in reports) else EXIT_OK)
