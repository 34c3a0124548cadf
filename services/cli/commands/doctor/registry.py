"""All checks, in the order in which they are told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from schemas.errors import ConfigurationError, TouchlineError
from services.cli.commands.doctor import (
    alerts,
    clocks,
    configuration,
    disk,
    letters,
    logs,
    machine,
    nobodies,
    processes,
    reachable,
    refusals,
    sources,
    stalls,
    tables,
    topics,
    versions,
)
from services.cli.commands.doctor.check import LOOK_S, Ask, Check, Place
from services.cli.context import Target

Needs = Literal["nothing", "configuration", "kafka", "store", "both"]

#: Name → (what must be there to ask, the check). One that finds nothing of its kind here says nothing.
CHECKS: dict[str, tuple[Needs, Ask]] = {
    "Python": ("nothing", machine.python),
    "packages": ("nothing", machine.packages),
    "embedded broker": ("nothing", machine.embedded_broker),
    "disk": ("nothing", disk.disk),
    "permissions": ("nothing", configuration.permissions),
    "configuration": ("nothing", configuration.configuration),
    "secrets": ("configuration", configuration.secrets),
    "rules": ("configuration", configuration.rules),
    "alerts": ("configuration", alerts.channels),
    "services": ("configuration", processes.services),
    "Kafka": ("kafka", reachable.kafka),
    "version of Kafka": ("kafka", versions.kafka_version),
    "clock of Kafka": ("kafka", clocks.kafka_clock),
    "topics": ("kafka", topics.topics),
    "stages": ("kafka", stalls.stages),
    "Kafka's logs": ("kafka", logs.logs),
    "dead letters": ("kafka", letters.dead_letters),
    "refusals": ("kafka", refusals.refusals),
    "sources": ("kafka", sources.sources),
    "deliveries": ("kafka", alerts.delivered),
    "ClickHouse": ("store", reachable.clickhouse),
    "version of ClickHouse": ("store", versions.clickhouse_version),
    "ClickHouse's disk": ("store", disk.store_disks),
    "clock of ClickHouse": ("store", clocks.clickhouse_clock),
    "schema": ("store", versions.schema),
    "tables": ("store", tables.tables),
    "late sources": ("store", sources.late),
    "directories": ("store", sources.directories),
    "organisations": ("store", sources.organisations),
    "ids of nobody": ("store", nobodies.nobodies),
    "clocks of sources": ("store", clocks.source_clocks),
    "sink": ("both", stalls.sink),
}
FIXES: dict[str, str] = {
    "configuration": "correct the place it names; `touchline validate` checks it",
    "rules": "`touchline validate` says what is wrong with the blueprint",
    "Kafka": "start `touchline up`, or give --kafka HOST:PORT",
    "ClickHouse": "start `touchline up`, or give --clickhouse URL",
}


def examine(target: Target, look_s: float = LOOK_S) -> Iterator[Check]:
    """All checks, the local ones first. What a check cannot find out is a finding, never an exception.

    After one that says that the configuration, Kafka or ClickHouse is not there, those that need it are passed over.
    `look_s` lies between two looks at what should move.
    """
    place, gone = Place(target, look_s), set[str]()
    try:
        for name, (needs, ask) in CHECKS.items():
            if _wanted(needs, gone, place):
                yield from _answers(name, ask, place, gone)
    finally:
        place.close()


def _answers(name: str, ask: Ask, place: Place, gone: set[str]) -> Iterator[Check]:
    try:
        yield from ask(place)
    except TouchlineError as error:
        gone.add(name)
        fix = FIXES.get(name, "see what it says; the checks above may tell why")
        reported = str(error) if isinstance(error, ConfigurationError) else str(error).splitlines()[0][:200]
        yield Check(name, "problem", reported, fix)


def _wanted(needs: Needs, gone: set[str], place: Place) -> bool:
    if needs == "nothing":
        return True
    if "configuration" in gone:
        return False
    kafka = "Kafka" not in gone and place.has_kafka if needs in ("kafka", "both") else True
    store = "ClickHouse" not in gone and place.has_store if needs in ("store", "both") else True
    return kafka and store
