"""Writes items into the store. Blocks; every step may be repeated without changing a figure."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from schemas.errors import PermanentError
from services.sink.batch import Item, Refusal
from services.sink.cells import recompute
from services.sink.columns import TABLES, Row, columns
from services.sink.days import RollUps
from services.sink.erased import Erased
from services.sink.rows import delivery_rows, link_rows, rows_of
from services.sink.seen import Seen, seen
from streams.identity.erasures import Ledger
from streams.runtime.clickhouse import Columns
from streams.runtime.failpoints import hit
from streams.runtime.metrics import Meter

_log = logging.getLogger("touchline.sink")


class Writable(Protocol):
    """The part of Store that the sink uses. Each may raise StoreUnavailable or PermanentError."""

    def insert(self, table: str, types: Mapping[str, str], columns: Columns) -> None: ...

    def command(self, sql: str, parameters: dict[str, object]) -> None: ...

    def rows(self, sql: str, parameters: dict[str, object]) -> list[dict[str, object]]: ...


class Sink:
    """Facts and links as rows; then the map's cells of the minutes they touched."""

    def __init__(
        self, store: Writable, meter: Meter, clock: Callable[[], datetime], ledger: Ledger | None = None
    ) -> None:
        """`ledger`: of erasures, with its key, empty."""
        self._store = store
        self._erased = Erased(store, Ledger() if ledger is None else ledger)
        self._meter = meter
        self._clock = clock
        self._days = RollUps(store)

    def write(self, items: Sequence[Item]) -> list[Refusal]:
        """Stores every item that can be stored and returns the others. Raises StoreUnavailable.

        What the store refuses for good is found by halving: the halves are inserted again, which changes nothing.
        """
        items = self._erased.kept(items) if items else items
        if not items:
            return []
        try:
            self._insert(items)
        except PermanentError as error:
            if len(items) == 1:
                return [items[0].refusal(error.reason, str(error)[:500])]
            middle = len(items) // 2
            return self.write(items[:middle]) + self.write(items[middle:])
        return []

    def recompute(self, items: Sequence[Item]) -> None:
        """Brings the map's cells up to date. Also for refused items: a part of their rows may be stored."""
        touched = seen(items)
        self._meter.set("touchline_sink_dirty_minutes", len(touched.minutes))
        recompute(self._store, touched.minutes)
        self._days.touched(touched.minutes)
        self._meter.set("touchline_sink_dirty_minutes", 0)
        self._observe(touched)

    @property
    def has_days_due(self) -> bool:
        """Whether `roll_up` has something to look at."""
        return self._days.due()

    def roll_up(self) -> None:
        """Rolls up days that have come to rest. Raises StoreUnavailable."""
        try:
            self._days.run()
        except PermanentError as error:  # the figures are right without it
            self._days.put_off()
            _log.error("a day could not be rolled up", extra={"error": str(error)[:200]})

    def _observe(self, touched: Seen) -> None:
        """How far each source is; and received to visible, of the last live touchpoint: one observation a batch."""
        for source, at in touched.newest.items():
            self._meter.set("touchline_last_event_timestamp_seconds", at.timestamp(), source=source)
        if touched.last_live_at is not None:
            lag_s = (self._clock() - touched.last_live_at).total_seconds()
            self._meter.observe("touchline_processing_lag_seconds", lag_s)

    def _insert(self, items: Sequence[Item]) -> None:
        tables = self._rows(items)
        for table, types in TABLES.items():
            if rows := tables.get(table):
                self._store.insert(table, types, columns(table, rows))
                self._meter.inc("touchline_sink_rows_total", len(rows), table=table)
                hit("sink_during_insert")

    def _rows(self, items: Sequence[Item]) -> dict[str, list[Row]]:
        links = [(link, item.record.offset + 1) for item in items if (link := item.link) is not None]
        lines = [(line, item.record.offset + 1) for item in items if (line := item.delivery) is not None]
        try:
            facts = rows_of((fact for item in items if (fact := item.fact) is not None), self._clock())
            return facts | {"links": link_rows(links), "deliveries": delivery_rows(lines)}
        except (TypeError, ValueError, OverflowError) as error:  # e.g. a number beyond 64 bits
            raise PermanentError(str(error), "unencodable") from error
