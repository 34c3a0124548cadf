"""Which facts the store has: by the ids and versions of the rows they become, never by counting.

A row is there when the store has its key with this version or a later one: what knew less has lost its place to what
knew more, and that may have been merged away. A tombstone is a row like any other, and so is a touchpoint under each
account it ever belonged to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from schemas.base import EPOCH
from services.sink.batch import Item
from services.sink.columns import Row
from services.sink.rows import delivery_rows, link_rows, rows_of

Key = tuple[object, ...]
Ask = Callable[[str, dict[str, object]], Sequence[Mapping[str, object]]]
"""Runs a query. Raises StoreUnavailable."""
MAX_KEYS: Final = 300
MAX_KEY_CHARS: Final = 10_000
"""Of one question: the keys travel in the URL, where a character may take three."""


@dataclass(frozen=True, slots=True)
class _Keyed:
    """What finds a row of a table, and what orders the rows of one key."""

    key: tuple[str, ...]
    version: str


KEYED: Final[Mapping[str, _Keyed]] = {
    "touchpoints": _Keyed(("minute", "account_id", "event_id"), "revision"),
    "histories": _Keyed(("account_id", "event_id"), "revision"),
    "signals": _Keyed(("account_id", "signal_id"), "revision"),
    "account_journeys": _Keyed(("account_id",), "revision"),
    "corrections": _Keyed(("account_id", "correction_id"), "corrected_at"),
    "proposals": _Keyed(("proposal_id",), "revision"),
    "links": _Keyed(("link_id",), "position"),
    "deliveries": _Keyed(("notice_id", "channel", "outcome"), "position"),
}
"""Every table of facts that stay. How fresh a source is comes again with its next event; what was ignored expires."""


def missing(items: Sequence[Item], ask: Ask) -> dict[str, list[Item]]:
    """Table → the items of which it lacks the row; tables that lack nothing are left out. Raises StoreUnavailable."""
    wanted: dict[str, dict[Key, tuple[int, Item]]] = {table: {} for table in KEYED}
    for item in items:
        for table, row in _rows(item):
            key, version = _identity(table, row)
            if version >= wanted[table].get(key, (-1, item))[0]:
                wanted[table][key] = (version, item)
    found: dict[str, list[Item]] = {}
    for table, keys in wanted.items():
        stored = _stored(table, list(keys), ask)
        lacking = [item for key, (version, item) in keys.items() if stored.get(key, -1) < version]
        if lacking:
            found[table] = lacking
    return found


def described(table: str, item: Item) -> str:
    """The row that is not there, and where in Kafka its fact stands."""
    row = next(row for name, row in _rows(item) if name == table)
    key = " ".join(str(part) for part in _identity(table, row)[0] if isinstance(part, str))
    return f"{key} ({item.record.topic}/{item.record.partition}@{item.record.offset})"


def _rows(item: Item) -> Iterator[tuple[str, Row]]:
    if item.link is not None:
        yield "links", link_rows([(item.link, item.record.offset + 1)])[0]
    elif item.delivery is not None:
        yield "deliveries", delivery_rows([(item.delivery, item.record.offset + 1)])[0]
    elif item.fact is not None:
        for table, rows in rows_of([item.fact], EPOCH).items():
            if table in KEYED:
                yield table, rows[0]


def _identity(table: str, row: Row) -> tuple[Key, int]:
    keyed = KEYED[table]
    return tuple(row[column] for column in keyed.key), int(str(row[keyed.version]))


def _stored(table: str, keys: Sequence[Key], ask: Ask) -> dict[Key, int]:
    """Key → newest version stored. May have more keys than asked for."""
    keyed, found = KEYED[table], dict[Key, int]()
    for chunk in chunks(keys):
        parameters: dict[str, object] = {
            column: sorted({str(key[at]) if column != "minute" else key[at] for key in chunk})  # type: ignore[type-var]
            for at, column in enumerate(keyed.key)
        }
        for row in ask(_question(table), parameters):
            found[tuple(row[f"key_{column}"] for column in keyed.key)] = int(str(row["newest"]))
    return found


def _question(table: str) -> str:
    """Each key column by its own list: the sorting key finds them, and what fits by chance is passed over."""
    keyed = KEYED[table]
    version = f"toUnixTimestamp64Milli({keyed.version})" if keyed.version.endswith("_at") else keyed.version
    keys = ", ".join(f"toUnixTimestamp({c}) AS key_{c}" if c == "minute" else f"{c} AS key_{c}" for c in keyed.key)
    chosen = " AND ".join(
        f"{column} IN {{{column}:Array({'UInt32' if column == 'minute' else 'String'})}}" for column in keyed.key
    )
    names = ", ".join(keyed.key)
    return f"SELECT {keys}, max({version}) AS newest FROM {table} WHERE {chosen} GROUP BY {names}"


def chunks(keys: Iterable[Key]) -> Iterator[list[Key]]:
    """Keys in lists that each fit into one question."""
    chunk: list[Key] = []
    chars = 0
    for key in keys:
        size = sum(len(str(part)) + 3 for part in key)
        if chunk and (len(chunk) >= MAX_KEYS or chars + size > MAX_KEY_CHARS):
            yield chunk
            chunk, chars = [], 0
        chunk.append(key)
        chars += size
    if chunk:
        yield chunk
