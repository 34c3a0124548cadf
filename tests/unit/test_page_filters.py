"""Every filter applies to every part of every page about customers: nothing of another customer's shows in any."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from schemas.incidents import Delivery
from services.dashboard.pages import PAGES
from services.dashboard.pages.kind import Page
from services.dashboard.scope import FILTERS
from streams.incidents.incident import incident_id
from tests.dashboard_fakes import BLUEPRINT, NOW, FakeStore, browser_of
from tests.dashboard_seed import World, world
from tests.unit.test_dashboard_app import app_on

CHOSEN = {
    "persona": "economic_buyer",
    "segment": "enterprise",
    "owner": "Sales",
    "channel": "phone",
    "tier": "gold",
    "account": "crm:mine",
}
OTHER = {"persona": "end_user", "segment": "small", "channel": "email"}


def two_customers() -> World:
    """`Mine Ltd` is all that every filter asks for, `Theirs BV` nothing of it; both are hurt by the same thing."""
    made = world(BLUEPRINT, NOW, touchpoints=0, days=1)
    pattern = world(BLUEPRINT, NOW, touchpoints=80, days=1)
    for name, kind, told, pain in (("mine", "contract", CHOSEN, 0.5), ("theirs", "security_review", OTHER, 0.9)):
        touchpoint = next(row for row in pattern.touchpoints if row["friction"])
        signal = next(row for row in pattern.signals if row["event_id"] == touchpoint["event_id"])
        account = pattern.accounts[0]
        shared = {"account_id": f"crm:{name}", "touchpoint_type": kind, "phase": "purchase"}
        fields = {key: told[key] for key in ("persona", "segment", "channel")}
        for number in range(6):
            event_id, at = f"{name}-{number}", NOW - timedelta(minutes=5 + number)
            more: dict[str, Any] = {"event_id": event_id, "minute": at.replace(second=0), "occurred_at": at}
            felt = {"has_emotion": 1, "emotion": 0.5 if name == "mine" else -1.0, "pain": pain}
            made.touchpoints.append(touchpoint | shared | fields | more | felt | {"person_id": f"{name}-person"})
            told_as = {
                "signal_id": f"s-{event_id}",
                "event_id": event_id,
                "opened_at": at,
                "closed_at": at,
                "evidence": [event_id],
            }
            made.signals.append(signal | shared | told_as | {"explanation": f"what hurt {name}", "severity": pain})
            made.touchpoints[-1]["text"] = f"words of {name}"
        case = {"signal_id": f"case-{name}", "rule": "struggle", "is_closed": 0, "explanation": f"case of {name}"}
        made.signals.append(made.signals[-1] | case)
        tier = {"tier": "gold" if name == "mine" else "silver"}
        row = {"account_id": f"crm:{name}", "name": {"mine": "Mine Ltd", "theirs": "Theirs BV"}[name]}
        made.accounts.append(
            account | row | {"traits": json.dumps(tier), "last_seen_at": NOW, "segment": told["segment"]}
        )
    return made


def part_of(page: str, part: str) -> str:
    found = re.search(rf'<section id="{part}".*?(?=<section id=|</main>)', page, re.DOTALL)
    assert found, part
    return re.sub(r'href="[^"]*"', "", found[0])


def only_mine(made: World) -> World:
    return World(
        [row for row in made.touchpoints if row["account_id"] == "crm:mine"],
        [row for row in made.signals if row["account_id"] == "crm:mine"],
        [row for row in made.accounts if row["account_id"] == "crm:mine"],
    )


def told_of(name: str) -> Delivery:
    """A line of the delivery log about an incident of the account."""
    return Delivery(
        notice_id=f"notice-{name}",
        incident_id=incident_id(f"{name}-0"),
        account_id=f"crm:{name}",
        policy="burst",
        kind="opened",
        level="high",
        channel=f"channel-of-{name}",
        at=NOW,
        outcome="sent",
    )


OF_ALL = [page for page in PAGES if page.about_customers and page.under != "accounts"]
OF_ONE = [page for page in PAGES if page.under == "accounts"]
SUBJECTS = {"account": "crm:mine", "person": "mine-person"}


def two_lives() -> World:
    """One account and one person, who do what every filter asks for, and what none of them does."""
    made = two_customers()
    made.accounts = [row for row in made.accounts if row["account_id"] == "crm:mine"]
    for row in made.touchpoints:
        row |= {"account_id": "crm:mine", "person_id": "mine-person"}
    for row in made.signals:
        row["account_id"] = "crm:mine"
    return made


def only_chosen(made: World) -> World:
    return World(
        [row for row in made.touchpoints if row["event_id"].startswith("mine")],
        [row for row in made.signals if row["event_id"].startswith("mine")],
        made.accounts,
    )


@pytest.mark.parametrize("page", OF_ONE, ids=lambda page: page.id)
async def test_each_part_about_one_shows_what_is_chosen_and_nothing_else(page: Page) -> None:
    made = two_lives()
    both, one = browser_of(app_on(FakeStore(made))), browser_of(app_on(FakeStore(only_chosen(made))))
    address = page.address(SUBJECTS[page.id])
    everything = (await both.get(f"{address}?window=7d")).text
    for name in ("persona", "segment", "owner", "channel"):
        path = f"{address}?{urlencode({'window': '7d', name: CHOSEN[name]})}"
        filtered, alone = (await both.get(path)).text, (await one.get(path)).text
        for part in set(page.parts) - set(page.standing):
            shown = part_of(filtered, part)
            assert shown == part_of(alone, part), (part, name)
            assert "theirs" not in shown, (part, name)
            assert part_of(everything, part) != shown, "the comparison is of something"


@pytest.mark.parametrize("page", OF_ALL, ids=lambda page: page.id)
async def test_each_part_shows_the_same_as_if_only_the_chosen_were_stored(page: Page) -> None:
    made = two_customers()
    apps = app_on(FakeStore(made)), app_on(FakeStore(only_mine(made)))
    for app, names in zip(apps, (("mine", "theirs"), ("mine",)), strict=True):
        for name in names:
            app.state.desk.reader.board.learn_delivery("", b"[" + told_of(name).encoded() + b"]")
    both, one = map(browser_of, apps)
    address = page.address("all/all" if page.id == "touchpoint" else "")
    everyone = (await both.get(f"{address}?window=7d")).text
    changed = set()
    for name in FILTERS:
        path = f"{address}?{urlencode({'window': '7d', name: CHOSEN[name]})}"
        filtered, alone = (await both.get(path)).text, (await one.get(path)).text
        for part in page.parts:
            shown = part_of(filtered, part)
            assert shown == part_of(alone, part), (part, name)
            assert "heirs" not in shown, (part, name)
            changed |= {part} if part_of(everyone, part) != shown else set()
    assert changed >= set(page.parts) - set(page.standing), "the comparison is of something"


async def test_filters_stay_in_every_link_to_a_page_and_are_offered() -> None:
    text = (await browser_of(app_on(FakeStore(two_customers()))).get(f"/?window=7d&{urlencode(CHOSEN)}")).text
    for page in [page for page in PAGES if not page.under]:
        link = re.search(rf'href="{page.path}\?([^"]*)"', text.partition('<nav id="nav"')[2])
        assert link and all(f"{name}=" in link[1] for name in FILTERS), page.id
    for name in ("persona", "segment", "owner", "channel", "tier"):
        assert f'<option value="{CHOSEN[name]}" selected>' in text
    assert "Account: Mine Ltd" in text


ABOUT_US = [page for page in PAGES if not page.about_customers]


@pytest.mark.parametrize("page", ABOUT_US, ids=lambda page: page.id)
async def test_what_filters_do_not_change_says_so_and_is_not_changed(page: Page) -> None:
    client = browser_of(app_on(FakeStore(two_customers())))
    usual = (await client.get(page.address())).text
    assert "window and filters do not change this page" in part_of(usual, page.parts[0])
    assert 'aria-label="Filters"' not in usual, "nothing offers what does nothing"
    for name in FILTERS:
        filtered = (await client.get(f"{page.address()}?{urlencode({'window': '1h', name: CHOSEN[name]})}")).text
        for part in page.parts:
            assert part_of(filtered, part) == part_of(usual, part), (part, name)


@pytest.mark.parametrize("page", [page for page in OF_ONE if page.standing], ids=lambda page: page.id)
async def test_a_part_that_stands_whatever_the_filters_says_so(page: Page) -> None:
    text = (await browser_of(app_on(FakeStore(two_lives()))).get(f"{page.address(SUBJECTS[page.id])}?window=7d")).text
    for part in page.standing:
        assert "whatever the filters" in part_of(text, part)
