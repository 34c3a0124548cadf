"""An account and a person day by day: use is folded, what hurts stands open, and the way has a place for every stay."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.dashboard import row_views
from services.dashboard.catalogue import Catalogue
from services.dashboard.days import Notable, Scale, Use, days_of
from services.dashboard.pages.account.crm_traits import revenue_of
from services.dashboard.pages.account.stays import COLUMNS, LEAST, stays_of
from services.dashboard.views.accounts import PhaseMove, TouchpointView
from services.dashboard.why import cause_words, corrected_words, method_words, moved_words
from services.dashboard.words import owner_words
from streams.journey.blueprints import load
from streams.sentences import listed, said
from tests.dashboard_fakes import BLUEPRINT, NOW, FakeStore, browser_of
from tests.dashboard_seed import Row, world
from tests.unit.test_dashboard_app import app_on

CATALOGUE = Catalogue(BLUEPRINT)
SHIPPED = load("infra/blueprints/default.yaml").source
STRUGGLE = next(rule for rule in SHIPPED.rules if rule.id == "struggle")
STORE = FakeStore(world(BLUEPRINT, NOW, touchpoints=200, days=4))
HOUR = timedelta(hours=1)
SCALE = Scale(CATALOGUE.lens, {})


def seen(*rows: dict[str, Any]) -> list[TouchpointView]:
    """Touchpoints a minute apart, newest first."""
    plain = dict(next(row for row in STORE.world.touchpoints if not row["friction"])) | {"has_emotion": 0}
    return [
        row_views.touchpoint_view(
            CATALOGUE,
            STORE._with_signals(
                plain | {"event_id": f"x{n}", "occurred_at": NOW - n * timedelta(minutes=1), "moment_of_truth": 0} | row
            ),
        )
        for n, row in enumerate(rows)
    ]


def test_plain_use_is_one_line_until_something_is_said_or_the_day_ends() -> None:
    rows = seen({}, {"person_id": "b"}, {"text": "Nobody answers"}, {}, {"occurred_at": NOW - 30 * HOUR})
    today, before = days_of(rows, SCALE)
    first, said, last = today.entries
    assert isinstance(first, Use) and first.people == 2 and first.lasted_s == 60
    assert isinstance(said, Notable) and said.severity == "unmeasured", "nothing tells that it went well"
    assert isinstance(last, Use) and len(last.folded) == len(before.entries) == 1


def test_what_hurts_is_never_folded_and_the_worst_sign_leads() -> None:
    hurt = next(row for row in STORE.world.signals if row["polarity"] == "friction")
    row = next(row for row in STORE.world.touchpoints if row["event_id"] == hurt["event_id"])
    ((entry,),) = [day.entries for day in days_of(seen(row), SCALE)]
    assert isinstance(entry, Notable) and entry.signs[0].signal_id == hurt["signal_id"]
    assert entry.severity in ("severe", "high", "watch")


@given(st.lists(st.floats(0, 400), min_size=0, max_size=20))
def test_the_ribbon_is_always_full_and_every_stay_can_be_read(lengths: list[float]) -> None:
    begin = NOW - timedelta(days=sum(lengths) + 1)
    moves, at = [], begin
    for days in lengths:
        at += timedelta(days=days)
        moves.append(PhaseMove(at, "awareness", "purchase", "e", "decisive: x", True, days))
    account = row_views.account_row(CATALOGUE, STORE.world.accounts[0] | {"first_seen_at": begin})
    stays = stays_of(CATALOGUE, account, moves[::-1], ((NOW - HOUR, "high"),), NOW)
    assert sum(stay.columns for stay in stays) == COLUMNS
    assert min(stay.columns for stay in stays) >= LEAST
    assert [stay.until is None for stay in stays].count(True) == 1 and stays[-1].until is None
    assert stays[-1].marks, "where it hurts now is marked"


@pytest.mark.parametrize(
    ("traits", "shown"),
    [
        ({"annualrevenue": "64000.4", "currency": "eur"}, "EUR 64,000 a year"),
        ({"mrr": "900"}, "900 a month"),
        ({"mrr": "900", "arr": "12000"}, "12,000 a year"),
        ({"revenue": "a lot"}, "a lot a year"),
        ({}, ""),
    ],
)
def test_revenue_has_its_period(traits: dict[str, str], shown: str) -> None:
    assert revenue_of(traits) == shown


def test_why_is_told_without_the_machine() -> None:
    assert cause_words("decisive: company.propertyChange:lifecyclestage") == "because of “lifecyclestage”"
    assert cause_words("decisive: deal won (on the way to enablement)").endswith(
        "“deal won” (on the way to enablement)"
    )
    assert (
        cause_words("decisive: track:Quote; counts only in purchase") == "because of “Quote”: counts only in purchase"
    )
    assert cause_words("a person said so") == "a person said so"
    assert method_words("explicit") == "the event itself names the account"
    assert method_words("by_magic") == "by magic"


def told(account: Row) -> None:
    seats = [{"role": "decision maker", "known": 1, "required": 1}, {"role": "champion", "known": 0, "required": 1}]
    deal = {"opportunity_id": "deal:9", "kind": "expansion", "status": "open", "stage": "offer", "amount": 42000.0}
    when = {"opened_at": NOW.isoformat(), "changed_at": NOW.isoformat(), "currency": "EUR", "regressions": 1}
    account |= {
        "committee": json.dumps(seats),
        "committee_completeness": 0.5,
        "opportunities": json.dumps([deal | when]),
    }
    account["traits"] = json.dumps({"tier": "A", "annualrevenue": "64000", "owner": "L. Peeters"})


async def test_the_page_says_who_is_lacking_what_is_at_stake_and_shows_ids_only_under_why() -> None:
    store = FakeStore(world(BLUEPRINT, NOW, touchpoints=300, days=4))
    account = max(store.world.accounts, key=lambda row: row["friction_signals"])
    told(account)
    page = (await browser_of(app_on(store)).get(f"/accounts/{account['account_id']}?window=7d")).text
    for words in ("is hurt: pain", "Tier A", "64,000 a year", "owned by L. Peeters", "Champion · 0 of 1"):
        assert words in page, words
    for words in ("Nobody known", "50% of the committee", "EUR 42,000", "went back 1 stage"):
        assert words in page, words
    for words in ("MoT", "explicit", "judged anew", "confidence", "polarity"):
        assert words not in page, words
    ids = [row["event_id"] for row in store.world.touchpoints if row["account_id"] == account["account_id"]]
    shown = page.split("<details")
    bare = [part.partition("</details>")[2] for part in shown[1:]] + [shown[0]]
    assert not [one for one in ids for part in bare if f">{one}<" in part or f"<code>{one}" in part]
    assert any(f"<code>{one}" in page for one in ids)


async def test_a_person_has_a_page_and_opens_over_another_one() -> None:
    store = FakeStore(world(BLUEPRINT, NOW, touchpoints=300, days=4))
    row = next(row for row in store.world.touchpoints if row["person_id"] and row["friction"])
    client = browser_of(app_on(store))
    path = f"/people/{row['person_id'].replace('/', '%2F')}?window=7d"
    page, over = (await client.get(path)).text, (await client.get(path + "&part=1")).text
    assert "is hurt: pain" in page and "<nav" in page
    assert "<nav" not in over and 'id="detail-title"' in over and 'id="in-days"' in over
    assert (await client.get("/people/nobody")).status_code == 404


async def test_a_person_of_many_accounts_says_how_many_and_shows_the_rest_on_demand() -> None:
    store = FakeStore(world(BLUEPRINT, NOW, touchpoints=60, days=2))
    row = next(row for row in store.world.touchpoints if row["person_id"])
    store.world.touchpoints += [row | {"account_id": f"crm:many{n:03}", "event_id": f"many{n}"} for n in range(24)]
    page = (await browser_of(app_on(store)).get(f"/people/{row['person_id']}?window=7d")).text
    shown, _, folded = page.partition(" more accounts</summary>")
    mine = {each["account_id"] for each in store.world.touchpoints if each["person_id"] == row["person_id"]}
    known = len(mine)
    assert f'<details data-key="more-accounts"><summary>{known - 20}' in shown
    assert shown.partition("<h2>Accounts")[2].count('data-key="crm:') == 20
    assert folded.partition("</details>")[0].count('data-key="crm:') == known - 20


@pytest.mark.parametrize(
    ("owner", "account_id", "words"),
    [
        ("", "crm:hubspot:51", ""),
        ("Kim Vos", "crm:hubspot:51", "Kim Vos"),
        ("1234", "crm:hubspot:51", "HubSpot owner 1234"),
        ("005Ab00000abcDEIAY", "crm:salesforce:001", "Salesforce owner 005Ab00000abcDEIAY"),
        ("1234", "crm:ours:51", "CRM owner 1234"),
        ("1234", "domain:acme.example", "CRM owner 1234"),
    ],
)
def test_an_owner_is_a_name_and_an_id_says_whose_it_is(owner: str, account_id: str, words: str) -> None:
    assert owner_words(owner, account_id) == words


def test_what_moved_a_phase_is_said_from_its_code_and_of_before_from_its_english() -> None:
    code = said("decisive_refused", event="track:Quote", reason=said("only_in", phases="purchase"))
    assert moved_words(code, "not read") == "because of “Quote”: counts only in purchase"
    assert moved_words("", "decisive: track:Quote") == "because of “Quote”"


def test_a_correction_is_said_from_its_code_and_of_before_from_its_english() -> None:
    code = listed([said("judged", count=2), said("signals_withdrawn", count=1)])
    assert corrected_words(code, "not read", ", ") == "2 touchpoints read differently, 1 sign withdrawn"
    assert corrected_words("", "2 touchpoints judged anew", ", ") == "2 touchpoints read differently"
    assert corrected_words("•••", "•••", ", ") == "•••", "a viewer's are hidden"


def test_an_explanation_is_said_from_its_code_where_the_rule_is_the_one_that_found_it() -> None:
    catalogue, row = Catalogue(SHIPPED), {"explanation": "as stored: client_error"}
    code = json.dumps(["struggle", {"count": 2, "parts": ["client_error", "not_found"]}])
    said_so = catalogue.explanation(row | {"explanation_coded": code, "rule_version": STRUGGLE.version})
    assert said_so == "struggled with one thing, 2 signals: errors shown on screen, pages not found"
    for coded in (
        "",
        "•••",
        "[]",
        json.dumps(["struggle", {"count": 2}]),
        json.dumps(["no_rule", {}]),
        "[1]",
        "{}",
        "[[],{}]",
    ):
        of = row | {"explanation_coded": coded, "rule_version": STRUGGLE.version}
        assert catalogue.explanation(of) == "as stored: errors shown on screen", coded
    older = row | {"explanation_coded": code, "rule_version": STRUGGLE.version + 1}
    assert catalogue.explanation(older) == "as stored: errors shown on screen", "its sentence may have been another one"


async def test_an_account_is_found_without_its_directory_and_a_quiet_one_opens_where_it_has_something() -> None:
    store = FakeStore(world(BLUEPRINT, NOW - timedelta(days=20), touchpoints=60, days=1))
    page = (await browser_of(app_on(store)).get("/accounts/crm:0001")).text
    assert 'aria-current="page" title="last 30 days"' in page
