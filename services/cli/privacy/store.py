"""What the store has of somebody, and taking it out of the files: merges and mutations, not only newer rows.

No statement that changes a table names anybody: ClickHouse keeps the text of mutations on disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson
from clickhouse_connect.driver.client import Client
from pydantic import TypeAdapter

from schemas.links import Erasure, Link
from schemas.touchpoints import AttributedTouchpoint
from streams.identity.erasures import CAUSE, Ledger, named_by, place_of
from streams.runtime.clickhouse import query_rows, store_errors

AT_ONCE: Final = 2_000
_ROWS_PER_SLICE: Final = 20_000
NEEDLES_AT_ONCE: Final = 200
#: To look for more names than these one by one costs more than to read everything.
MOST_NAMES: Final = NEEDLES_AT_ONCE
_LINK: TypeAdapter[Link] = TypeAdapter(Link)
_ERASURE: TypeAdapter[Erasure] = TypeAdapter(Erasure)
_SYNC: Final[Mapping[str, object]] = {"mutations_sync": 2, "alter_sync": 2, "optimize_throw_if_noop": 0}

_NAMING: Final = "SELECT payload FROM histories {final} WHERE is_deleted = 0 AND multiSearchAny(payload, {needles})"
_SLICE: Final = " WHERE is_deleted = 0 AND cityHash64(event_id) % {slices:UInt32} = {slice:UInt32}"
_NAMES: Final = """
SELECT DISTINCT arrayJoin(arrayConcat(
  JSONExtract(payload, 'touchpoint', 'aliases', 'Array(String)'),
  JSONExtract(payload, 'touchpoint', 'account_refs', 'Array(String)'),
  [JSONExtractString(payload, 'touchpoint', 'network')])) AS name
