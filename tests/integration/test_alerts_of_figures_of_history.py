"""Nobody is woken by history: the three policies about figures, by every way in which old news comes to the service.

A real ClickHouse, asked as the service asks it; the watching half of the service runs in the test. Live, the same
figures open an incident of each policy.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from schemas.base import EPOCH
from schemas.config import KafkaConfig, LatenessConfig
from services.alerting.hearing import Hearing
from services.alerting.measuring import Measuring
from streams.incidents.rhythm import Rhythms
from streams.runtime.metrics import NoMetrics
from tests.clickhouse_fixture import ClickHouse
from tests.integration.test_alerts_of_figures import BLUEPRINT, HOUR, MINUTE, OTHER, PROMISED, SELDOM, World
from tests.store_fixture import fresh_store
from tests.unit.test_alerts_of_history import Watch
from tests.unit.test_late_sources import Stages, named

pytestmark = [pytest.mark.clickhouse]
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
SOURCES: Final = ("web", "erp", "new")
POLICIES: Final = {"promise_missed", "unusual_change", "source_late"}
_AS_HISTORY: Final = """
INSERT INTO touchpoints SELECT * REPLACE (1 AS backfill, revision + 1 AS revision) FROM touchpoints FINAL
WHERE minute >= {since:DateTime64(3, 'UTC')} AND friction > 0
"""
_AGAIN: Final = "INSERT INTO touchpoints SELECT * REPLACE (revision + 100 AS revision) FROM touchpoints FINAL"
_ANEW: Final = """
INSERT INTO touchpoints SELECT * REPLACE (1 AS read_anew, 1 AS friction, 0.4 AS pain, revision + 1 AS revision)
FROM touchpoints FINAL WHERE minute >= {since:DateTime64(3, 'UTC')} AND source = 'web'
"""
_RECEIVED_NOW: Final = """
INSERT INTO touchpoints SELECT * REPLACE ({now:DateTime64(3, 'UTC')} AS received_at, revision + 1 AS revision)
FROM touchpoints FINAL WHERE source = 'new'
"""


class Service:
    """The watching half of the service, and what it asks of a store."""

    def __init__(self, world: World, since: datetime, digest: int = 1) -> None:
        self.watch, self.stages = Watch(world.now, since, digest), Stages()
        watcher, clock = self.watch.watcher, lambda: self.watch.now
        self.is_heard("web")
        rhythms = watcher._rhythms = Rhythms(LatenessConfig(), map(named, SOURCES))
        looked = watcher.listened
        self.hearing = Hearing(world.store, self.stages, rhythms, NoMetrics(), clock, looked, set(SOURCES))
        self.measuring = Measuring(world.store, BLUEPRINT, clock, watcher.measured, lambda: not self.hearing.waits)

    def is_heard(self, *sources: str, since: datetime = EPOCH) -> None:
        """They tell of what happens now, and have been there since then."""
        wards, now = self.watch.desks.wards, self.watch.now
        heard, known = dict.fromkeys(sources, now), dict.fromkeys(sources, since)
        wards[0] = wards[0].changed(heard=wards[0].heard | heard, sources=wards[0].sources | known)

    async def look(self) -> list[str]:
        """The policies of all messages that were made so far, in order of their names."""
        self.hearing.waits = await self.hearing.step()
        await self.measuring.step()
        self.watch.now += 5 * SECOND
        await self.watch.watcher._look()
        threads = [thread for desk in self.watch.desks.of.values() for thread in desk.threads]
        return sorted(notice.message.policy for thread in threads for notice in thread.notices)


@pytest.fixture
def world(tmp_path: Path, clickhouse_url: ClickHouse, clickhouse_database: str) -> Iterator[World]:
    with fresh_store(clickhouse_url, clickhouse_database) as (store, _):
        yield World(tmp_path, KafkaConfig(), store)


def usual(world: World) -> None:
    """Nine weeks in which all is well, until now."""
    now, whole = world.now, world.whole
    world.put(OTHER, "web", whole - timedelta(weeks=9), now, 3 * MINUTE, 3)
    world.put(PROMISED, "web", now - DAY, now, MINUTE, 0)
    world.put(SELDOM, "erp", whole - timedelta(weeks=4), now + HOUR, HOUR, 0)


def as_history(world: World, since: datetime) -> None:
    """What hurt since then came as history, and never otherwise."""
    world.store.command(_AS_HISTORY, {"since": since})
    world.store.command("OPTIMIZE TABLE touchpoints FINAL")


async def test_live_each_of_them_opens_an_incident(world: World) -> None:
    world.all_is_wrong()
    service = Service(world, world.now - DAY)
    assert set(await service.look()) == POLICIES
    assert len(await service.look()) == len(POLICIES)


async def test_an_import_or_a_back_fill_notifies_nobody(world: World) -> None:
    """What hurts is history, and so is all that is known of a source: it is not late, it was never live."""
    usual(world)
    world.put(OTHER, "web", world.whole - 6 * HOUR, world.now, MINUTE, 100)
    world.put(PROMISED, "web", world.now - HOUR, world.now, SECOND * 10, 100)
    as_history(world, world.now - 8 * HOUR)
    world.put(SELDOM, "new", world.whole - timedelta(weeks=2), world.now - 2 * HOUR, HOUR, 100)
    as_history(world, world.now - timedelta(weeks=3))
    service = Service(world, world.now - DAY)
    assert await service.look() == []


async def test_an_import_does_not_hide_that_a_source_is_silent(world: World) -> None:
    world.all_is_wrong()
    world.put(SELDOM, "erp", world.now - 2 * MINUTE, world.now, MINUTE, 100)
    as_history(world, world.now - 3 * MINUTE)
    assert set(await Service(world, world.now - DAY).look()) >= {"source_late"}


async def test_what_a_remap_reads_anew_notifies_nobody(world: World) -> None:
    usual(world)
    world.store.command(_ANEW, {"since": world.now - 12 * HOUR})
    assert await Service(world, world.now - DAY).look() == []


async def test_a_replay_or_a_migration_notifies_nobody_a_second_time(world: World) -> None:
    """Every row is written once more. Where the desks were lost, too, all of it was before anybody watched."""
    world.all_is_wrong()
    service = Service(world, world.now - DAY)
    before = await service.look()
    world.store.command(_AGAIN)
    assert await service.look() == before
    assert await Service(world, world.now + SECOND).look() == []


async def test_a_first_connection_brings_its_past_and_notifies_nobody(world: World) -> None:
    usual(world)
    world.put(OTHER, "new", world.whole - 6 * HOUR, world.now - HOUR, MINUTE, 100)
    world.put(PROMISED, "new", world.now - 6 * HOUR, world.now - HOUR, MINUTE, 100)
    world.store.command(_RECEIVED_NOW, {"now": world.now})
    service = Service(world, world.now - DAY)
    service.is_heard("new", since=world.now)
    assert await service.look() == []


async def test_a_restart_with_a_backlog_notifies_nobody(world: World) -> None:
    """While a stage is behind nothing is concluded; what began longer ago than a policy's `max_age` is history."""
    now = world.now + 30 * HOUR
    world.all_is_wrong()
    world.put(PROMISED, "web", world.now, now, MINUTE, 100)
    world.put(OTHER, "web", world.now, now, 3 * MINUTE, 70)
    service = Service(world, world.now - DAY)
    service.stages.is_behind = True
    service.watch.now = now
    assert await service.look() == []
    assert not service.watch.desks.of
    service.stages.is_behind = False
    service.is_heard("web")
    assert await service.look() == []
    assert service.watch.desks.of


@pytest.mark.parametrize("why", ["before_the_first_start", "before_a_new_blueprint"])
async def test_what_was_so_before_notifies_nobody(world: World, why: str) -> None:
    world.all_is_wrong()
    if why == "before_the_first_start":
        service = Service(world, world.now + SECOND)
    else:
        service = Service(world, world.now - DAY, digest=2)
        service.watch.desks._remembered = {0: service.watch.desks.wards[0].changed(until=world.now + SECOND)}
        service.watch.desks._watch(0, world.now)
    assert await service.look() == []
    assert service.watch.desks.of
