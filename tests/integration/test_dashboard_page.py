"""The page in a real browser, served by the real server over a store of lists: it lives, and it stays usable."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from unittest.mock import AsyncMock

import pytest
from playwright.async_api import Page

from services.dashboard.pages import PAGES
from tests.dashboard_fakes import HOSTILE, NOW
from tests.dashboard_seed import proposal
from tests.dashboard_site import Site, live, site

__all__ = ["site"]
pytestmark = pytest.mark.browser
STATEMENTS = "document.querySelector('#figures [data-key=felt]').innerText"


async def statements(page: Page) -> int:
    return int((await page.evaluate(STATEMENTS)).split(" statement")[0].split()[-1])


async def test_figures_change_without_a_reload(site: Site) -> None:
    page = await site.open()
    await live(page)
    await page.evaluate("window.sameDocument = true")
    await page.locator("#hurts tbody th a").nth(1).focus()
    await page.evaluate("getSelection().selectAllChildren(document.querySelector('#worst-title'))")
    before = await statements(page)
    site.write()
    await page.get_by_text(f"{before + 1} statements").wait_for()
    assert await page.evaluate("window.sameDocument")
    assert await page.evaluate("document.activeElement === document.querySelectorAll('#hurts tbody th a')[1]")
    assert await page.evaluate("String(getSelection())") == "Most hurt accounts"


async def test_a_list_is_not_ranked_anew_while_somebody_is_in_it(site: Site) -> None:
    order = "[...document.querySelectorAll('#hurts tbody tr')].map((row) => row.dataset.key)"
    page = await site.open()
    await live(page)
    ranked = await page.evaluate(order)
    await page.locator("#hurts tbody th a").first.focus()
    before = await statements(page)
    for row in site.store.world.touchpoints:
        row["pain"] = 9.0 if row["touchpoint_type"] == ranked[-1] else 0.01
    site.write()
    await page.get_by_text(f"{before + 1} statements").wait_for()
    assert await page.evaluate(order) == ranked
    assert await page.locator("#hurts tr.wash").count(), "what changed is shown for a moment"
    await page.evaluate("document.activeElement.blur()")
    await page.wait_for_function(f"last => {order}[0] === last", arg=ranked[-1])


async def test_while_the_store_is_away_the_page_does_not_say_live(site: Site) -> None:
    page = await site.open()
    await live(page)
    site.store.away = True
    await page.get_by_text("not up to date", exact=True).wait_for()
    assert await page.locator("#notice").is_visible()
    site.store.away = False
    await live(page)
    assert await page.locator("#stamp").inner_text() == "live"
    assert await page.locator("#notice").is_hidden()


async def test_dialog_opens_by_keyboard_closes_by_escape_and_focus_returns(site: Site) -> None:
    page = await site.open()
    await live(page)
    for selector in ("#hurts tbody th a", "#now p a", "#worst a", "#strip li a"):
        link = page.locator(selector).first
        await link.focus()
        await page.keyboard.press("Enter")
        await page.wait_for_selector("dialog[open] #detail-title")
        site.write()
        await asyncio.sleep(0.5)
        assert await page.locator("dialog[open]").count() == 1, "an update leaves it open"
        await page.keyboard.press("Escape")
        await page.wait_for_url("**/?window=7d")
        assert await page.locator("dialog[open]").count() == 0
        assert await link.evaluate("(node) => node === document.activeElement")


async def test_every_detail_has_an_address_and_back_closes_it(site: Site) -> None:
    page = await site.open()
    await live(page)
    await page.locator("#worst a").first.click()
    await page.wait_for_selector("dialog[open] #detail-title")
    assert "/accounts/" in page.url
    await page.locator("dialog #in-beside .entries a[href^='/incidents']").first.click()
    await page.wait_for_url("**/incidents/*")
    await page.go_back()
    await page.wait_for_url("**/accounts/*")
    assert await page.locator("dialog[open]").count() == 1
    await page.go_back()
    await page.wait_for_function("() => !document.querySelector('dialog').open")
    assert page.url.endswith("/?window=7d")


async def test_the_slash_leads_to_search_and_search_to_an_account(site: Site) -> None:
    page = await site.open()
    await page.keyboard.press("/")
    await page.keyboard.type("acme")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/search?q=acme")
    await page.locator(".found a").first.click()
    assert "Acme" in await page.locator("h1").inner_text()


async def test_a_filter_keeps_its_place_in_the_address_and_on_the_next_page(site: Site) -> None:
    page = await site.open()
    await page.locator("select[name=persona]").select_option("end_user")
    await page.wait_for_url("**/?*persona=end_user*")
    await page.locator("#nav a", has_text="Map").click()
    await page.wait_for_url("**/map?*persona=end_user*")
    assert await page.locator("select[name=persona]").input_value() == "end_user"


async def test_after_an_answer_the_keyboard_goes_on_with_the_next_question(site: Site) -> None:
    site.store.world.proposals = [
        proposal(f"p{n}", "email:ann@acme.com", f"crm:{n}", NOW - timedelta(minutes=n)) for n in range(3)
    ]
    site.app.state.decide = AsyncMock()
    page = await site.open("/sources")
    await live(page)
    await page.locator("#questions input").fill("ann")
    await page.locator("#questions button").first.focus()
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#questions .given")
    await page.wait_for_function("document.activeElement.value === 'accept p1'")


async def test_phone_dark_and_print_fit(site: Site) -> None:
    page = await site.open(viewport={"width": 390, "height": 844})
    for shown in PAGES:
        await page.emulate_media(color_scheme="light", media="screen")
        row = site.store.world.touchpoints[0]
        subject = {"person": row["person_id"], "account": row["account_id"]}.get(shown.id, "")
        await page.goto(f"{site.url}{shown.address(subject)}?window=7d")
        await live(page)
        assert await page.evaluate("document.documentElement.scrollWidth") == 390, shown.id
        light = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        await page.emulate_media(color_scheme="dark")
        assert await page.evaluate("getComputedStyle(document.body).backgroundColor") != light
        await page.emulate_media(media="print")
        assert not await page.locator("#nav").is_visible()


async def test_a_row_keeps_the_focus_and_takes_its_new_place_when_it_is_left(site: Site) -> None:
    page = await site.open("/accounts?window=7d")
    await live(page)
    link = page.locator("#accounts [data-key=known] tbody a").nth(3)
    await link.focus()
    name = await link.inner_text()
    account = next(row for row in site.store.world.accounts if row["name"] == name)
    touchpoint = next(row for row in site.store.world.touchpoints if row["account_id"] == account["account_id"])
    touchpoint |= {"friction": 1, "pain": 1000.0}
    site.write()
    await page.locator("#accounts b", has_text="1,00").wait_for()
    assert await page.evaluate("document.activeElement.textContent") == name
    await page.evaluate("document.activeElement.blur()")
    await page.wait_for_function("name => document.querySelector('#accounts tbody a').textContent === name", arg=name)


async def test_a_name_without_a_blank_breaks(site: Site) -> None:
    account = site.store.world.accounts[0]
    account["name"] = "A" * 300
    page = await site.open(f"/accounts/{account['account_id']}", viewport={"width": 390, "height": 844})
    assert await page.evaluate("document.documentElement.scrollWidth") == 390


async def test_hostile_names_stay_text_through_live_updates(site: Site) -> None:
    page = await site.open()
    await live(page)
    for row in site.store.world.signals:
        row["explanation"] = HOSTILE
    site.write()
    await page.locator("#now", has_text="onerror").wait_for()
    assert await page.locator("img").count() == 0


async def test_a_hidden_tab_closes_its_stream_and_a_visible_one_starts_whole(site: Site) -> None:
    page = await site.open()
    await live(page)
    hide = "Object.defineProperty(document, 'hidden', {value: %s, configurable: true});"
    tell = "document.dispatchEvent(new Event('visibilitychange'))"
    await page.evaluate(hide % "true" + tell)
    await page.wait_for_selector('#stamp[data-state="paused"]')
    before = await statements(page)
    site.write()
    await page.evaluate(hide % "false" + tell)
    await page.get_by_text(f"{before + 1} statements").wait_for()


async def test_without_javascript_everything_is_there(site: Site) -> None:
    page = await site.open(java_script_enabled=False)
    assert await page.locator("#hurts tbody tr").count() >= 2
    await page.locator("select[name=persona]").select_option("end_user")
    await page.locator(".filters button").click()
    assert "persona=end_user" in page.url
    await page.locator("#worst a").first.click()
    assert "/accounts/" in page.url
    assert await page.locator("h1").inner_text()
