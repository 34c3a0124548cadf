"""A pipeline that does not keep up is told on the page and by the API, and a quiet one is not taken for it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from services.dashboard.pipeline import BEHIND_AFTER, MAX_SEEN, Backlog, all_of, with_causes
from services.dashboard.views.snapshot import Wait
from services.dashboard.views.sources import StageBehind
from tests.dashboard_fakes import BLUEPRINT, NOW, FakeStore, browser_of, words_of
from tests.dashboard_seed import world
from tests.unit.test_dashboard_app import app_on

AT = NOW - timedelta(minutes=1)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_a_quiet_hour_is_not_a_standstill() -> None:
    backlog = Backlog("sink")
    for second in range(0, 3600, 2):
        backlog.look(after(second), {0: 7, 1: 0}, {0: 7})
        assert backlog.behind(after(second)) is None


def test_a_busy_stage_that_keeps_up_is_never_behind() -> None:
    backlog = Backlog("sink")
    for second in range(0, 600, 2):
        backlog.look(after(second), {0: 1_000 * (second + 2)}, {0: 1_000 * second})
        assert backlog.behind(after(second)) is None


def test_a_stage_that_stands_still_is_told_after_ten_seconds_until_it_has_done_what_waited() -> None:
    backlog = Backlog("sink")
    backlog.look(after(0), {0: 5}, {0: 5})
    for second in range(2, 60, 2):
        backlog.look(after(second), {0: 5 + second}, {0: 5})
        told = backlog.behind(after(second))
        assert (told is not None) == (timedelta(seconds=second - 2) >= BEHIND_AFTER)
    assert told == StageBehind("sink", after(2), 58, stands_still=True)
    backlog.look(after(60), {0: 65}, {0: 30})
    assert backlog.behind(after(60)) == StageBehind("sink", after(26), 35, stands_still=False), "it catches up"
    backlog.look(after(62), {0: 66}, {0: 65})
    assert backlog.behind(after(62)) is None


def test_one_partition_that_stands_still_is_enough() -> None:
    backlog = Backlog("journey")
    for second in range(0, 30, 2):
        backlog.look(after(second), {0: 100 + second, 1: 3}, {0: 100 + second, 1: 2})
    assert backlog.behind(after(30)) == StageBehind("journey", NOW, 1, stands_still=False)


def test_a_day_of_standstill_takes_no_more_memory_and_keeps_its_beginning() -> None:
    backlog = Backlog("sink")
    for look in range(20 * MAX_SEEN):
        backlog.look(after(2 * look), {0: 1 + look}, {0: 0})
    assert len(backlog._seen) <= MAX_SEEN
    told = backlog.behind(after(40 * MAX_SEEN))
    assert told is not None
    assert told.since == NOW


@pytest.mark.parametrize(("journey_still", "sink_still"), [(True, True), (True, False), (False, True)])
def test_a_journey_that_stands_still_behind_the_sink_waits_for_it(journey_still: bool, sink_still: bool) -> None:
    behind = [StageBehind("journey", AT, 5, journey_still), StageBehind("sink", AT, 7, sink_still)]
    both = journey_still and sink_still
    assert [each.waits_for for each in with_causes(behind)] == ["sink" if both else "", ""]
    assert [each.waits_for for each in with_causes(behind[:1])] == [""], "the sink keeps up: it is no reason"


async def test_the_page_says_what_journey_waits_for() -> None:
    store = FakeStore(world(BLUEPRINT, NOW, touchpoints=60, days=2))
    behind = with_causes([StageBehind("journey", AT, 5, True), StageBehind("sink", AT, 7, True)])
    page = (await browser_of(app_on(store, behind=lambda: behind)).get("/")).text
    assert "<strong>journey</strong> stands still: 5 records wait, until <strong>sink</strong> goes on</li>" in page
    assert "<strong>sink</strong> stands still: 7 records wait</li>" in page


@pytest.mark.parametrize(("still", "words"), [(True, "Not everything is stored."), (False, "Catching up.")])
async def test_the_page_the_api_and_health_say_the_same(still: bool, words: str) -> None:
    at = NOW - timedelta(minutes=3)
    row = {"source": "web", "last_occurred_at": at, "last_received_at": at, "last_written_at": at}
    store = FakeStore(world(BLUEPRINT, NOW, touchpoints=60, days=2), freshness=[row])
    behind = (StageBehind("sink", AT, 12, still),)
    client = browser_of(app_on(store, behind=lambda: behind))
    page = (await client.get("/")).text
    assert words in page
    assert '<section id="notice" aria-label="Notices" data-away>' in page, "shown, so the script does not say live"
    assert "11:59 UTC is not on the map yet" in words_of(page)
    sources = (await client.get("/sources")).text
    assert '<span class="word">Behind</span>' in sources and "stored up to 11:57" in words_of(sources)
    assert "From receipt to map: 1 min." in sources
    fresh = (await client.get("/api/freshness")).json()
    told = {"stage": "sink", "since": "2026-03-10T11:59:30Z", "records": 12, "stands_still": still, "waits_for": ""}
    assert fresh["behind"] == [told]
    assert {each["source"]: each["state"] for each in fresh["sources"]} == {"support": "never", "web": "behind"}
    assert fresh["pipeline_lag_s"] == 60
    assert (await client.get("/api/map")).json()["freshness"] == fresh
    health = await client.get("/healthz")
    assert (health.status_code, health.json()) == (200, {"ok": True, "up_to_date": False})
    assert (await client.get("/api/health")).json()["checks"]["behind"] == fresh["behind"]


async def test_a_disk_that_fills_is_said_beside_what_is_behind() -> None:
    store = FakeStore(world(BLUEPRINT, NOW, touchpoints=60, days=2))
    disk = Wait("disk", "almost full", NOW, "12 MiB of 1.0 GiB free at /data: make room")
    behind = (StageBehind("sink", AT, 12, stands_still=True),)
    client = browser_of(app_on(store, waits=(disk,), behind=lambda: behind))
    page = (await client.get("/")).text
    assert "The disk is almost full.</strong> 12 MiB of 1.0 GiB free at /data: make room." in page
    assert "Not everything is stored." in page
    assert "Waiting for" not in page, "a disk is no service"
    assert (await client.get("/api/health")).json()["checks"]["waiting"][0]["service"] == "disk"


async def test_a_pipeline_that_keeps_up_is_not_mentioned() -> None:
    client = browser_of(app_on(FakeStore(world(BLUEPRINT, NOW, touchpoints=60, days=2))))
    assert '<section id="notice" aria-label="Notices" hidden>' in (await client.get("/")).text
    assert (await client.get("/healthz")).json() == {"ok": True, "up_to_date": True}


def test_a_service_is_waited_for_once_as_the_supervisor_says() -> None:
    ours, theirs = Wait("kafka", "does not answer", None, ""), Wait("kafka", "restarting", NOW, "")
    sink = Wait("sink", "starting", NOW, "")
    assert all_of(lambda: (theirs, sink), lambda: (ours,))() == (theirs, sink)
    assert all_of(tuple, lambda: (ours,))() == (ours,)
