"""Every statement of the pages on a few rows that are known by heart: literal answers, at both sides of each edge."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache, partial
from itertools import product
from typing import Any, get_args

import pytest

from schemas.config import ClickHouseConfig
from services.dashboard.clickhouse import ClickHouseStore, connect
from services.dashboard.numbers import Counts
from services.dashboard.params import SORTS
from services.dashboard.scope import Range, Ranking, Scope
from services.dashboard.store import (
    AccountQuery,
    CellQuery,
    DaysQuery,
    PainQuery,
    ProposalQuery,
    RankedQuery,
    SignalQuery,
)
from tests import clickhouse_fixture
from tests.clickhouse_fixture import ClickHouse
from tests.dashboard_answers import FIGURES, LISTS, OF_TWO_DAYS, RANKED, REST
from tests.dashboard_seed import create_tables
from tests.dashboard_versions import LONG, SPAN, at, fill

pytestmark = pytest.mark.clickhouse

RECORDS = ("crm_record",)
KNOWN = ("contract", "webinar", "website_visit", "complaint")
PAINFUL = ("complaint", "odd")
"""Pain by definition; of the second minutes do not know."""
SCOPES = {
    "everything": Scope(),
    "with what is left out": Scope(traffic="all", records=RECORDS),
    "gold accounts": Scope(tier="gold"),
    "one account": Scope(account="crm:2"),
    "buyers": Scope(persona="economic_buyer"),
    "large ones": Scope(segment="enterprise"),
    "by mail": Scope(channel="email"),
    "nobody's persona": Scope(persona="unknown"),
    "gold ones as users": Scope(tier="gold", persona="end_user"),
    "one by mail": Scope(account="crm:1", channel="email"),
    "one by phone": Scope(account="crm:2", channel="phone"),
    "one if large": Scope(account="crm:2", segment="enterprise"),
    "one if a buyer": Scope(account="crm:2", persona="economic_buyer"),
    "one if gold": Scope(account="crm:2", tier="gold"),
    "contracts of one": Scope(account="crm:2", owner="Sales", types=("contract",)),
    "all of one": Scope(account="crm:2", traffic="all", records=RECORDS),
    "small ones on the web": Scope(persona="end_user", segment="small", channel="web"),
    "of contracts": Scope(owner="Sales", types=("contract",)),
}


#: Which accounts: one condition each.
OF_ACCOUNTS: list[dict[str, Any]] = [
    {"identified": True},
    {"identified": False},
    {"phase": "awareness"},
    {"text": "AC"},
    {"text": "crm:2"},
    {"limit": 1},
]
#: Which signals: one condition each.
ASKED: list[dict[str, Any]] = [
    {"polarity": "delight"},
    {"account_id": "crm:1"},
    {"phase": "awareness"},
    {"touchpoint_type": "odd"},
    {"rules": ("struggle", "angry")},
    {"without": ("low_score", "odd", "struggle")},
    {"cases": ("c1",)},
    {"since": at("11:00")},
    {"after": (at("11:00"), "s5")},
    {"limit": 2},
]


@cache
def filled(warehouse: ClickHouse) -> str:
    """A database that all tests here read; it goes with the warehouse, at the end of the run."""
    name = clickhouse_fixture.new_name()
    server = warehouse.client()
    server.command(f"CREATE DATABASE {name}")
    server.close()
    client = warehouse.client(name)
    create_tables(client, name)
    fill(client)
    client.close()
    return name


@pytest.fixture
def store(clickhouse_url: ClickHouse) -> Iterator[ClickHouseStore]:
    config = ClickHouseConfig(url=clickhouse_url.base_url, database=filled(clickhouse_url))
    store = ClickHouseStore(partial(connect, config, clickhouse_url.token))
    yield store
    store.close()


def clock(moment: datetime | None) -> str:
    return f"{moment:%H:%M:%S}" if moment else ""


def sums(counts: Counts) -> tuple[float, ...]:
    """Touchpoints, of visitors, friction, delight, feelings and their sum, pain; accounts, visitors, people."""
    return (
        counts.volume, counts.visitor_volume, counts.friction, counts.delight, counts.emotion_count,
        counts.emotion_sum, counts.pain_sum, counts.accounts, counts.visitors, counts.people,
    )  # fmt: skip


async def figures(store: ClickHouseStore, name: str, span: Range) -> dict[str, Any]:
    """What the map shows of a scope."""
    scope = SCOPES[name]
    found = await store.cells(scope, span)
    day = span.length > timedelta(days=1)
    now = Range(at("00:00"), at("23:59"), 3600) if day else Range(at("11:00"), at("11:59"), 150)
    before = await store.history(scope, now, 1)
    hurt = await store.hurt(scope, span, PAINFUL)
    population = await store.population(scope, span)
    return {
        "cells": {"/".join(key): sums(counts) for key, counts in sorted(found.by_cell.items())},
        "phases": {phase: counts.volume for phase, counts in sorted(found.by_phase.items())},
        "total": sums(found.total),
        "sparks": {key[1]: [n for n, at in enumerate(each.spark) if at] for key, each in sorted(found.by_cell.items())},
        "active": await store.active_accounts(scope, span),
        "last": clock(await store.last_minute(scope)),
        "daily": {key[1]: [*days.values()] for key, days in sorted((await store.daily(scope, span)).items())},
        "window before": {key[1]: value for key, value in sorted(before.items())},
        "hurt": {key[1]: each.accounts for key, each in sorted(hurt.by_cell.items())},
        "of types": {key: each.worst for key, each in sorted(hurt.by_type.items())},
        "in all": hurt.total.accounts,
        "whom": [
            (row["account_id"], row["name"], row["pained"], row["worst_type"], clock(row["last_at"]))
            for row in await store.hurt_accounts(scope, span, PAINFUL, 2)
        ],
        "unmapped": [(row["vendor_type"], row["volume"]) for row in await store.unmapped(scope, span, KNOWN)],
        "population": (population["accounts"], population["visitors"], population["at_risk"]),
        "worst rules": {
            key[1]: rule for key, rule in sorted((await store.worst_rules(scope, span, ["struggle"])).items())
        },
        "kept off": [
            (row["traffic"], row["touchpoints"], row["example"]) for row in await store.kept_off(scope, span, RECORDS)
        ],
    }


async def lists(store: ClickHouseStore, name: str) -> dict[str, Any]:
    """What the other pages list of a scope."""
    scope = SCOPES[name]
    pained = PainQuery(scope, SPAN, PAINFUL, derived=("struggle",), waits=("low_score",))
    variants = await store.variants(scope, SPAN, ["complaint"])
    return {
        "signals": [
            (row["signal_id"], row["account_name"], row.get("persona", "-"), row["severity"])
            for row in await store.signals(SignalQuery(since=SPAN.since, scope=scope, without=("odd",)))
        ],
        "pained": [(row["part_id"], clock(row["at"])) for row in await store.pained(pained)],
        "accounts": [row["account_id"] for row in await store.accounts(AccountQuery(scope=scope, span=SPAN))],
        "variants": [(r["dim"], r["id"], r["volume"], r["pain"], r["accounts"]) for r in variants],
        "said": [(r["event_id"], r["account_name"], r["felt"], r["text"]) for r in await store.said(scope, SPAN, 9)],
        "before": [(r["kind"], r["n"]) for r in await store.beside(scope, SPAN, PAINFUL, after=False)],
        "after": [(r["kind"], r["n"]) for r in await store.beside(scope, SPAN, PAINFUL, after=True)],
    }


async def ranked(store: ClickHouseStore) -> dict[str, list[str]]:
    """The order of accounts by each ranking, with what they are sorted by; and by pain in each scope."""
    kinds = {"contract": "Zcontract", "complaint": "Angry"}
    asked = RankedQuery(Scope(), SPAN, ("complaint",), ("awareness", "purchase", "initiate"), kinds, "pain", 9)
    queries = {sort: replace(asked, sort=sort) for sort in get_args(Ranking)}
    queries |= {name: replace(asked, scope=scope, by_definition=PAINFUL) for name, scope in SCOPES.items()}
    queries["of two days"] = replace(asked, span=LONG, by_definition=PAINFUL)
    return {
        name: [f"{row['account_id']} {row['sort_key']}" for row in await store.ranked_accounts(query)]
        for name, query in queries.items()
    }


async def of_people(store: ClickHouseStore) -> dict[str, Any]:
    """People, accounts, and what is known of who is who."""
    people = await store.people("P", at("10:40"), 9)
    theirs = await store.people_of("crm:1")
    queries = [AccountQuery(sort=sort, **more) for sort, more in product(SORTS, OF_ACCOUNTS)]
    asked = [ProposalQuery(status, 2) for status in ("", "open", "accepted")]
    asked.append(ProposalQuery("", 9, (at("10:00"), "q2")))
    return {
        "people": [(row["person_id"], row["account_id"], clock(row["last_at"])) for row in people],
        "people of": [(row["person_id"], *person(row)) for row in [*theirs, *await store.people_of("crm:3")]],
        "accounts of": [(row["account_id"], row["name"], *person(row)) for row in await store.accounts_of("p1")],
        "accounts": [[row["account_id"] for row in await store.accounts(query)] for query in queries],
        "one": ((await store.account("crm:2") or {})["name"], await store.account("crm:9")),
        "proposals": [
            [(r["proposal_id"], r["status"], r["by"], r["would_move"]) for r in await store.proposals(q)] for q in asked
        ],
        "proposal": (await store.proposal("q3") or {})["status"],
        "open": await store.open_proposals(),
        "corrections": [(r["cause"], clock(r["corrected_at"])) for r in await store.corrections("crm:1", 9)],
    }


async def of_rows(store: ClickHouseStore) -> dict[str, Any]:
    """Touchpoints, their signals, and what they are of."""
    traffic, flow = await store.traffic(at("10:11")), await store.flow(at("10:59"))
    found = {"since": SPAN.since, "types": list(PAINFUL), "waits": ["low_score"]}
    pains = await store.pains(["crm:1", "crm:2"], found)
    queries = [SignalQuery(**more, scope=scope) for scope in (None, SCOPES["all of one"]) for more in ASKED]
    whole = await store.touchpoint("e1") or {}
    return {
        "first": clock(await store.first_minute()),
        "fresh": [(row["source"], *map(clock, fresh_of(row))) for row in await store.freshness()],
        "tiers": await store.tiers(),
        "channels": await store.channels(),
        "traffic": [(row["traffic"], row["touchpoints"], row["counted"], row["example"]) for row in traffic],
        "flow": sorted((row["hour"], row["touchpoint_type"], row["on_map"], row["n"]) for row in flow),
        "latest": [(row["event_id"], row["name"]) for row in await store.latest(at("10:41"), 3)],
        "shares": {name: await shares(store, scope) for name, scope in SCOPES.items()},
        "slots": [(row["source"], row["slots"], row["lag_s"]) for row in await store.slots(at("10:40"))],
        "timeline": [carried(row) for row in await store.timeline("crm:1", 2, (at("12:00"), "e3"))],
        "days": await shown(store, DaysQuery(Scope(), SPAN.since, 9, account_id="crm:1")),
        "days of a person": await shown(store, DaysQuery(Scope(), SPAN.since, 2, person_id="p1")),
        "days since": await shown(store, DaysQuery(Scope(), at("10:00:30"), 9, person_id="p1")),
        "days of gold": await shown(store, DaysQuery(Scope(tier="gold"), SPAN.since, 9, person_id="p2")),
        "days at one": await shown(store, DaysQuery(Scope(account="crm:2"), SPAN.since, 9, person_id="p1")),
        "days by mail": await shown(store, DaysQuery(Scope(channel="email"), SPAN.since, 9, person_id="p1")),
        "events": [carried(row) for row in await store.events("crm:1", ["e1", "g1", "e4"])],
        "several": [carried(row) for row in await store.events("crm:2", ["e5", "e9"])],
        "whole": (whole["account_id"], whole["pain"], "p1" in whole["payload"]),
        "carriers": sorted(
            (r["event_id"], r["persona"]) for r in await store.carriers(["crm:1", "crm:2"], ["e1", "e4"])
        ),
        "owners": await store.owners_of(["e1", "e4", "m1", "none"]),
        "pains": sorted(row["signal_id"] for row in pains.signals),
        "touched": sorted(row["event_id"] for row in pains.touchpoints),
        "pained": sorted((row["account_id"], row["name"]) for row in pains.accounts),
        "signals": [[row["signal_id"] for row in await store.signals(query)] for query in queries],
    }


async def shares(store: ClickHouseStore, scope: Scope) -> list[tuple[Any, ...]]:
    """Of one cell: by persona, channel and rule."""
    rows = await store.shares(CellQuery(scope, SPAN, "purchase", "contract"))
    return sorted((row["kind"], row["id"], row["volume"], row["frictions"]) for row in rows)


def person(row: Any) -> tuple[Any, ...]:
    """What somebody did at an account."""
    sums = [row[name] for name in ("persona", "touchpoints", "pain", "emotion_sum", "statements")]
    return (*sums, f"{row['first_at']:%d %H:%M}", f"{row['last_at']:%d %H:%M}")


def fresh_of(row: Any) -> list[datetime]:
    """When the latest happened, came and was written."""
    return [row[f"last_{name}_at"] for name in ("occurred", "received", "written")]


async def shown(store: ClickHouseStore, query: DaysQuery) -> tuple[list[Any], Any]:
    """A part of a timeline, and where the next one begins."""
    rows, after = await store.days(query)
    return [carried(row) for row in rows], after


def carried(row: Any) -> tuple[Any, ...]:
    """A touchpoint with the signals it carries, and those it is evidence of."""
    return (
        row["event_id"],
        row["pain"],
        *([each["signal_id"] for each in row[name]] for name in ("signals", "evidence_of")),
    )


@pytest.mark.parametrize("name", SCOPES)
async def test_the_map_shows_these_figures(store: ClickHouseStore, name: str) -> None:
    assert await figures(store, name, SPAN) == FIGURES[name]


@pytest.mark.parametrize("name", SCOPES)
async def test_the_map_shows_these_figures_where_a_day_is_rolled_up(store: ClickHouseStore, name: str) -> None:
    assert await figures(store, name, LONG) == OF_TWO_DAYS[name]


@pytest.mark.parametrize("name", SCOPES)
async def test_the_pages_list_these_rows(store: ClickHouseStore, name: str) -> None:
    assert await lists(store, name) == LISTS[name]


async def test_accounts_are_ranked_so(store: ClickHouseStore) -> None:
    assert await ranked(store) == RANKED


async def test_what_is_asked_of_no_scope_is_this(store: ClickHouseStore) -> None:
    assert await of_people(store) | await of_rows(store) == REST
