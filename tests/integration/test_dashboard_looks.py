"""What everybody must be able to do with the pages, in a real browser: with any eyes, without a mouse, on paper.

`TOUCHLINE_PICTURES=FOLDER .venv/bin/pytest -m slow THIS_FILE` photographs every page, light and dark, at 1440, 1920 and
390, and the states of Today.
"""

from __future__ import annotations

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Locator, Page

from services.dashboard.pages import PAGES
from tests.dashboard_fakes import NOW, FakeStore
from tests.dashboard_seed import proposal
from tests.dashboard_site import Site, live, site
from tests.incident_kit import BLUEPRINT
from tests.unit.test_page_incidents import Log, hurt

__all__ = ["site"]
pytestmark = pytest.mark.browser
WIDE = {"width": 1440, "height": 900}
ROBOT = "0b9d1c2e-7a53-5f0e-8f64-2d1f6f3b9a01"
PLAYED = "/alerts?days=30&policy=burst&number=count&value=3"
SIZES = ((1440, 900), (1920, 1080), (390, 844))


def told(source: str, minutes_ago: int) -> dict[str, Any]:
    at = NOW - timedelta(minutes=minutes_ago)
    return {"source": source, "last_occurred_at": at, "last_received_at": at, "last_written_at": at}


def busy(site: Site) -> None:
    """Somebody is hurt, one source is late, one event is on no map, and somebody asks who is who."""
    made = hurt(20, 90, 60 * 24 * 9)
    for row in made.touchpoints:
        row |= {"person_id": "crm:0000/p1", "persona": "economic_buyer", "has_emotion": 0}
    made.touchpoints[0] |= {"text": "third time I ask", "has_emotion": 1, "emotion": -0.8}
    left_out = made.touchpoints[0] | {"event_id": ROBOT, "on_map": 0, "traffic": "bot", "friction": 0, "text": ""}
    made.touchpoints.append(left_out | {"vendor_type": "page:Home", "received_at": NOW, "friction_rules": []})
    made.proposals = [proposal("p1", "email:ann@acme.com", "crm:1", NOW)]
    site.store.world, site.store.sources = made, [told("support", 60 * 24 * 40), told("web", 1)]
    site.app.state.act = Log()


def every_address(site: Site) -> list[str]:
    row = site.store.world.touchpoints[0]
    about = {"person": row["person_id"], "account": row["account_id"]}
    about |= {"touchpoint": f"{row['phase']}/{row['touchpoint_type']}"}
    pages = [f"{page.address(about.get(page.id, ''))}?window=30d" for page in PAGES]
    details = [f"/touchpoints/{row['event_id']}", f"/incidents/{row['event_id']}?window=7d"]
    return [*pages, *details, "/alerts", PLAYED, "/search?q=acme", "/login", "/accounts/crm:none"]


async def faults(page: Page, *rules: str) -> list[str]:
    """What axe finds, in words; `rules`: these alone."""
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if rules:
        options["runOnly"] = list(rules)
    found = await Axe().run(page, options=options)
    nodes = ((each["id"], node["html"][:120]) for each in found.response["violations"] for node in each["nodes"])
    return [f"{page.url}: {name}: {where}" for name, where in nodes]


async def test_axe_finds_nothing_on_any_page_or_form_light_or_dark(site: Site) -> None:
    busy(site)
    page = await site.open("/?window=7d", viewport=WIDE)
    found: list[str] = []
    for address in every_address(site):
        await page.emulate_media(color_scheme="light")
        await page.goto(site.url + address)
        await page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        found += await faults(page)
        await page.emulate_media(color_scheme="dark")
        found += await faults(page, "color-contrast")
    site.complaints[:] = [each for each in site.complaints if "404" not in each]  # the page that is not there
    assert found == []
    await page.evaluate("document.querySelector('main').append(new Image())")
    assert [each.split(": ")[1] for each in await faults(page)] == ["image-alt"], "axe looks"


class Clicks:
    """Presses, counted: a click, or Enter after something was typed."""

    def __init__(self, page: Page) -> None:
        self.page, self.home, self.made = page, page.url, 0

    async def click(self, what: Locator) -> None:
        self.made += 1
        await what.first.click()

    async def says(self, what: str, words: str, most: int) -> tuple[str, int]:
        """The answer stands there; back to the first page."""
        await self.page.locator(what).filter(has_text=re.compile(words)).first.wait_for()
        made, self.made = self.made, 0
        assert made <= most, (what, words, made)
        await self.page.goto(self.home)
        return words, made


