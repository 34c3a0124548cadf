"""The real server over a store of lists, and a browser before it: what the tests of the pages' looks share."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright

from services.dashboard import live as live_module
from services.dashboard.main import _Server
from tests import incident_kit
from tests.dashboard_fakes import BLUEPRINT, NOW, FakeStore
from tests.dashboard_seed import world
from tests.unit.test_dashboard_app import app_on

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@dataclass
class Site:
    """A served dashboard and what a browser complained about."""

    url: str
    store: FakeStore
    browser: Browser
    app: FastAPI
    complaints: list[str] = field(default_factory=list)

    async def open(self, path: str = "/?window=7d", **context: Any) -> Page:
        page = await (await self.browser.new_context(**context)).new_page()
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self._asked(request.url))
        await page.goto(self.url + path)
        return page

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _asked(self, url: str) -> None:
        if not url.startswith((self.url, "data:")):
            self.complaints.append(f"external request: {url}")

    def write(self) -> None:
        """One more touchpoint, now."""
        row = dict(self.store.world.touchpoints[0])
        row |= {"event_id": f"new-{len(self.store.world.touchpoints)}", "minute": NOW.replace(second=0)}
        row |= {"has_emotion": 1, "emotion": 0.5}
        self.store.world.touchpoints.append(row)


@pytest.fixture
async def site(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    monkeypatch.setattr(live_module, "RECOMPUTE_S", 0.2)
    monkeypatch.setattr(live_module, "POLL_S", 0.1)
    store = FakeStore(world(BLUEPRINT, NOW, touchpoints=400, days=6))
    app = app_on(store, blueprint=BLUEPRINT.model_copy(update={"policies": incident_kit.BLUEPRINT.policies}))
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=1, ws="none")
    server = _Server(config, app.state.lives)
    serving = asyncio.create_task(server.serve([listener]))
    chromium = next(filter(None, map(shutil.which, CHROMIUM)))
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        site = Site(f"http://127.0.0.1:{listener.getsockname()[1]}", store, browser, app)
        yield site
        await browser.close()
    server.should_exit = True
    await serving
    assert site.complaints == []


async def live(page: Page) -> None:
    await page.wait_for_selector('#stamp[data-state="live"]')
