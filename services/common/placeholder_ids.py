"""Ids that name nobody, as senders write them: how often, in which source, since when. Read from what is stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from streams.identity.aliases import NOBODY
from streams.identity.edges import MAX_EDGES
from streams.journey.stored import aware
from streams.runtime.clickhouse import query_rows

MOST: Final = 50
_WRITTEN = """
SELECT source, JSONExtractString(properties, {name:String}) AS literal, count() AS messages,
    min(received_at) AS first_at, max(received_at) AS last_at
FROM DATABASE.touchpoints FINAL
WHERE minute >= {since:DateTime} AND position(properties, {name:String}) > 0 AND literal != ''
GROUP BY source, literal ORDER BY messages DESC, source, literal LIMIT {most:UInt32}
"""
_SHARED = """
SELECT JSONExtractString(payload, 'b') AS name, any(JSONExtractString(payload, 'source')) AS source, count() AS people
FROM DATABASE.links FINAL
WHERE kind = 'edge' AND (startsWith(name, 'anonymous:') OR startsWith(name, 'device:'))
GROUP BY name HAVING people > {fades:UInt32} ORDER BY people DESC, name LIMIT {most:UInt32}
"""


@dataclass(frozen=True, slots=True)
class Placeholder:
    """What a source wrote where an id should be, and how many of its touchpoints did."""

    source: str
    literal: str
    messages: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class SharedId:
    """An id of a browser or a device that so many people were seen with that it links none of them any more."""

    source: str
    name: str
    people: int


def placeholders(client: Client, database: str, since: datetime) -> list[Placeholder]:
    """By source and literal, the commonest first; touchpoints that happened since then. Raises StoreUnavailable."""
    asked = {"name": NOBODY, "since": since, "most": MOST}
    rows: list[dict[str, Any]] = query_rows(client, _in(database, _WRITTEN), asked)
    return [
        Placeholder(row["source"], row["literal"], row["messages"], aware(row["first_at"]), aware(row["last_at"]))
        for row in rows
    ]


def shared_ids(client: Client, database: str) -> list[SharedId]:
    """Those that fade or have faded, the most shared first. Raises StoreUnavailable."""
    rows = query_rows(client, _in(database, _SHARED), {"fades": MAX_EDGES, "most": MOST})
    return [SharedId(str(row["source"]), str(row["name"]), int(str(row["people"]))) for row in rows]


def _in(database: str, sql: str) -> str:
    """The question put to a database; the configuration has checked its name."""
    return sql.replace("DATABASE.", f"{database}.")