async def test_every_question_of_an_operations_lead_is_answered_in_three_clicks(site: Site) -> None:
    busy(site)
    page = await site.open("/?window=7d", viewport=WIDE)
    by = Clicks(page)
    table = {
        "where does it hurt most": await by.says("#lead a", "Contract", 0),
        "since when": await by.says("#hurts .trend", "since|until|new", 0),
        "which accounts": await by.says("#hurts tbody tr:first-child td", "Acme", 0),
        "who owns it": await by.says("#lead h1", "Sales owns it", 0),
        "what to do": await by.says(".todo", "Sales looks at it.*Begin with Acme, Contract", 0),
        "is someone on it": await by.says("#lead h1", "Nobody has taken it", 0),
    }
    await by.click(page.locator("#now a[data-dialog]"))
    table["what exactly happened"] = await by.says("#incident .why", "third time I ask(.|\n)*e0", 1)
    await by.click(page.locator("#worst a[data-dialog]"))
    table["who in Acme is unhappy"] = await by.says("#in-way .roles", "Economic buyer(.|\n)*felt .0\\.8", 1)
    await by.click(page.locator("#nav a", has_text="Sources"))
    table["which source is late"] = await by.says("#lead h1", "support has sent nothing for", 1)
    await by.click(page.locator("#nav a", has_text="Sources"))
    table["why is an event not on the map"] = await by.says("#tap li", "page:Home(.|\n)*left out: it is one", 1)
    await page.keyboard.press("/")
    await page.keyboard.type(ROBOT)
    by.made += 1
    await page.keyboard.press("Enter")
    await by.says(".found li", "not on the map", 1)
    assert len(table) == 10


async def test_an_incident_opens_beside_the_list_at_its_own_address_without_a_mouse(site: Site) -> None:
    busy(site)
    page = await site.open("/incidents?window=7d", viewport=WIDE)
    await live(page)
    link = page.locator("#incidents .issue > a").first
    for _ in range(60):
        await page.keyboard.press("Tab")
        if await link.evaluate("(node) => node === document.activeElement"):
            break
    await page.keyboard.press("Enter")
    await page.locator("#side #incident").wait_for()
    assert "/incidents/e" in page.url and await page.locator("dialog[open]").count() == 0
    assert await page.locator("#incidents [aria-current]").count() == 1
    own = page.url
    await page.locator("#side").get_by_role("link", name="Acme").focus()
    await page.keyboard.press("Enter")
    await page.wait_for_selector("dialog[open] #detail-title")
    await page.keyboard.press("Escape")
    await page.wait_for_url(own)
    assert await page.locator("#side #incident").is_visible(), "one Esc closes one thing"
    await page.get_by_label("Your name").focus()
    await page.keyboard.type("Bo")
    await page.get_by_role("button", name="Take it").focus()
    await page.keyboard.press("Enter")
    await page.locator("#side").get_by_text("Bo took it").wait_for()
    assert await faults(page) == []
    await page.keyboard.press("Escape")
    await page.wait_for_url("**/incidents?window=7d")
    assert await page.locator("#side").is_hidden()
    assert await page.evaluate("document.activeElement.closest('[data-key]').dataset.key") in own, "it is where it was"
    await page.go_forward()
    await page.locator("#side #incident").wait_for()
    await page.go_back()
    await page.locator("#side").wait_for(state="hidden")
    await page.goto(own)
    await live(page)
    assert await page.locator("#side h1").is_visible() and await page.locator("#incidents .issue").count()
    await page.locator(".shut a").click()
    await page.wait_for_url("**/incidents?window=7d")
    assert await page.locator("#side").is_hidden()


