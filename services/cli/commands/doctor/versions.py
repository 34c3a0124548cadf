"""Versions: of Kafka, of ClickHouse, and of the schema that the data is written in."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from services.cli.commands.doctor.check import Check, Place, State
from services.common.secrets import clickhouse_password
from streams.runtime.clickhouse import query_rows

OLDEST_CLICKHOUSE = (25, 8)
FETCH, JOIN_GROUP, FETCH_OF_KAFKA_4 = 1, 11, 4


def kafka_version(place: Place) -> Iterator[Check]:
    """The brokers speak what Kafka 4 speaks; the embedded one is the one we ship."""
    yield kafka_of(place.kafka.apis)
    yield from folder_of(place.target.data / "kafka" / "broker.json")


def kafka_of(apis: Mapping[int, tuple[int, int]]) -> Check:
    """By the requests it understands: Kafka 4.0 dropped the old forms of Fetch. A broker does not tell its version."""
    if apis.get(FETCH, (0, 0))[0] < FETCH_OF_KAFKA_4:
        fix = "upgrade the brokers to 4.1, which Touchline is tested with"
        return Check("version of Kafka", "warning", "the broker is older than 4.0", fix)
    return Check("version of Kafka", "ok", "4.0 or newer, by what it understands")


def folder_of(identity: Path) -> Iterator[Check]:
    """The Kafka that wrote the data folder last, against the one that comes with this version."""
    from services.embedded.kafka.settings import KAFKA_VERSION

    try:
        wrote = str(json.loads(identity.read_text())["kafka_version"])
    except (OSError, ValueError, KeyError, TypeError):
        return
    if _numbers(wrote) > _numbers(KAFKA_VERSION):
        detail = f"Kafka {wrote} wrote {identity.parent}, this version brings {KAFKA_VERSION}"
        yield Check("version of Kafka's folder", "problem", detail, "run the newer Touchline, or restore a backup")
    else:
        yield Check("version of Kafka's folder", "ok", f"written by {wrote}, this version brings {KAFKA_VERSION}")


def clickhouse_version(place: Place) -> Iterator[Check]:
    """The server is new enough for our statements."""
    (row,) = query_rows(place.store, "SELECT version() AS version")
    yield clickhouse_of(str(row["version"]))


def clickhouse_of(running: str) -> Check:
    """Whether it is new enough."""
    wanted = ".".join(map(str, OLDEST_CLICKHOUSE))
    state: State = "ok" if _numbers(running) >= OLDEST_CLICKHOUSE else "problem"
    return Check("version of ClickHouse", state, running, f"upgrade to {wanted} or newer")


def schema(place: Place) -> Iterator[Check]:
    """The migrations applied, against those of this version. Raises ConfigurationError when a newer one wrote them."""
    from services.sink.migrate import load, pending

    waiting = pending(place.config.clickhouse, clickhouse_password(place.config))
    if waiting:
        fix = "run `touchline migrate`; `touchline up` does at its start"
        yield Check("schema", "problem", f"migrations to be applied: {', '.join(waiting)}", fix)
    else:
        yield Check("schema", "ok", f"version {load()[-1].version:04}")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
