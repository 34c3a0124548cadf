"""The list of accounts: sorted on the server, columns as they are asked for, both kept in the address."""

from __future__ import annotations

import csv
import html
import io
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.dashboard import cursors
from services.dashboard.pages.account.crm_traits import revenue_of
from services.dashboard.pages.accounts import query
from services.dashboard.pages.accounts.columns import CHOICE
from services.dashboard.scope import COLUMNS, RANKINGS
from tests.dashboard_fakes import BLUEPRINT, NOW, FakeStore, browser_of
from tests.dashboard_seed import world
from tests.unit.test_dashboard_app import app_on


def told() -> FakeStore:
    """Accounts of two tiers, with revenue a year, a month and none, and one with open incidents."""
    store = FakeStore(world(BLUEPRINT, NOW, touchpoints=300, days=6))
    traits: tuple[dict[str, str], ...] = (
        {"tier": "A", "arr": "48000", "currency": "eur", "owner": "M. Peeters"},
        {"tier": "B", "mrr": "9000", "owner": "A. Smit"},
        {},
    )
    for number, row in enumerate(store.world.accounts):
        row |= {"traits": json.dumps(traits[number % 3]), "committee_completeness": 0.25, "open_incidents": 0}
    store.world.accounts[0] |= {"open_incidents": 3}
    return store


def names(text: str) -> list[str]:
    table = text.partition('data-key="known"')[2].partition("</table>")[0]
    return re.findall(r'<th scope="row"><a [^>]*>([^<]*)', table)


SORTED_BY = {
    "tier": "tier",
    "revenue": "revenue_a_year",
    "pain": "pain",
    "stay": "days_in_phase",
    "owner": "crm_owner",
    "segment": "segment",
    "because": "mostly_by",
    "incidents": "open_incidents",
    "people": "people",
    "touchpoints": "touchpoints",
}


def test_every_column_sorts() -> None:
    assert {column.sort for column in CHOICE} | {"name"} == set(RANKINGS)


@pytest.mark.parametrize("sort", RANKINGS)
async def test_each_part_of_the_list_goes_on_where_the_one_before_ended(
    sort: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = names((await browser_of(app_on(told())).get(f"/accounts?window=30d&sort={sort}")).text)
    monkeypatch.setattr(query, "LIST_LENGTH", 4)
    client, address, seen = browser_of(app_on(told())), f"/accounts?window=30d&sort={sort}&columns=tier", list[str]()
    for _ in range(len(whole)):
        page = (await client.get(address)).text
        assert 0 < len(names(page)) <= 4 and ("Back to the first" in page) == bool(seen)
        seen += names(page)
        following = re.search(r'href="([^"]*)" rel="next"', page)
        if following is None:
            break
        address = html.unescape(following[1])
        assert "columns=tier" in address and f"sort={sort}" in address
    assert seen == whole and len(whole) > 8


@pytest.mark.parametrize("after", ["x", cursors.encode("a", "b"), cursors.encode_ranked("pain", ("1", 2, "crm:1"))])
async def test_a_place_that_is_none_or_of_another_order_is_refused_by_name(after: str) -> None:
    client = browser_of(app_on(told()))
    refused = await client.get(f"/api/v1/pages/accounts?sort=tier&after={after}")
    assert refused.status_code == 400 and "`after`" in refused.text


@given(st.sampled_from(RANKINGS), st.text(max_size=40), st.integers(-(2**63) + 1, 2**63 - 1), st.text(max_size=60))
def test_a_place_is_found_again(sort: str, key: str, seen: int, account_id: str) -> None:
    written = cursors.encode_ranked(sort, (key, seen, account_id))
    assert cursors.decode_ranked(written, sort) == (key, seen, account_id)
    for other in {*RANKINGS} - {sort}:
        with pytest.raises(cursors.BadCursor):
            cursors.decode_ranked(written, other)


@pytest.mark.parametrize("sort", RANKINGS)
async def test_each_title_sorts_on_the_server_and_the_table_is_the_same_as_csv(sort: str) -> None:
    client = browser_of(app_on(told()))
    page = (await client.get(f"/accounts?window=30d&sort={sort}&columns={','.join(COLUMNS)}")).text
    rows = list(csv.DictReader(io.StringIO((await client.get(f"/csv/accounts?window=30d&sort={sort}")).text)))
    assert names(page) == [row["name"] for row in rows] and len(rows) > 9
    key = SORTED_BY.get(sort)
    values = [row[key] for row in rows] if key else []
    if key in ("tier", "crm_owner", "segment", "mostly_by"):
        assert values == sorted(values, key=lambda text: text.lower() or "~") and len(set(values)) > 1
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
