"""A source that is late: told once, held for nobody, closed when it is heard; not while we ourselves are behind."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest

from schemas.alerting import Route
from schemas.config import LatenessConfig, SourceConfig
from schemas.errors import StoreUnavailable
from schemas.incidents import Message
from services.alerting.channels import words
from services.alerting.hearing import Hearing
from services.alerting.routing import fits
from streams.incidents.messages import Places
from streams.incidents.pace import SLOT_S
from streams.incidents.rhythm import Rhythms
from streams.journey.golden import START
from streams.runtime.metrics import NoMetrics
from tests.unit.test_alerts_of_history import REOPENED, Watch, facts

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
NOW = datetime.fromisoformat("2024-10-04T09:00:00+00:00")


class Store:
    """source_freshness, and nothing of the past."""

    def __init__(self, heard: Mapping[str, datetime]) -> None:
        self.heard, self.is_away = dict(heard), False

    def rows(self, sql: str, parameters: Mapping[str, object] | None = None) -> list[dict[str, object]]:
        if self.is_away:
            raise StoreUnavailable("away")
        if "slots" in sql:
            slots = {name: int(at.timestamp()) // SLOT_S for name, at in self.heard.items()}
            return [{"source": name, "slots": [slot], "lag_s": 0.0} for name, slot in slots.items()]
        if "crm_owner" in sql:
            return [{"account_id": "crm:golden", "crm_owner": "71000001"}]
        return [{"source": source, "heard_at": at} for source, at in self.heard.items()]


class Stages:
    def __init__(self) -> None:
        self.is_behind = False

    async def look(self) -> bool:
        return self.is_behind

    async def close(self) -> None:
        return None


def named(source: str) -> SourceConfig:
    return SourceConfig(name=source, vendor="touchline", secrets=({"env": "X"},))


class World:
    """The watcher and what it hears, in the test's time."""

    def __init__(self, since: datetime = NOW - 30 * HOUR) -> None:
        self.watch = Watch(NOW, since)
        self.store, self.stages = Store({"crm": NOW, "web": NOW}), Stages()
        self.rhythms = Rhythms(LatenessConfig(), map(named, ("crm", "web")))
        self.watch.watcher._rhythms = self.rhythms
        self.hearing = Hearing(
            self.store,
            self.stages,
            self.rhythms,
            NoMetrics(),
            lambda: self.watch.now,
            self.watch.watcher.listened,
            {"crm", "web"},
            self.watch.watcher.owned,
        )

    async def at(self, now: datetime, **heard: datetime) -> list[Message]:
        """What is told of `crm` then."""
        self.watch.now = now
        self.store.heard |= heard
        await self.hearing.step()
        await self.watch.watcher._look()
        threads = self.watch.desks.get("source:crm").threads
        return [notice.message for thread in threads for notice in thread.notices]


async def test_it_is_told_once_and_closed_when_it_is_heard_again() -> None:
    world = World()
    assert await world.at(NOW + HOUR, web=NOW + HOUR) == []
    (opened,) = await world.at(NOW + HOUR + MINUTE, web=NOW + HOUR)
    assert opened.headline == "A source is late or silent: crm" and opened.level == "high"
    assert "last heard at 2024-10-04 09:00 UTC" in opened.evidence[0].words
    assert opened.where == "look at the page Sources, or `touchline sources ls`"
    assert len(await world.at(NOW + 5 * HOUR, web=NOW + 5 * HOUR)) == 1, "and not again while it lasts"
    _, closed = await world.at(NOW + 6 * HOUR, crm=NOW + 6 * HOUR, web=NOW + 6 * HOUR)
    assert (closed.kind, closed.remark) == ("closed", "what was waited for has come")
    assert world.watch.desks.get("source:web").is_empty


async def test_a_second_silence_is_a_second_conversation() -> None:
    world = World()
    await world.at(NOW + 2 * HOUR)
    await world.at(NOW + 3 * HOUR, crm=NOW + 3 * HOUR)
    told = await world.at(NOW + 5 * HOUR)
    assert [one.kind for one in told] == ["opened", "closed", "opened"]
    assert len({one.incident_id for one in told}) == 2


@pytest.mark.parametrize("why", ["behind", "away"])
async def test_nothing_is_concluded_while_we_are_behind_or_the_store_is_away(why: str) -> None:
    world = World()
    world.stages.is_behind, world.store.is_away = why == "behind", why == "away"
    assert await world.at(NOW + 8 * HOUR) == []
    world.stages.is_behind = world.store.is_away = False
    assert len(await world.at(NOW + 8 * HOUR)) == 1


async def test_what_was_silent_before_anybody_watched_is_history() -> None:
    world = World(since=NOW + 3 * HOUR)
    assert await world.at(NOW + 4 * HOUR) == []


async def test_a_source_that_is_set_aside_is_told_by_prometheus_and_not_here() -> None:
    world = World()
    world.watch.watcher._aside = lambda: frozenset({"crm"})
    assert await world.at(NOW + 8 * HOUR) == []


async def test_one_that_is_configured_no_more_is_waited_for_no_more() -> None:
    world = World()
    await world.at(NOW + 2 * HOUR)
    world.hearing._sources = {"web"}
    world.watch.watcher._rhythms = Rhythms(LatenessConfig(), (named("web"),))
    assert [one.kind for one in await world.at(NOW + 3 * HOUR)] == ["opened", "closed"]


def test_with_an_address_the_message_links_to_the_sources() -> None:
    assert Places("https://journey.example.com").about("source:crm") == "https://journey.example.com/sources"


async def test_who_owns_the_account_stands_in_the_message_and_routes_it() -> None:
    now = START + timedelta(seconds=90)
    world = World()
    world.watch.now = now
    await world.hearing.step()
    (message,) = await world.watch.told(facts((60, REOPENED), at=now))
    assert message.crm_owner == "71000001"
    assert ("Account owner", "71000001") in list(words.facts(message))
    mine, other = (Route(channels=("room",), crm_owners=(name,)) for name in ("71000001", "71000002"))
    assert fits(mine, message) and not fits(other, message)
    assert not fits(mine, message.changed(crm_owner="")), "what nobody owns is no one's"


async def test_an_owner_that_a_trait_names_comes_first() -> None:
    now = START + timedelta(seconds=90)
    world = World()
    world.watch.now = now
    await world.hearing.step()
    event = {**REOPENED, "account_traits": {"account_owner": "Ann"}}
    assert [one.crm_owner for one in await world.watch.told(facts((60, event), at=now))] == ["Ann"]
