"""All files of one command: who sends, what is known before, and when it has arrived."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, get_args

import httpx
import typer

from schemas.errors import TransientError
from services.cli.console import UsageError, emit, say
from services.cli.context import Target
from services.cli.importing.columns import KINDS, DateOrder
from services.cli.importing.findings import Finding
from services.cli.importing.known import is_there, stored
from services.cli.importing.placing import Known
from services.cli.importing.report import Report
from services.cli.importing.run import FileImport, Outside, Way
from services.cli.importing.sending import AT_ONCE, TIMEOUT_S, Sender
from services.cli.operators import operator
from services.demo.progress import Terminal
from streams.connectors.registry import directories_of

ARRIVES_WITHIN_S = 20.0
PROGRESS_EVERY_S = 10.0


class Sending(NamedTuple):
    """How the command was told to send and to speak; empty names are found."""

    source: str
    gateway: str
    dry_run: bool
    as_json: bool


def way_of(kind: str, mapping: Sequence[str], dates: str, encoding: str, as_of: datetime | None) -> Way:
    """The options as a way to read. Raises typer.BadParameter, UsageError."""
    orders: tuple[DateOrder, ...] = get_args(DateOrder)
    if kind not in KINDS:
        raise typer.BadParameter(f"--kind is one of {', '.join(KINDS)}")
    if dates not in orders:
        raise typer.BadParameter(f"--dates is one of {', '.join(orders)}")
    at = as_of.replace(tzinfo=UTC) if as_of else None
    return Way(KINDS[kind], _mapping(mapping), dates, encoding, at)


def import_all(files: Sequence[Path], way: Way, target: Target, how: Sending) -> list[Report]:
    """One report a file. Raises UsageError, ConfigurationError, PermanentError."""
    return asyncio.run(_import_all(files, way, target, how))


async def _import_all(files: Sequence[Path], way: Way, target: Target, how: Sending) -> list[Report]:
    terminal, reports, last_event_id = Terminal(sys.stderr), [], ""
    sends_as = operator(target, how.source, how.gateway)
    known = _known(target)
    async with httpx.AsyncClient(timeout=TIMEOUT_S, limits=httpx.Limits(max_connections=AT_ONCE)) as client:
        sender = None if how.dry_run else Sender(client, sends_as.gateway_url, sends_as.key(), terminal.say)
        outside = Outside(
            sender=sender,
            source=sends_as.name,
            journals=target.data / "imports",
            on_finding=_emit_finding if how.as_json else lambda finding: None,
            on_progress=lambda text: terminal.progress(text, PROGRESS_EVERY_S),
        )
        for path in files:
            work = FileImport(path, way, known, outside)
            reports.append(await work.run())
            terminal.done(f"import      {path.name} done")
            _show(reports[-1], as_json=how.as_json)
            last_event_id = work.last_event_id or last_event_id
    if last_event_id and not how.dry_run:
        await _until_there(target, last_event_id, terminal.say)
    return reports


async def _until_there(target: Target, event_id: str, say: Callable[[str], None]) -> None:
    """So that the next import finds what this one brought. Without ClickHouse nobody can say."""
    until_s = time.monotonic() + ARRIVES_WITHIN_S
    with suppress(TransientError), target.store() as client:
        while not is_there(client, event_id):
            if time.monotonic() > until_s:
                say("import      acknowledged; the last rows are still on their way to the map")
                return
            await asyncio.sleep(0.3)


def _emit_finding(finding: Finding) -> None:
    emit(finding.as_dict())


def _show(report: Report, *, as_json: bool) -> None:
    if as_json:
        emit({"report": report.as_dict()})
        return
    for line in report.lines():
        print(line)


def _mapping(stated: Sequence[str]) -> dict[str, str]:
    found = {}
    for text in stated:
        column, equals, field = text.rpartition("=")
        if not equals or not column:
            raise UsageError(f"--map {text}: write COLUMN=FIELD")
        found[column] = field
    return found


def _known(target: Target) -> Known:
    """What is stored of accounts; nothing, and said so, when the store is away."""
    try:
        with target.store() as client:
            return stored(client, directories_of(target.load()))
    except TransientError:
        say("ClickHouse does not answer: what is placed is judged by this import's own accounts alone")
        return Known.of(directories_of(target.load()), set())