async def test_without_javascript_an_incident_stands_beside_its_list_and_before_it_on_a_phone(site: Site) -> None:
    busy(site)
    page = await site.open("/incidents?window=7d", java_script_enabled=False, viewport=WIDE)
    await page.locator("#incidents .issue > a").first.click()
    assert await page.locator("#side h1").is_visible() and await page.locator("#incidents .issue").first.is_visible()
    assert await page.locator("#incidents [aria-current]").count() == 1
    await page.set_viewport_size({"width": 390, "height": 844})
    boxes = [await page.locator(part).bounding_box() for part in ("#side", "#incidents")]
    assert boxes[0] and boxes[1] and boxes[0]["y"] < boxes[1]["y"]
    await page.locator(".shut a").click()
    assert page.url.endswith("/incidents?window=7d")


async def test_today_fits_one_screen_nothing_is_cut_and_paper_takes_one_page(site: Site) -> None:
    page = await site.open("/?window=7d", viewport=WIDE)
    await live(page)
    assert await page.locator("#hurts tbody tr").count() >= 3
    assert await page.evaluate("document.documentElement.scrollHeight") <= 900
    for path in ("/?window=7d", "/map?window=7d"):
        await page.goto(site.url + path)
        paper = await page.pdf(prefer_css_page_size=True)
        assert len(re.findall(rb"/Type\s*/Page\b", paper)) == 1, path
    busy(site)
    cut = """[...document.querySelectorAll('main *')].filter(each => getComputedStyle(each).overflowY !== 'visible'
        && each.scrollHeight > each.clientHeight + 4 && each.clientHeight && getComputedStyle(each).clipPath === 'none'
        && !each.matches('pre'))
        .map(each => each.outerHTML.slice(0, 90))"""
    for address in every_address(site)[:-1]:
        await page.goto(site.url + address)
        await page.wait_for_timeout(60)
        assert await page.evaluate(cut) == [], address
    await page.evaluate("""() => {
        const box = document.createElement('p');
        box.append(...Array.from({length: 9}, () => document.createElement('br')), 'x');
        Object.assign(box.style, {height: '20px', overflow: 'auto'});
        document.querySelector('main').append(box);
    }""")
    assert len(await page.evaluate(cut)) == 1, "what is cut is seen"


@pytest.mark.slow
async def test_pictures_of_every_page_and_state(site: Site, tmp_path: Path) -> None:
    folder = os.environ.get("TOUCHLINE_PICTURES", tmp_path)
    busy(site)
    for width, height in SIZES:
        for scheme in ("light", "dark"):
            page = await site.open("/", viewport={"width": width, "height": height}, color_scheme=scheme)
            for address in every_address(site):
                await page.goto(site.url + address)
                name = re.sub(r"\W+", "_", address.split("?")[0])[:40]
                await page.screenshot(path=f"{folder}/{name}-{width}-{scheme}.png", full_page=True)
    page = await site.open("/?window=7d", viewport=WIDE)
    await live(page)
    site.store.away = True
    await page.get_by_text("not up to date", exact=True).wait_for()
    await page.screenshot(path=f"{folder}/state-error.png")
    site.store.away = False
    site.store.sources = [told("web", 60 * 24 * 40)]
    await page.goto(f"{site.url}/?window=7d")
    await page.screenshot(path=f"{folder}/state-stale.png")
    await live(page)
    await page.context.set_offline(True)
    for each in site.app.state.lives:
        each.close()
    await page.get_by_text("reconnecting…", exact=True).wait_for()
    await page.screenshot(path=f"{folder}/state-disconnected.png")
    site.complaints.clear()
    site.store.world = type(site.store.world)()
    await page.context.set_offline(False)
    await page.goto(f"{site.url}/?window=7d")
    await page.screenshot(path=f"{folder}/state-empty.png")
    assert isinstance(site.store, FakeStore)


async def test_what_policies_would_have_told_can_be_read_on_a_phone(site: Site) -> None:
    """The page is as wide as the phone; the table is moved in its own frame, and its columns are all there."""
    busy(site)
    page = await site.open(PLAYED, viewport={"width": 390, "height": 844})
    assert await page.evaluate("document.documentElement.scrollWidth") == 390
    frame = page.locator("#alerting .scroll")
    await frame.focus()
    assert await frame.evaluate("each => each.clientWidth <= 390 && each === document.activeElement")
    last = frame.locator("thead th").last
    await last.scroll_into_view_if_needed()
    box = await last.bounding_box()
    assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= 390
    assert await frame.locator("tbody tr").count() == len(BLUEPRINT.policies)
