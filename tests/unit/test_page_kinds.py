"""The kinds of map: each is an address, and none says that what nobody measured is as wanted."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from markupsafe import escape

from services.dashboard.pages import PAGES
from services.dashboard.pages.sources.vendors import VENDORS
from tests.dashboard_fakes import BLUEPRINT, NOW, FakeStore, browser_of
from tests.dashboard_seed import world
from tests.unit.test_dashboard_app import app_on

STORE = FakeStore(world(BLUEPRINT, NOW, touchpoints=400, days=6))
TABS = [page for page in PAGES if page.tab]


async def test_every_kind_is_a_tab_of_the_map_that_keeps_the_filters() -> None:
    client = browser_of(app_on(STORE))
    for page in TABS:
        text = (await client.get(f"{page.address()}?window=7d&persona=end_user")).text
        tabs = text.partition('<nav class="tabs"')[2].partition("</nav>")[0]
        assert len(re.findall(r"persona=end_user", tabs)) == len(TABS), page.id
        assert re.search(rf'aria-current="page">{page.tab}<', tabs), page.id
        assert re.search(r'aria-current="page">Map<', text), page.id
        assert len(re.findall(r"<h1", text)) == 1, page.id


async def test_the_tactical_map_opens_on_what_hurts_most_and_slices_add_up() -> None:
    client = browser_of(app_on(STORE))
    worst = re.search(r'href="/cells/\w+/(\w+)\?', (await client.get("/?window=7d")).text.partition('id="hurts"')[2])
    assert worst is not None
    name = {kind.id: kind.name for kind in BLUEPRINT.types}[worst[1]]
    page = (await client.get("/cells/?window=7d")).text
    assert f"<b>{name}</b> hurts" in page
    assert (await client.get(f"/cells/all/{worst[1]}?window=7d")).text.count(f"<b>{name}</b> hurts") == 1
    for path in ("/cells/all/none", "/cells/none/contract", "/map/blueprint/none"):
        assert (await client.get(path)).status_code == 404, path


async def test_a_group_is_whatever_the_filters_let_through() -> None:
    page = (await browser_of(app_on(STORE)).get("/cells/all/all?window=7d&owner=Sales")).text
    assert "<b>All touchpoints of Sales</b>" in page
    assert "Promises are made for each touchpoint" in page


async def test_the_blueprint_names_who_is_lacking_and_a_phase_shows_all_of_its_types() -> None:
    client = browser_of(app_on(STORE))
    page = (await client.get("/map/blueprint/?window=7d")).text
    named = re.search("Nobody is named for ([^.]*)", page)
    assert named and "Contract" in named[1] and "No person named" in page
    phase = (await client.get("/map/blueprint/awareness?window=7d")).text
    shown = set(re.findall(r'<section class="[^"]*" data-key="(\w+)"', phase))
    assert shown == {kind.id for kind in BLUEPRINT.types if kind.phase == "awareness" and kind.on_map}


async def test_what_nobody_measured_is_not_as_wanted() -> None:
    page = (await browser_of(app_on(FakeStore())).get("/map/future?window=7d")).text
    assert "0 are there already · of 3 nothing is known" in page


@pytest.mark.parametrize("path", ["/cells/all/contract", "/map/blueprint/", "/map/blueprint/purchase"])
async def test_each_opens_over_another_page(path: str) -> None:
    over = (await browser_of(app_on(STORE)).get(f"{path}?window=7d&part=1")).text
    assert 'id="detail-title"' in over and "<nav" not in over
    ids = re.findall(r'\bid="([^"]*)"', over)
    assert len(ids) == len(set(ids))


async def test_sources_say_who_is_late_what_came_and_how_to_add_one() -> None:
    at = NOW - timedelta(hours=2)
    late = {"source": "hook", "last_occurred_at": at, "last_received_at": at, "last_written_at": at}
    page = (await browser_of(app_on(FakeStore(STORE.world, freshness=[late]))).get("/sources")).text
    assert "<b>hook has sent nothing for 1 h" in page or "<b>hook has sent nothing for 2 h" in page
    tap = page.partition('id="tap"')[2].partition("</section>")[0]
    newest = max(STORE.world.touchpoints, key=lambda row: row["received_at"])
    assert newest["event_id"] in tap.partition("</li>")[0]
    add = page.partition('id="add"')[2]
    assert all(f">{escape(vendor.title)}</summary>" in add for vendor in VENDORS)
    assert "SOURCE" not in add, "the name stands in its place"