FROM histories WHERE is_deleted = 0
"""
_ALL: Final = {
    False: f"SELECT payload FROM histories FINAL{_SLICE}",
    True: f"SELECT payload FROM histories{_SLICE}",
}
"""Whether also replaced rows → everything, in slices."""
_LINKS: Final = "SELECT link_id, payload FROM links WHERE kind NOT IN ('erasure', 'carried')"
_LEDGER: Final = "SELECT position, payload FROM links FINAL WHERE kind = 'erasure' ORDER BY position"
_QUESTIONS: Final = "SELECT DISTINCT proposal_id, a, b FROM proposals"
_CAUSES: Final = "SELECT DISTINCT correction_id, cause FROM corrections WHERE match(cause, '[a-z_]+:')"
_PLACES: Final = """
SELECT DISTINCT account_id, toYYYYMM(minute) AS month FROM touchpoints WHERE event_id IN {events:Array(String)}
"""

# what is replaced or called back leaves the files; the newest row of each key stays, to keep others out
_TAKEN_OUT: Final = (
    "ALTER TABLE touchpoints DELETE WHERE is_deleted = 0 AND event_id IN {ids:Array(String)}",
    "ALTER TABLE histories DELETE WHERE is_deleted = 0 AND event_id IN {ids:Array(String)}",
    "ALTER TABLE signals DELETE WHERE is_deleted = 0 AND event_id IN {ids:Array(String)}",
    "ALTER TABLE signals UPDATE explanation = '', explanation_coded = '', person_id = ''"
    " WHERE is_deleted = 1 AND event_id IN {ids:Array(String)}",
    # one that is there still is of before: it is computed anew without them
    "ALTER TABLE incidents DELETE WHERE hasAny(evidence, {ids:Array(String)})",
)
_WHOLE: Final = ("signals", "account_journeys", "journey_days")


@dataclass(slots=True)
class Found:
    """What is stored of somebody: ids alone."""

    events: set[str] = field(default_factory=set)
    accounts: set[str] = field(default_factory=set)
    people: set[str] = field(default_factory=set)

    def take(self, item: AttributedTouchpoint) -> None:
        """One of their touchpoints."""
        self.events.add(item.event_id)
        self.accounts.add(item.account_id)
        self.people.add(item.attribution.person_id)


def needles(names: Iterable[str]) -> list[str]:
    """How names look in a stored touchpoint; a domain, in the addresses of those who write from it."""
    found = []
    for name in sorted(names):
        found.append(orjson.dumps(name).decode())
        if name.startswith("domain:"):
            host = orjson.dumps(name[7:]).decode()[1:]
            found += [f"@{host}", f".{host}"]
    return found


def touchpoints(
    client: Client, ledger: Ledger, names: Iterable[str] | None, *, physical: bool = False
) -> Iterator[AttributedTouchpoint]:
    """The stored touchpoints that are covered. `names`: of whom alone; None: of everybody, whose names are read first.

    `physical`: also rows that newer ones have replaced.
    """
    if names is None:
        found = erased_names(client, ledger)
        names = found if len(found) <= MOST_NAMES else None
    for row in _payloads(client, names, physical=physical):
        item = AttributedTouchpoint.decoded(str(row["payload"]))
        if ledger.covers(item.touchpoint):
            yield item


def erased_names(client: Client, ledger: Ledger) -> set[str]:
    """The ids in stored touchpoints, also replaced ones, that are of somebody in the ledger: nearly always none."""
    found = set()
    with store_errors(), client.query_row_block_stream(_NAMES) as blocks:
        for block in blocks:
            for (name,) in block:
                places = {place for place in (name, place_of(name)) if place}
                found |= {place for place in places if ledger.names(place)}
    return found


def _payloads(client: Client, names: Iterable[str] | None, *, physical: bool) -> Iterator[dict[str, object]]:
    if names is None:
        total = int(str(query_rows(client, "SELECT count() AS n FROM histories")[0]["n"]))
        slices = total // _ROWS_PER_SLICE + 1
        for number in range(slices):
            yield from query_rows(client, _ALL[physical], {"slices": slices, "slice": number})
        return
    wanted = needles(names)
    for start in range(0, len(wanted), NEEDLES_AT_ONCE):
        sql = _NAMING.format(final="" if physical else "FINAL", needles="{needles:Array(String)}")
        yield from query_rows(client, sql, {"needles": wanted[start : start + NEEDLES_AT_ONCE]})


def ledger(client: Client) -> Iterator[tuple[int, Erasure]]:
    """All erasures that are stored, and the position of each in the links topic."""
    for row in query_rows(client, _LEDGER):
        yield int(str(row["position"])), _ERASURE.validate_json(str(row["payload"]))


def erased_in_links(client: Client, ledger: Ledger) -> set[str]:
    """The ids in stored links that are of somebody in the ledger: of links from after the erasure. Reads all links."""
    named = (name for row in query_rows(client, _LINKS) for name in named_by(_LINK.validate_json(str(row["payload"]))))
    return {name for name in named if ledger.names(name)}


def links(client: Client, ledger: Ledger) -> list[str]:
    """The ids of stored links that speak of somebody who was erased, as of their time. Reads all links."""
    rows = query_rows(client, _LINKS)
    return sorted({str(row["link_id"]) for row in rows if ledger.covers_link(_LINK.validate_json(str(row["payload"])))})


def take_out(
    client: Client, ledger: Ledger, found: Found, link_ids: Sequence[str], say: Callable[[str], None]
) -> dict[str, int]:
    """Take out of the files what newer rows have replaced; returns how much of what. May be done again."""
    asks = [row for row in query_rows(client, _QUESTIONS) if ledger.names(str(row["a"])) or ledger.names(str(row["b"]))]
    said = [row for row in query_rows(client, _CAUSES) if ledger.without_names(str(row["cause"])) != row["cause"]]
    months = {
        int(str(row["month"])) for some in chunks(found.events) for row in query_rows(client, _PLACES, {"events": some})
    }
    for statement in _TAKEN_OUT:
        _each(client, statement, found.events)
    _each(
        client,
        "ALTER TABLE links DELETE WHERE toString(cityHash64(link_id)) IN {ids:Array(String)}",
        _hashed(client, link_ids),
    )
    _each(
        client,
        "ALTER TABLE proposals DELETE WHERE proposal_id IN {ids:Array(String)}",
        (str(r["proposal_id"]) for r in asks),
    )
    _each(
        client,
        f"ALTER TABLE corrections UPDATE cause = '{CAUSE}', cause_coded = ''"
        " WHERE correction_id IN {ids:Array(String)}",
        (str(row["correction_id"]) for row in said),
    )
    for month in sorted(months):
        say(f"erase       merging {month}")
        _run(client, f"OPTIMIZE TABLE journey_minutes PARTITION {month} FINAL")
    if found.events:
        for table in _WHOLE:
            _run(client, f"OPTIMIZE TABLE {table} FINAL")
    return {
        "touchpoints": len(found.events),
        "accounts": len(found.accounts),
        "links": len(link_ids),
        "questions": len(asks),
        "corrections": len(said),
    }


def chunks(ids: Iterable[str]) -> Iterator[list[str]]:
    """Ids in lists that each fit into one statement."""
    whole = sorted(set(ids))
    yield from (whole[start : start + AT_ONCE] for start in range(0, len(whole), AT_ONCE))


def _hashed(client: Client, link_ids: Sequence[str]) -> Iterator[str]:
    for some in chunks(link_ids):
        sql = "SELECT toString(cityHash64(arrayJoin({ids:Array(String)}))) AS hash"
        yield from (str(row["hash"]) for row in query_rows(client, sql, {"ids": some}))


def _each(client: Client, statement: str, ids: Iterable[str]) -> None:
    for some in chunks(ids):
        _run(client, statement, {"ids": some})


def _run(client: Client, statement: str, parameters: Mapping[str, object] | None = None) -> None:
    with store_errors():
        client.command(statement, parameters=dict(parameters or {}), settings=dict(_SYNC))
