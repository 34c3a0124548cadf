"""The first visitor finds Today drawn once before; a store that is away is asked again until it answers."""

from __future__ import annotations

import asyncio

import pytest

from services.dashboard import warming
from services.dashboard.pages import today
from services.dashboard.scope import Scope
from services.dashboard.shell import USUAL_WINDOW
from services.dashboard.warming import warmed
from tests.dashboard_fakes import BLUEPRINT, NOW, FakeStore
from tests.dashboard_seed import world
from tests.unit.test_dashboard_app import app_on


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warming, "AGAIN_S", 0.0)


async def test_today_is_drawn_once_as_soon_as_the_store_answers() -> None:
    store = FakeStore(world(BLUEPRINT, NOW, touchpoints=100, days=3))
    store.away = True
    app = app_on(store)
    task = asyncio.create_task(warmed(app.state.desk.snapshots, app.state.pages))
    while store.asked["cells"] < 2:
        await asyncio.sleep(0)
    assert not task.done()
    store.away = False
    app.state.desk.snapshots.expire()
    async with asyncio.timeout(10):
        await task
    asked = store.asked["cells"]
    snapshot = await app.state.desk.snapshots.latest(Scope(USUAL_WINDOW), today.PAGE.id)
    assert snapshot.found is not None and store.asked["cells"] == asked, "what was asked is there for the first visitor"


async def test_it_runs_with_the_page_and_ends_with_it() -> None:
    store = FakeStore()
    store.away = True
    app = app_on(store)
    async with app.router.lifespan_context(app):
        while not store.asked["cells"]:
            await asyncio.sleep(0)
    asked = store.asked["cells"]
    for _ in range(20):
        await asyncio.sleep(0)
    assert store.asked["cells"] == asked


async def test_what_cannot_be_drawn_is_said_and_not_tried_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    app = app_on(FakeStore(world(BLUEPRINT, NOW, touchpoints=100, days=3)))
    await warmed(app.state.desk.snapshots, None)  # type: ignore[arg-type]
    assert "could not be drawn" in caplog.text
