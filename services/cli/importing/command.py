"""The command: options in, findings and a report out."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from services.cli.console import EXIT_FINDINGS, EXIT_OK, emit, exit_codes, say
from services.cli.context import DATA_DIR, ClickHouseOption, ConfigOption, DataOption, Target

if TYPE_CHECKING:
    from services.cli.importing.findings import Finding
    from services.cli.importing.placing import Known
    from services.cli.importing.report import Report
    from services.cli.importing.run import Way


ARRIVES_WITHIN_S = 20.0


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
    from services.cli.importing.columns import KINDS
    from services.cli.importing.run import Way

    if kind not in KINDS:
        raise typer.BadParameter(f"--kind is one of {', '.join(KINDS)}")
    if dates not in ("iso", "dmy", "mdy"):
        raise typer.BadParameter("--dates is one of iso, dmy, mdy")
    with exit_codes():
        way = Way(KINDS[kind], _mapping(mapping or []), dates, encoding, as_of and as_of.replace(tzinfo=UTC))  # type: ignore[arg-type]
        target = Target(data, config, None, clickhouse)
        reports = asyncio.run(_import(files, way, target, _Where(source, gateway, dry_run, as_json)))
    raise typer.Exit(EXIT_FINDINGS if any(report.refused for report in reports) else EXIT_OK)


class _Where(NamedTuple):
    source: str
    gateway: str
    dry_run: bool
    as_json: bool


async def _import(files: list[Path], way: Way, target: Target, where: _Where) -> list[Report]:
    import httpx

    from services.cli.importing.run import FileImport, Outside
    from services.cli.importing.sending import AT_ONCE, TIMEOUT_S, Sender
    from services.cli.operators import operator
    from services.demo.progress import Terminal

    terminal, reports = Terminal(sys.stderr), []
    sends_as = operator(target, where.source, where.gateway)
    known = _known(target)
    limits = httpx.Limits(max_connections=AT_ONCE)
    async with httpx.AsyncClient(timeout=TIMEOUT_S, limits=limits) as client:
        sender = None if where.dry_run else Sender(client, sends_as.gateway_url, sends_as.key(), terminal.say)
        outside = Outside(
            sender=sender,
            source=sends_as.name,
            journals=target.data / "imports",
            on_finding=_emit_finding if where.as_json else lambda finding: None,
            on_progress=lambda text: terminal.progress(text, 10.0),
        )
        for path in files:
            work = FileImport(path, way, known, outside)
            reports.append(await work.run())
            terminal.done(f"import      {path.name} done")
            _show(reports[-1], where.as_json)
    if not where.dry_run and work.last_event_id:
        await _until_there(target, work.last_event_id, terminal.say)
    return reports


async def _until_there(target: Target, event_id: str, tell: Callable[[str], None]) -> None:
    """So that the next import finds what this one brought. Without ClickHouse nobody can say."""
    from schemas.errors import TransientError
    from services.cli.importing.known import is_there

    until_s = time.monotonic() + ARRIVES_WITHIN_S
    with suppress(TransientError), target.store() as client:
        while not is_there(client, event_id):
            if time.monotonic() > until_s:
                tell("import      acknowledged; the last rows are still on their way to the map")
                return
            await asyncio.sleep(0.3)


def _emit_finding(finding: Finding) -> None:
    emit(finding.as_dict())


def _show(report: Report, as_json: bool) -> None:
    if as_json:
        emit({"report": report.as_dict()})
        return
    for line in report.lines():
        print(line)


def _mapping(stated: list[str]) -> dict[str, str]:
    from schemas.errors import ConfigurationError

    found = {}
    for text in stated:
        column, equals, field = text.rpartition("=")
        if not equals or not column:
            raise ConfigurationError(f"--map {text}: write COLUMN=FIELD")
        found[column] = field
    return found


def _known(target: Target) -> Known:
    """What is stored of accounts; nothing, and said so, when the store is away."""
    from schemas.errors import TransientError
    from services.cli.importing.known import stored

    logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)  # we say it ourselves, in one line
    try:
        with target.store() as client:
            return stored(client)
    except TransientError:
        from services.cli.importing.placing import Known

        say("ClickHouse does not answer: what is placed is judged by this import's own accounts alone")
        return Known()
