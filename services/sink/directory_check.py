"""Whether each source still has the directory that its stored records are of; refused before anything starts.

Sources that shared a directory and no longer do would split their customers: new records carry another name than what
is stored, and what was stored under the common name cannot be parted again. Sharing from now on is no such case.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from clickhouse_connect.driver.client import Client

from schemas.config import Config
from schemas.errors import ConfigurationError
from streams.connectors.registry import directories_of
from streams.identity.directories import Directories
from streams.runtime.clickhouse import connect, query_rows

_CASES: Final = """
SELECT source, extract(subject, '^[a-z0-9_-]+:([a-z][a-z0-9_]*):') AS directory, uniqExact(event_id) AS records
FROM {database:Identifier}.touchpoints WHERE source IN {sources:Array(String)} AND directory != ''
GROUP BY source, directory
"""
_GROUPS: Final = """
SELECT JSONExtractString(payload, 'source') AS source,
    extract(link_id, '\\\\|group:([a-z][a-z0-9_]*):') AS directory, count() AS records
FROM {database:Identifier}.links FINAL
WHERE kind IN ('membership', 'account') AND directory != '' AND JSONExtractBool(payload, 'scoped')
    AND source IN {sources:Array(String)}
GROUP BY source, directory
"""


class Parted(NamedTuple):
    """A source whose stored records are of another directory, and what to do about it."""

    detail: str
    fix: str


def refuse_parted(config: Config, password: str = "") -> None:
    """Raises ConfigurationError with a line for each of them. The database is migrated. Raises StoreUnavailable."""
    client = connect(config.clickhouse, password)
    try:
        found = parted_sources(config, client)
    finally:
        client.close()
    if found:
        raise ConfigurationError("\n".join(f"{one.detail}. {one.fix}" for one in found))


def parted_sources(config: Config, client: Client) -> list[Parted]:
    """All there are. Raises StoreUnavailable."""
    directories = directories_of(config)
    return list(parted(config, directories, _stored(config, directories, client)))


def parted(config: Config, directories: Directories, stored: Iterable[Mapping[str, object]]) -> Iterator[Parted]:
    """Pure. `stored`: rows of (source, directory, records)."""
    places = {source.name: (index, source) for index, source in enumerate(config.sources)}
    for row in sorted(stored, key=lambda row: (str(row["source"]), str(row["directory"]))):
        name, was = str(row["source"]), str(row["directory"])
        index, source = places[name]
        own = directories.own(source.vendor, name)
        now = source.directory or name
        if own and directories.renamed.get((own, was), was) != now:
            yield Parted(
                f"sources.{index}.directory: records of `{name}` are stored under the directory `{was}` "
                f"({row['records']:,}) and would be of `{now}` from now on; what is stored cannot be parted",
                f"Write `directory: {was}`; or give the source another name, so that only new records are `{now}`'s",
            )


def _stored(config: Config, directories: Directories, client: Client) -> Iterator[Mapping[str, object]]:
    owns = {source.name: directories.own(source.vendor, source.name) for source in config.sources}
    cases = [name for name, own in owns.items() if own in ("crm", "support")]
    groups = [name for name, own in owns.items() if own == "product"]
    for sql, sources in ((_CASES, cases), (_GROUPS, groups)):
        if sources:
            yield from query_rows(client, sql, {"sources": sources, "database": config.clickhouse.database})
