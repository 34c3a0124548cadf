"""Answering questions of who is who in a real browser: by mouse and keyboard, live, and safe from other sites."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from services.dashboard.answers import GatewayAway
from tests.dashboard_fakes import NOW
from tests.dashboard_seed import correction, proposal
from tests.dashboard_site import Site, live, site

__all__ = ["site"]
pytestmark = pytest.mark.browser
PICTURES = os.environ.get("TOUCHLINE_PICTURES", "")


class Gateway:
    """Takes decisions; or is away."""

    def __init__(self) -> None:
        self.records: list[Mapping[str, Any]] = []
        self.is_away = False

    async def __call__(self, record: Mapping[str, Any]) -> str:
        if self.is_away:
            raise GatewayAway("the gateway does not answer; nothing was decided")
        self.records.append(record)
        return "event"


async def browser_said(site: Site, status: str) -> None:
    """The browser's own line about a refusal; it may come a little later."""
    async with asyncio.timeout(5):
        while not any(status in line for line in site.complaints):
            await asyncio.sleep(0.02)
    site.complaints.clear()


@pytest.fixture
def gateway(site: Site) -> Gateway:  # noqa: F811 - the fixture of the page's own tests
    site.app.state.decide = found = Gateway()
    world = site.store.world
    event = world.touchpoints[0]["event_id"]
    world.proposals = [
        proposal("p1", "crm_contact:51", "crm_contact:52", NOW - timedelta(hours=1), evidence=event),
        proposal("p2", "email:ann@acme-robotics.com", "crm:0001", NOW - timedelta(hours=2), evidence=event, confidence=0.45, reason="one of 2 accounts that claim acme-robotics.com"),  # noqa: E501
        proposal("p3", "user:u-7", "user:u-19", NOW - timedelta(hours=3), evidence=event),
    ]  # fmt: skip
    return found


async def test_an_answer_is_given_without_a_reload(site: Site, gateway: Gateway) -> None:  # noqa: F811
    page = await site.open("/sources", viewport={"width": 1400, "height": 1000})
    await live(page)
    await page.evaluate("window.sameDocument = true")
    questions = page.locator("#questions")
    assert await questions.get_by_role("heading").inner_text() in ("Who is who: 3 questions", "WHO IS WHO: 3 QUESTIONS")
    await questions.get_by_role("button", name="Yes, one person").first.click()
    assert gateway.records == [], "a name is required"
    await questions.get_by_label("Your name").fill("Bo Example")
    if PICTURES:
        await questions.screenshot(path=f"{PICTURES}/questions.png")
        await page.screenshot(path=f"{PICTURES}/page.png", full_page=True)
    await questions.get_by_role("button", name="Yes, one person").first.click()
    await questions.get_by_text("on its way").wait_for()
    assert [(one["verdict"], one["by"]) for one in gateway.records] == [("link", "Bo Example")]
    assert await questions.get_by_label("Your name").input_value() == "Bo Example"
    await questions.get_by_role("button", name="No", exact=True).focus()
    await page.keyboard.press("Enter")
    await questions.get_by_text("No, on its way").wait_for()
    assert gateway.records[-1]["verdict"] == "not_belongs"
    assert await page.evaluate("window.sameDocument")
    site.store.world.proposals = [row for row in site.store.world.proposals if row["proposal_id"] == "p3"]
    site.write()
    await page.get_by_text("Who is who: 1 question", exact=True).wait_for()


async def test_a_gateway_that_is_away_is_said_where_the_answer_was(site: Site, gateway: Gateway) -> None:  # noqa: F811
    page = await site.open("/sources")
    await live(page)
    gateway.is_away = True
    await page.get_by_label("Your name").fill("Bo")
    await page.get_by_role("button", name="Yes, one person").first.click()
    await page.get_by_role("alert").wait_for()
    assert "does not answer" in await page.get_by_role("alert").inner_text()
    assert await page.get_by_role("button", name="Yes, one person").first.is_enabled()
    await browser_said(site, "503")


async def test_questions_fit_a_phone_in_the_dark(site: Site, gateway: Gateway) -> None:  # noqa: F811
    site.store.world.proposals[0]["a"] = "email:" + "very.long.name." * 12 + "@acme-robotics.com"
    page = await site.open("/sources", viewport={"width": 390, "height": 844}, color_scheme="dark")
    await live(page)
    assert await page.evaluate("document.documentElement.scrollWidth") == 390
    if PICTURES:
        await page.locator("#questions").screenshot(path=f"{PICTURES}/phone.png")


async def test_without_javascript_the_form_posts_and_comes_back(site: Site, gateway: Gateway) -> None:  # noqa: F811
    page = await site.open("/sources", java_script_enabled=False)
    await page.get_by_label("Your name").fill("Bo")
    await page.get_by_role("button", name="No, two people").first.click()
    await page.wait_for_url("**/sources#questions")
    assert [one["verdict"] for one in gateway.records] == ["unlink"]
    assert "on its way" in await page.content()


async def test_another_sites_form_is_refused(site: Site, gateway: Gateway) -> None:  # noqa: F811
    """The browser itself says where the form came from."""
    page = await site.open("/sources")
    await page.goto(
        "data:text/html,<form method=post><input name=by value=x><input name=answer value='accept p1'></form>"
    )
    async with page.expect_response("**/proposals") as answer:
        await page.evaluate(f"document.forms[0].action = '{site.url}/proposals'; document.forms[0].submit()")
    assert (await answer.value).status == 403
    assert gateway.records == []
    await page.context.close()  # from here on it says no more
    site.complaints[:] = [line for line in site.complaints if "403" not in line]  # its own words, once, twice or never


async def test_the_account_shows_method_confidence_and_corrections(site: Site, gateway: Gateway) -> None:  # noqa: F811
    world = site.store.world
    account_id = world.accounts[0]["account_id"]
    rows = [row for row in world.touchpoints if row["account_id"] == account_id]
    rows[0] |= {"account_method": "email_domain", "account_confidence": 0.9}
    world.corrections = [
        correction(account_id, NOW, "crm:0001 claims acme-robotics.com", touchpoints_changed=12, signals_changed=2),
        correction(account_id, NOW - timedelta(hours=5), "anonymous:x and email:ann@acme.com are the same person", touchpoints_removed=1),  # noqa: E501
    ]  # fmt: skip
    page = await site.open(f"/accounts/{account_id}", viewport={"width": 900, "height": 1000})
    text = await page.locator("main").text_content() or ""  # with what is folded away
    assert "95% sure" in text and "are the same person: 1 touchpoint gone to another account" in text
    if PICTURES:
        await page.screenshot(path=f"{PICTURES}/account.png")
