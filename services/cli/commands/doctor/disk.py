"""Free space: where the data folder lies, and where ClickHouse keeps its data."""

from __future__ import annotations

from collections.abc import Iterator

from services.cli.commands.doctor.check import Check, Place, State
from services.common.space import CLICKHOUSE, FIX, Space, of_clickhouse, of_folder
from services.common.space import State as Room
from streams.runtime.clickhouse import query_rows

STATES: dict[Room, State] = {"ok": "ok", "low": "warning", "short": "problem"}


def disk(place: Place) -> Iterator[Check]:
    """Where the data folder is, or will be."""
    yield reported("disk", of_folder(place.target.data, "data folder"))


def store_disks(place: Place) -> Iterator[Check]:
    """ClickHouse's disks that do not lie in the data folder. Raises StoreUnavailable."""
    here = str(place.target.data.resolve())
    for found in of_clickhouse(query_rows(place.store, CLICKHOUSE)):
        if not found.path.startswith(here):
            yield reported("ClickHouse's disk", found)


def reported(name: str, found: Space) -> Check:
    """What is free, and what to do when that is little."""
    return Check(name, STATES[found.state], found.words, FIX)
