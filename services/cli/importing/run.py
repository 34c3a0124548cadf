"""One file after the other: read, checked by the very mapping that will take it, batched, sent, reported."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import orjson

from schemas.errors import PermanentError
from schemas.touchpoints import CleanTouchpoint, RawRequest
from services.cli.importing.columns import Columns, DateOrder
from services.cli.importing.files import Opened, Row, survey
from services.cli.importing.findings import BadRow, Finding
from services.cli.importing.journal import Journal, Standing
from services.cli.importing.placing import Known, doubt
from services.cli.importing.report import Report
from services.cli.importing.sending import Batch, Batcher, Sender
from streams.connectors.own import touchline
from streams.connectors.own.naming import RefusedField
from streams.connectors.results import Message

JOURNAL_EVERY_S = 1.0
_BREATHE_ROWS = 200


@dataclass(frozen=True, slots=True)
class Way:
    """How files are read. `record` is the kind of record; `as_of` the time of rows that have none."""

    record: str
    mapping: dict[str, str] = field(default_factory=dict)
    dates: DateOrder = "iso"
    encoding: str = ""
    as_of: datetime | None = None

    @property
    def name(self) -> str:
        """Equal for ways that make the same records of the same file."""
        return f"{self.record}\n{sorted(self.mapping.items())}\n{self.dates}\n{self.encoding}\n{self.as_of}"


@dataclass(frozen=True, slots=True)
class Outside:
    """What an import meets: no sender for a dry run; where it remembers; who hears of what."""

    sender: Sender | None
    source: str
    journals: Path
    on_finding: Callable[[Finding], None]
    on_progress: Callable[[str], None]
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)


class FileImport:
    """One run over one file."""

    def __init__(self, path: Path, way: Way, known: Known, outside: Outside) -> None:
        self._outside, self._known, self._way = outside, known, way
        self._opened = Opened(survey(path, way.encoding))
        self._columns = Columns(way.record, way.mapping, way.dates)
        self._journal = Journal(outside.journals, self._opened.survey.digest, way.name)
        now = outside.clock().replace(microsecond=0)
        self._standing = self._journal.standing(way.as_of or now)
        self._request = RawRequest(
            request_id="import", source=outside.source, vendor="touchline", received_at=now, body=""
        )
        self.last_event_id = ""
        self._noted_s = self._began_s = time.monotonic()
        self.report = Report(str(path), outside.sender is None, self._opened.survey.note)

    async def run(self) -> Report:
        """Raises UsageError for a file that cannot be read, PermanentError when the gateway refuses it."""
        async with aclosing(self._batches()) as batches:
            if self._outside.sender is None:
                async for batch in batches:
                    self.report.sent += len(batch.records)
            else:
                self._journal.note(self._standing)
                await self._outside.sender.send_all(batches, self._safe)
                self._journal.note(Standing(as_of=self._standing.as_of))
        self.report.untaken_columns = tuple(sorted(self._columns.untaken))
        return self.report

    def _safe(self, batch: Batch) -> None:
        self.report.sent += len(batch.records)
        if time.monotonic() - self._noted_s >= JOURNAL_EVERY_S:
            self._noted_s = time.monotonic()
            self._journal.note(Standing(as_of=self._standing.as_of, line=batch.last_line))

    async def _batches(self) -> AsyncGenerator[Batch, None]:
        batcher = Batcher()
        for row in self._opened.rows():
            if self.report.rows == 0:
                self._columns.check(self._opened.columns)
            self.report.rows += 1
            if self.report.rows % _BREATHE_ROWS == 0:
                self._outside.on_progress(self._progress())
                await asyncio.sleep(0)
            record = self._record(row)
            if record is not None and (batch := batcher.add(record, row.line)):
                yield batch
        if batch := batcher.take():
            yield batch

    def _record(self, row: Row | BadRow) -> bytes | None:
        """The row as it is sent; None when it is refused, or safe already."""
        message = self._columns.message(row, self._standing.as_of) if isinstance(row, Row) else row
        if isinstance(message, BadRow):
            self._report(message.finding(self.report.file))
            return None
        try:
            touchpoint = touchline.touchpoint(message, {}, self._request)
        except PermanentError as error:
            self._report(self._bad(row.line, error).finding(self.report.file))
            return None
        self._doubt(row.line, message, touchpoint)
        self.report.phones_not_taken += _has_lost_phone(message, touchpoint)
        if row.line <= self._standing.line:
            self.report.already_safe += 1
            return None
        self.last_event_id = touchpoint.event_id
        return orjson.dumps(message)

    def _bad(self, line: int, error: PermanentError) -> BadRow:
        if not isinstance(error, RefusedField):
            return BadRow(line, "", None, str(error), "see docs/how-to/import.md for the fields")
        column = self._columns.column_of(tuple(error.field.split(".")))
        label = column if column == error.field else f"{column} ({error.field})"
        reason, _, fix = error.why.partition("; ")
        return BadRow(line, label, error.value, reason, fix or "see docs/how-to/import.md for the fields")

    def _doubt(self, line: int, message: Message, touchpoint: CleanTouchpoint) -> None:
        found = doubt(self._known, self._way.record, touchpoint)
        if found is not None:
            about = str(message.get("id") or next(iter(touchpoint.aliases), "") or message.get("name", ""))
            self._report(Finding("unplaced", self.report.file, line, self._way.record, about[:60], *found))

    def _report(self, finding: Finding) -> None:
        self.report.add(finding)
        self._outside.on_finding(finding)

    def _progress(self) -> str:
        done, passed_s = self._opened.position_bytes, time.monotonic() - self._began_s
        whole = max(self._opened.survey.size_bytes, 1)
        left_s = passed_s / done * (whole - done) if done else 0.0
        rate = self.report.rows / passed_s if passed_s else 0.0
        return f"import      {self.report.rows:,} rows · {done / whole:.0%} · {rate:,.0f}/s · {left_s:.0f} s left"


def _has_lost_phone(message: Message, touchpoint: CleanTouchpoint) -> bool:
    """A number without its country could be anyone's, so it names nobody."""
    person = message.get("person")
    stated = message.get("phone") or (person.get("phone") if isinstance(person, dict) else "")
    return bool(stated) and not any(name.startswith("phone:") for name in touchpoint.aliases)
