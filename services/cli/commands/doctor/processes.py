"""The processes of `touchline up` on the data folder."""

from __future__ import annotations

from collections.abc import Iterator

from services.cli.commands.doctor.check import Check, Place

FINE = ("ready", "done")


def services(place: Place) -> Iterator[Check]:
    """Each one's state, as the supervisor wrote it down."""
    data = place.target.data
    if not place.is_running:
        left = "" if place.run.stopped else "; the last run ended without a stop"
        unseen = (
            "" if place.has_kafka and place.has_store else "; what it keeps in Kafka and ClickHouse was not looked at"
        )
        detail = f"no `touchline up` is running on {data}{left}{unseen}"
        yield Check("services", "warning", detail, "start it, or give --data; clusters are named by --config")
        return
    for name, state in place.run.states.items():
        log = data / "logs" / f"{name}.log"
        yield Check(name, "ok" if state in FINE else "problem", state, f"see {log}")
