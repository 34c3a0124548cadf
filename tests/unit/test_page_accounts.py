"""The list of accounts: sorted on the server, columns as they are asked for, both kept in the address."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest

from services.dashboard.pages.account.told import revenue_of
from services.dashboard.scope import RANKINGS
from tests.dashboard_fakes import BLUEPRINT, NOW, FakeStore, browser_of
from tests.dashboard_seed import world
from tests.unit.test_dashboard_app import app_on


def told() -> FakeStore:
    """Accounts of two tiers, with revenue a year, a month and none, and one with open incidents."""
    store = FakeStore(world(BLUEPRINT, NOW, touchpoints=300, days=6))
    traits: tuple[dict[str, str], ...] = (
        {"tier": "A", "arr": "48000", "currency": "eur"},
        {"tier": "B", "mrr": "9000"},
        {},
    )
    for number, row in enumerate(store.world.accounts):
        row |= {"traits": json.dumps(traits[number % 3]), "committee_completeness": 0.25, "open_incidents": 0}
    store.world.accounts[0] |= {"open_incidents": 3}
    return store


def names(text: str) -> list[str]:
    table = text.partition('data-key="known"')[2].partition("</table>")[0]
    return re.findall(r'<th scope="row"><a [^>]*>([^<]*)', table)


@pytest.mark.parametrize("sort", RANKINGS)
async def test_each_title_sorts_on_the_server_and_the_table_is_the_same_as_csv(sort: str) -> None:
    client = browser_of(app_on(told()))
    page = (await client.get(f"/accounts?window=30d&sort={sort}")).text
    rows = list(csv.DictReader(io.StringIO((await client.get(f"/csv/accounts?window=30d&sort={sort}")).text)))
    assert names(page) == [row["name"] for row in rows] and len(rows) > 9
    key = {"tier": "tier", "revenue": "revenue_a_year", "pain": "pain", "stay": "days_in_phase"}.get(sort)
    values = [row[key] for row in rows] if key else []
    if key == "tier":
        assert values == sorted(values, key=lambda tier: tier or "~") and set(values) == {"a", "b", ""}
    elif key:
        numbers = [float(value or 0) for value in values]
        assert numbers == sorted(numbers, reverse=True) and len(set(numbers)) > 1
    assert page.count("aria-sort=") == 1
    assert f"sort={sort}" in page.partition('<nav class="windows"')[2].partition("</nav>")[0], "another window keeps it"


async def test_columns_are_chosen_in_the_address_and_stay_there() -> None:
    client = browser_of(app_on(told()))
    usual = (await client.get("/accounts?window=30d")).text
    for words in ("EUR 48,000 a year", "9,000 a month", "25%", ">3</a>"):
        assert words in usual, words
    chosen = (await client.get("/accounts?window=30d&columns=people&columns=tier,segment&sort=tier")).text
    titles = re.findall(r'<th scope="col"[^>]*>(?:<a [^>]*>)?([^<]*)', chosen.partition("</thead>")[0])
    assert titles == ["Account", "Tier", "Segment", "People"]
    assert "columns=tier%2Csegment%2Cpeople" in chosen.partition('id="nav"')[2].partition("</nav>")[0]
    assert "EUR 48,000" not in chosen
    refused = await client.get("/accounts?columns=secrets", headers={"accept": "application/json"})
    assert refused.status_code == 400 and refused.json()["error"]["field"] == "columns"
    shows = (await client.get("/api/v1/pages/accounts?window=30d&sort=revenue")).json()["shows"]
    assert shows["sort"] == "revenue" and shows["accounts"][0]["revenue_a_year"] == 108_000.0


def test_a_months_revenue_is_called_one_whatever_else_is_told() -> None:
    assert revenue_of({"mrr": "10", "annual_revenue": "5"}) == "10 a month"
    assert revenue_of({"arr": "7", "mrr": "10"}) == "7 a year"
