"""Sources: those set aside, since when and why; and whether each is still of its directory."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

from schemas.parking import Backlog, Standing
from services.cli.commands.doctor.check import Check, Place
from services.common.open_organisations import CLAIMS, open_organisations
from streams.runtime.standings import TOPIC, Standings

if TYPE_CHECKING:
    from streams.incidents.rhythm import Rhythms

SHOWN = 8
_HEARD = "SELECT source, max(last_received_at) AS heard_at FROM {database}.source_freshness GROUP BY source"
MEND = "see its newest dead letters (`touchline dlq ls`), mend the sender or its mapping; then"


def sources(place: Place) -> Iterator[Check]:
    """One finding for each, or that there is none."""
    if TOPIC in place.kafka.topics and "touchpoints.parked.v1" in place.kafka.topics:
        from services.common.parked import standings_of

        standings = asyncio.run(standings_of(place.config.kafka))
        retention = timedelta(hours=place.config.kafka.hours_of("touchpoints.parked.v1"))
        yield from sources_of(standings, retention, datetime.now(UTC))


def late(place: Place) -> Iterator[Check]:
    """Sources that are silent for longer than is usual; nothing while migrations wait."""
    from services.common.secrets import clickhouse_password
    from services.sink.migrate import pending
    from streams.incidents.rhythm import MEMORY, SLOTS, Rhythms
    from streams.journey.stored import aware
    from streams.runtime.clickhouse import query_rows

    if pending(place.config.clickhouse, clickhouse_password(place.config)):
        return
    now, database = datetime.now(UTC), place.config.clickhouse.database
    rhythms = Rhythms(place.config.lateness, place.config.sources)
    since = f"{now - MEMORY:%Y-%m-%d %H:%M:%S}"
    rhythms.learn(query_rows(place.store, SLOTS.replace("FROM ", f"FROM {database}."), {"since": since}), now)
    rows = query_rows(place.store, _HEARD.format(database=database))
    configured = {one.name for one in place.config.sources}
    heard = {str(row["source"]): aware(row["heard_at"]) for row in rows if row["source"] in configured}  # type: ignore[arg-type]
    yield from late_of(heard, rhythms, now)


def late_of(heard: Mapping[str, datetime], rhythms: Rhythms, now: datetime) -> Iterator[Check]:
    """One finding for each; pure."""
    live = {name: rhythms.live(name, at) for name, at in sorted(heard.items())}
    found = {name: at for name, at in live.items() if at is not None and rhythms.of(name).is_late(at, now)}
    for name, at in found.items():
        detail = f"`{name}` was last heard at {at:%Y-%m-%d %H:%M} UTC; {rhythms.of(name).words()}"
        yield Check("late sources", "warning", detail, "look at its sender, subscription and credentials")
    if not found:
        yield Check("late sources", "ok", f"{len(heard)} heard of, none late by its own rhythm")


def directories(place: Place) -> Iterator[Check]:
    """Sources whose stored records are of another directory than new ones; nothing while migrations wait."""
    from services.common.secrets import clickhouse_password
    from services.sink.directory_check import parted_sources
    from services.sink.migrate import pending

    if not pending(place.config.clickhouse, clickhouse_password(place.config)):
        found = [
            Check("directories", "problem", one.detail, one.fix) for one in parted_sources(place.config, place.store)
        ]
        yield from found or [Check("directories", "ok", "stored records are of those that the configuration says")]


def organisations(place: Place) -> Iterator[Check]:
    """Organisations that stand for strangers; nothing where there is no table of links yet."""
    from streams.runtime.clickhouse import query_rows

    database = place.config.clickhouse.database
    if query_rows(place.store, f"EXISTS TABLE {database}.links")[0]["result"]:
        yield from organisations_of(query_rows(place.store, CLAIMS.format(links=f"{database}.links")))


def organisations_of(claims: Iterable[Mapping[str, object]]) -> Iterator[Check]:
    """One finding for each that claims nothing but domains where anyone has a mailbox; pure."""
    open_ones = open_organisations(claims)
    for account, public in islice(open_ones.items(), SHOWN):
        detail = f"`{account}` claims {', '.join(public)}, where anyone has a mailbox: it is nobody's account"
        yield Check("organisations", "warning", detail, "take the domain out of the organisation at the helpdesk")
    if len(open_ones) > SHOWN:
        yield Check("organisations", "warning", f"{len(open_ones) - SHOWN} others alike", "see `bi.directory`")
    if not open_ones:
        yield Check("organisations", "ok", "none claims a domain where anyone has a mailbox")


def sources_of(standings: Standings, retention: timedelta, now: datetime) -> Iterator[Check]:
    """Pure. What has waited for more than half of Kafka's retention, or was lost to it, is a problem."""
    for standing in standings.aside:
        yield _of(standing, standings.backlogs.get(standing.source), retention, now)
    for source, backlog in sorted(standings.backlogs.items()):
        if backlog.lost and not standings.is_aside(source):
            detail = f"`{source}`: {backlog.lost} requests were lost to Kafka's retention while it was set aside"
            yield Check("sources", "warning", detail, "ask its sender to send them again; `touchline verify --fix`")
    if not standings.aside:
        yield Check("sources", "ok", "none is set aside")


def _of(standing: Standing, backlog: Backlog | None, retention: timedelta, now: datetime) -> Check:
    requests = backlog.requests if backlog is not None else 0
    lost = backlog.lost if backlog is not None else 0
    since = standing.since.isoformat(timespec="seconds")
    detail = f"`{standing.source}` is {standing.state} since {since} ({standing.cause}): {requests} requests wait"
    oldest = backlog.oldest_at if backlog is not None else None
    is_late = oldest is not None and now - oldest > retention / 2
    if oldest is not None:
        detail += f", the oldest from {oldest.isoformat(timespec='seconds')}; Kafka keeps them for {retention}"
    if lost:
        detail += f"; {lost} are lost to retention"
    fix = f"{MEND} `touchline sources resume {standing.source}`"
    return Check("sources", "problem" if is_late or lost else "warning", detail, fix)
