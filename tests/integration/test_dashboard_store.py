"""Every figure of the map, from a real ClickHouse, against the naive sums of the same touchpoints."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import product
from typing import Any, cast

import pytest
from clickhouse_connect.driver.client import Client

from schemas.blueprint import Blueprint
from schemas.config import ClickHouseConfig
from schemas.errors import StoreUnavailable
from schemas.facts import IgnoredFact
from schemas.incidents import Thread
from services.dashboard import nearby
from services.dashboard.catalogue import Catalogue
from services.dashboard.clickhouse import ClickHouseStore, connect
from services.dashboard.incidents import Found, incident, incidents, with_personas
from services.dashboard.numbers import Counts
from services.dashboard.params import SORTS
from services.dashboard.reader import Reader
from services.dashboard.scope import RANKINGS, Scope
from services.dashboard.store import (
    AccountQuery,
    CellQuery,
    DaysQuery,
    Hurts,
    Near,
    PainQuery,
    Pains,
    Polarity,
    RankedQuery,
    Row,
    SignalQuery,
)
from services.sink.cells import recompute
from services.sink.days import roll_up
from services.sink.rows import rows_of
from streams.connectors.registry import fed_by
from streams.journey.blueprints import load
from tests import dashboard_seed as seed
from tests.clickhouse_fixture import ClickHouse
from tests.dashboard_fakes import BLUEPRINT, NOW, FakeStore

pytestmark = pytest.mark.clickhouse

RANKED = (
    "account_id", "name", "phase", "segment", "pained", "worst_type", "tier", "revenue", "open_incidents", "people",
    "owner", "touchpoints",
)  # fmt: skip
KINDS = {kind.id: kind.name for kind in BLUEPRINT.types}
SCOPES = [
    Scope("1h"),
    Scope("24h"),
    Scope("7d"),
    Scope("all"),
    Scope("7d", persona="economic_buyer"),
    Scope("7d", persona="unknown"),
    Scope("all", segment="unknown", channel="email"),
    Scope("24h", persona="end_user", segment="small", channel="phone"),
    Scope("7d", owner="Sales", types=("contract",)),
    Scope("all", tier="gold", persona="end_user"),
    Scope("30d", account="crm:0001"),
    Scope("7d", traffic="all", records=("crm_record",)),
    Scope("all", traffic="all", persona="end_user"),
]


@pytest.fixture
def client(clickhouse_url: ClickHouse, clickhouse_database: str) -> Iterator[Client]:
    client = clickhouse_url.client(clickhouse_database)
    seed.create_tables(client, clickhouse_database)
    yield client
    client.command(f"DROP DATABASE {clickhouse_database}_bi")
    client.close()


@pytest.fixture
def store(clickhouse_url: ClickHouse, clickhouse_database: str, client: Client) -> Iterator[ClickHouseStore]:
    config = ClickHouseConfig(url=clickhouse_url.base_url, database=clickhouse_database)
    store = ClickHouseStore(partial(connect, config, clickhouse_url.token))
    yield store
    store.close()


@pytest.fixture
def made(client: Client) -> seed.World:
    made = seed.world(BLUEPRINT, NOW, touchpoints=3000, days=30)
    for row in made.touchpoints[:50]:
        row |= {"touchpoint_type": "unmapped", "vendor_type": "track:Odd Thing", "persona": ""}
    calm = [row for row in made.touchpoints[50:] if not row["friction"]]
    older = [row for row in calm if row["occurred_at"] < NOW - timedelta(days=1, hours=1)]
    for number, row in enumerate(older[:60]):
        kind = {"url_host": "localhost", "traffic": "internal"} if number % 3 else {"agent": "Pry", "traffic": "bot"}
        row |= kind | {"on_map": 0, "touchpoint_type": "crm_record" if number % 5 == 0 else row["touchpoint_type"]}
    odd = {row["event_id"] for row in made.touchpoints[:50]}
    for signal in made.signals:
        signal["touchpoint_type"] = "unmapped" if signal["event_id"] in odd else signal["touchpoint_type"]
    for row in made.accounts[::3]:
        row["traits"] = '{"tier": "Gold", "mrr": "900"}'
    for row in made.accounts[1::3]:
        row["traits"] = '{"arr": "48000.5", "mrr": "9"}'
    seed.store(client, made)
    return made


async def test_what_is_left_out_is_counted_as_it_is(store: ClickHouseStore, made: seed.World) -> None:
    fake, records = FakeStore(made), Catalogue(BLUEPRINT).records
    for scope in (Scope("all"), Scope("7d"), Scope("30d", persona="end_user"), Scope("all", account="crm:0001")):
        span = await reader_on(store).span(scope, NOW)
        found = await store.kept_off(scope, span, records)
        assert [dict(row) for row in found] == await fake.kept_off(scope, span, records)
    everything = await store.kept_off(Scope("all"), await reader_on(store).span(Scope("all"), NOW), records)
    assert {row["traffic"]: row["example"] for row in everything} == {"internal": "localhost", "bot": "Pry"}
    assert sum(row["touchpoints"] for row in everything) == 48, "records are no contact moments anyway"


def reader_on(store: Any) -> Reader:
    return Reader(
        store,
        Catalogue(BLUEPRINT),
        lambda: NOW,
        {"web": fed_by(["segment"]), "nobody": fed_by(["zendesk"])},
    )


def rounded(value: Any) -> Any:
    """Sums of floats depend on their order in the last digits."""
    if isinstance(value, float):
        return round(value + 1e-12, 9)  # off the halves, on which means of a few scores like to lie
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    return [rounded(each) for each in value] if isinstance(value, list | tuple) else value


class Commands:
    """A client as the sink uses it."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def command(self, sql: str, parameters: dict[str, object]) -> None:
        self._client.command(sql, parameters=parameters)

    def rows(self, sql: str, parameters: dict[str, object]) -> list[dict[str, object]]:
        return list(self._client.query(sql, parameters=parameters).named_results())


@pytest.fixture(params=["minutes", "days"])
def cells_of(request: pytest.FixtureRequest, client: Client, made: seed.World) -> str:
    """Whether days are rolled up."""
    if request.param == "days":
        assert len(roll_up(Commands(client), None, limit=100)) >= 30
    return str(request.param)


async def test_every_figure_equals_the_naive_sum(store: ClickHouseStore, made: seed.World, cells_of: str) -> None:
    for scope in SCOPES:
        real = dataclasses.asdict(await reader_on(store).map(scope, explain=True))
        naive = dataclasses.asdict(await reader_on(FakeStore(made, await store.freshness())).map(scope, explain=True))
        for view in (real, naive):
            for phase in view["phases"]:
                for cell in phase["types"]:
                    cell["spark"] = cell["spark"] or (0,) * 24
        # the lane's three examples look back a week at most, in both
        assert rounded(real) == rounded(naive), scope.query()
        if scope.window != "1h" and not scope.is_filtered:
            assert real["totals"]["touchpoints"] > 100, "the comparison is of something"


async def test_incidents_are_the_same_from_rows_and_from_lists(
    store: ClickHouseStore, client: Client, made: seed.World
) -> None:
    falling = next(row for row in made.accounts if not row["account_id"].startswith("anon:"))
    event_id = next(row["event_id"] for row in made.touchpoints if row["account_id"] == falling["account_id"])
    move = {"at": NOW.isoformat(), "from_phase": "purchase", "to_phase": "awareness", "event_id": event_id}
    move |= {"cause": "fell", "accepted": True, "dwell_s": 1.0, "direction": "backward"}
    falling |= {"transitions": json.dumps([move]), "revision": 2, "last_seen_at": NOW}
    seed.store(client, seed.World(accounts=[falling], touchpoints=made.touchpoints[:1], signals=made.signals[:1]))
    real, naive = reader_on(store), reader_on(FakeStore(made))
    for scope in SCOPES:
        span = await real.span(scope, NOW)
        found, listed = [
            await with_personas(reader, each, each.incidents)
            for reader in (real, naive)
            if (each := await incidents(reader, scope, span))
        ]
        assert rounded(dataclasses.asdict(found)) == rounded(dataclasses.asdict(listed)), scope
        if scope in (Scope("7d"), Scope("7d", owner="Sales", types=("contract",))):
            assert len(found.incidents) > 5, "the comparison is of something"
    assert any(each.touchpoint == "Fell back to Awareness" for each in (await whole(real)).incidents)
    found = await whole(real)
    first = (await with_personas(real, found, found.incidents[:1])).incidents[0]
    one = await incident(real, first.event_id)
    assert one is not None and one.view == first
    (row,) = await store.events(first.account_id, [first.event_id])
    assert (row["event_id"], await store.owners_of([first.event_id, "none"])) == (
        first.event_id,
        {first.event_id: first.account_id},
    )


async def whole(reader: Reader) -> Found:
    return await incidents(reader, Scope("7d"), await reader.span(Scope("7d"), NOW))


class ReadsAll:
    """A store that leaves no pain of an account out: how incidents were found before, and what they must be."""

    def __init__(self, store: ClickHouseStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def pains(self, accounts: Sequence[str], asked: Mapping[str, object], near: Near | None = None) -> Pains:
        return await self._store.pains(accounts, asked)


def tangled(blueprint: Blueprint) -> seed.World:
    """Pains that share evidence, adopt one another, come in bursts, or are a complaint that carries a signal."""
    world, chance = seed.world(blueprint, NOW, touchpoints=2500, days=20, seed=3), random.Random(5)
    of: dict[str, list[seed.Row]] = {}
    for signal in world.signals:
        mine = of.setdefault(signal["account_id"], [])
        signal |= {"parts": [], "case_id": ""}
        if mine and (dice := chance.random()) < 0.35:
            other = chance.choice(mine)
            if dice < 0.15:
                signal["evidence"] = [*signal["evidence"], other["event_id"]]
            elif dice < 0.25:
                signal["parts"] = [other["signal_id"]]
            else:
                signal["case_id"] = other["signal_id"]
        mine.append(signal)
    for signals in of.values():
        for number, signal in enumerate(signals[:6] if len(signals) > 5 else ()):
            at = NOW - timedelta(hours=2, minutes=9 * number)
            signal |= {"opened_at": at, "closed_at": at if signal["is_closed"] else signal["closed_at"]}
    carried = {signal["event_id"]: signal for signal in world.signals}
    for row in chance.sample(world.touchpoints, 250):
        row["touchpoint_type"] = "complaint"
        carried.get(row["event_id"], {})["touchpoint_type"] = "complaint"
    return world


async def the_newest_are_the_first_of_all(store: ClickHouseStore, reader: Reader) -> None:
    """Also where only the last hours were read; and those that came in between."""
    for scope in (Scope("7d"), Scope("7d", persona="end_user")):
        query = PainQuery(scope, await reader.span(scope, NOW), ("complaint",), limit=5_000)
        every = await store.pained(query)
        for limit in (5, 20):
            few = replace(query, limit=limit)
            assert [await store.pained(few) for _ in range(2)] == [every[:limit]] * 2
        store._reaches[scope, 20] = timedelta(minutes=1)  # too little: it looks further
        assert await store.pained(replace(query, limit=20)) == every[:20]
    assert store._reaches[Scope("7d"), 5] * 2 < timedelta(days=7), "the second look was a short one"


async def test_incidents_are_the_same_whether_or_not_what_stands_alone_is_read(
    store: ClickHouseStore, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    blueprint = load().source
    world = tangled(blueprint)
    seed.store(client, world)
    scopes = (Scope("7d"), Scope("24h"), Scope("7d", persona="end_user"), Scope("7d", owner="x", types=("complaint",)))
    near, every = (Reader(each, Catalogue(blueprint), lambda: NOW) for each in (store, cast(Any, ReadsAll(store))))

    async def found(reader: Reader, scope: Scope, most: int) -> Found:
        made = await incidents(reader, scope, await reader.span(scope, NOW), most)
        return await with_personas(reader, made, made.incidents[:30])

    for scope, most in ((Scope("24h"), 10), *((scope, 1000) for scope in scopes)):
        assert await found(near, scope, most) == await found(every, scope, most), (scope, most)
    await the_newest_are_the_first_of_all(store, Reader(cast(Any, store), Catalogue(blueprint), lambda: NOW))
    whole = await found(every, Scope("7d"), 1000)
    assert len([each for each in whole.incidents if each.signs > 1]) > 20, "they are of something"
    assert any("Burst" in each.tags for each in whole.incidents)
    told, lone = whole.incidents[0], whole.incidents[-1]
    thread = Thread(thread_id="told", events=(told.event_id, lone.event_id), opened_at=NOW, state="told", level="high")
    for reader in (near, every):
        reader.board._threads = {each.account_id: (thread,) for each in (told, lone)}
    assert await found(near, Scope("24h"), 10) == await found(every, Scope("24h"), 10)
    near.board._threads = every.board._threads = {}
    for seen in ("hasAny(mine, shared)", "arrayConcat(close, "):  # known bad: without either, parts are missing
        blind = nearby.SIGNALS.replace(seen, "1 = 2" if seen.startswith("has") else "arrayConcat([], ")
        monkeypatch.setattr(nearby, "SIGNALS", blind)
        assert await found(near, Scope("24h"), 10) != await found(every, Scope("24h"), 10), seen


async def test_what_hurts_whom_by_day_is_the_naive_sum(store: ClickHouseStore, made: seed.World, cells_of: str) -> None:
    reader, fake = reader_on(store), FakeStore(made)
    for scope in SCOPES:
        span = await reader.span(scope, NOW)
        assert rounded(await store.daily(scope, span)) == rounded(await fake.daily(scope, span)), scope
        for by_definition in (("contract",), ("complaint", "status_page"), ("cancellation", "contract")):
            accounts = [await each.hurt_accounts(scope, span, by_definition, 9) for each in (store, fake)]
            assert rounded(accounts[0]) == rounded(accounts[1]), (scope, by_definition)
            real, naive = [await each.hurt(scope, span, by_definition) for each in (store, fake)]
            assert numbers(real) == numbers(naive), (scope, by_definition)
            assert set(real.total.worst) <= set(real.names) and len(real.total.worst) == len(naive.total.worst)
        assert await store.last_minute(scope) == await fake.last_minute(scope)
        feed = SignalQuery(since=span.since, limit=500, scope=scope)
        ids = [[row["signal_id"] for row in await each.signals(feed)] for each in (store, fake)]
        assert ids[0] == ids[1], scope
        listed = AccountQuery(identified=True, limit=200, scope=scope, span=span)
        rows = [[row["account_id"] for row in await each.accounts(listed)] for each in (store, fake)]
        assert rows[0] == rows[1], scope
        for sort in RANKINGS if scope.window == "7d" else ():
            query = RankedQuery(scope, span, ("contract",), tuple(reader.catalogue.phases), KINDS, sort, 200)
            ranked = [[{n: r[n] for n in RANKED} for r in await each.ranked_accounts(query)] for each in (store, fake)]
            assert rounded(ranked[0]) == rounded(ranked[1]), (scope, sort)
            paged: list[Row] = []
            part = replace(query, limit=7)
            while found := await store.ranked_accounts(part):
                paged += found
                last = found[-1]
                part = replace(part, after=(last["sort_key"], last["seen_key"], last["account_id"]))
            assert [row["account_id"] for row in paged] == [row["account_id"] for row in ranked[1]], (scope, sort)
        if scope.window not in ("1h", "24h"):
            assert naive.total.accounts and ids[0] and rows[0], "the comparison is of something"


async def test_an_old_day_that_changes_is_read_anew(store: ClickHouseStore, client: Client, made: seed.World) -> None:
    """What was remembered of settled days goes with the first late touchpoint: judged anew, moved, or erased."""
    assert roll_up(Commands(client), None, limit=100)
    scopes, reader = (Scope("7d"), Scope("30d"), Scope("30d", persona="end_user")), reader_on(store)

    async def is_right() -> bool:
        found = []
        for scope in scopes:
            span = await reader.span(scope, NOW)
            for each in (store, FakeStore(made)):
                hurts = numbers(await each.hurt(scope, span, ("complaint",)))
                whom = await each.hurt_accounts(scope, span, ("complaint",), 9)
                found.append(rounded([await each.daily(scope, span), hurts, whom]))
        return found[::2] == found[1::2]

    assert await is_right()
    old = [row for row in made.touchpoints if timedelta(days=3) < NOW - row["occurred_at"] < timedelta(days=6)]
    one = next(row for row in old if row["account_id"].startswith("crm:") and row["on_map"] and not row["friction"])
    minute = int(one["minute"].timestamp())
    worse = {"friction": 1, "pain": 0.9, "phase": "purchase", "persona": "end_user", "revision": 2 << 32}
    steps = (worse, {"account_id": "crm:0002"}, {"is_deleted": 1, "revision": 3 << 32})
    for step in steps:
        gone = [{**one, "is_deleted": 1, "revision": 3 << 32}] if "account_id" in step else []
        one |= step
        seed._insert(client, "touchpoints", [*gone, one])
        if one["is_deleted"]:
            made.touchpoints.remove(one)
        was_right = await is_right()
        recompute(Commands(client), [minute])
        assert await is_right(), step
        assert not was_right or gone, "cells are what is read; a move may change no figure that is compared"


def numbers(hurts: Hurts) -> list[Any]:
    """Who is named among equals is free."""
    counted = [{key: hurt.accounts for key, hurt in each.items()} for each in (hurts.by_cell, hurts.by_type)]
    return [*counted, hurts.total.accounts]


async def test_tiers_and_people_are_found(store: ClickHouseStore, made: seed.World) -> None:
    fake, since = FakeStore(made), NOW - timedelta(days=90)
    assert await store.tiers() == await fake.tiers() == ["gold"]
    for text in ("CRM:0001/p", "' OR 1=1 --"):
        assert list(await store.people(text, since, 5)) == await fake.people(text, since, 5)
    assert await store.people("crm:0001/p", since, 5)


async def test_known_bad_a_wrong_roll_up_would_be_seen(
    store: ClickHouseStore, client: Client, made: seed.World
) -> None:
    roll_up(Commands(client), None, limit=100)
    client.command("INSERT INTO journey_days SELECT * REPLACE (volume + 1 AS volume) FROM journey_days FINAL")
    real = await reader_on(store).map(Scope("7d"))
    naive = await reader_on(FakeStore(made)).map(Scope("7d"))
    assert real.totals.touchpoints > naive.totals.touchpoints


async def test_times_are_measured_from_the_touchpoints(store: ClickHouseStore, client: Client) -> None:
    at = NOW - timedelta(hours=5)
    steps = [
        ("a", "ticket_created", 0, "{}"), ("a", "ticket_replied_by_agent", 60, "{}"),
        ("a", "ticket_status", 7200, '{"current": "solved"}'), ("b", "ticket_created", 0, "{}"),
        ("b", "ticket_replied_by_agent", 180, "{}"), ("c", "ticket_created", 0, "{}"),
    ]  # fmt: skip
    rows = [
        [at, "crm:1", f"{subject}{number}", at + timedelta(seconds=after_s), f"ticket:{subject}", action, properties]
        for number, (subject, action, after_s, properties) in enumerate(steps)
    ]
    rows.append([at, "crm:1", "visit", at, "", "page_view", '{"duration_ms": 1500}'])
    names = ["minute", "account_id", "event_id", "occurred_at", "subject", "action", "properties"]
    client.insert("touchpoints", [[*row, 1, "purchase", "contract"] for row in rows], column_names=[
        *names, "on_map", "phase", "touchpoint_type"
    ])  # fmt: skip
    span = await reader_on(store).span(Scope("24h"), NOW)
    found = await store.measures(CellQuery(Scope("24h"), span, "purchase", "contract"))
    assert found == {"first_response_s": 120.0, "resolution_s": 7200.0, "duration_ms": 1500.0}
    assert await store.measures(CellQuery(Scope("24h"), span, "purchase", "webinar")) == {}


async def test_answers_are_measured_from_what_was_asked(store: ClickHouseStore, client: Client) -> None:
    at = NOW - timedelta(hours=5)
    steps = [
        ("track:Quote Requested", 0, '{"quote_id": "7"}'), ("track:Quote Sent", 60, '{"quote_id": 8}'),
        ("touchline:quote_sent", 600, '{"quote_id": "7"}'), ("track:Quote Requested", 1000, "{}"),
        ("track:contract sent", 1001, "{}"), ("track:Quote Sent", 2800, "{}"), ("track:Quote Requested", 3000, "{}"),
    ]  # fmt: skip
    rows = [
        [at, "crm:1", f"q{n}", at + timedelta(seconds=after_s), name, properties, 1, "purchase", "quote_request"]
        for n, (name, after_s, properties) in enumerate(steps)
    ]
    names = ["minute", "account_id", "event_id", "occurred_at", "vendor_type", "properties", "on_map", "phase"]
    client.insert("touchpoints", rows, column_names=[*names, "touchpoint_type"])
    span, questions = await reader_on(store).span(Scope("24h"), NOW), Catalogue(load().source).questions
    found = await store.measures(CellQuery(Scope("24h"), span, "purchase", "quote_request", questions))
    assert found == {"answer_s": 1200.0}  # 600 and 1,800; the last one waits
    assert await store.measures(CellQuery(Scope("24h"), span, "purchase", "quote_request")) == {}


async def test_a_wrong_row_would_be_seen(store: ClickHouseStore, made: seed.World) -> None:
    made.touchpoints[-1]["pain"] += 0.5
    made.touchpoints.pop(0)
    real = dataclasses.asdict(await reader_on(store).map(Scope("all")))
    naive = dataclasses.asdict(await reader_on(FakeStore(made, await store.freshness())).map(Scope("all")))
    assert rounded(real) != rounded(naive)


async def test_a_repeated_recomputation_changes_nothing(
    store: ClickHouseStore, client: Client, made: seed.World
) -> None:
    before = await reader_on(store).map(Scope("all"))
    seed.recompute(client)
    after = await reader_on(store).map(Scope("all"))
    assert rounded(dataclasses.asdict(after.totals)) == rounded(dataclasses.asdict(before.totals))


async def test_reads_the_cells_not_the_touchpoints(store: ClickHouseStore, client: Client, made: seed.World) -> None:
    client.command("TRUNCATE TABLE touchpoints")
    reader = reader_on(store)
    cells = await store.cells(Scope("7d"), await reader.span(Scope("7d"), NOW))
    assert cells.total.volume > 0


async def test_an_empty_store_has_no_figures(store: ClickHouseStore) -> None:
    view = await reader_on(store).map(Scope("all"))
    assert view.totals.touchpoints == 0
    assert view.totals.friction_rate is None
    assert {each.state for each in view.freshness.sources} == {"never"}
    assert (await store.cells(Scope(), await reader_on(store).span(Scope(), NOW))).total == Counts()


async def test_account_pages_are_the_naive_list_in_order(store: ClickHouseStore, made: seed.World) -> None:
    fake = FakeStore(made)
    for sort, identified in product(SORTS, (None, True, False)):
        pages: list[list[str]] = []
        for each in (store, fake):
            query: AccountQuery | None = AccountQuery(identified=identified, sort=sort, limit=9)
            ids: list[str] = []
            while query is not None:
                rows = await each.accounts(query)
                ids += [str(row["account_id"]) for row in rows[:9]]
                last = rows[8] if len(rows) > 9 else None
                after = (str(last["sort_key"]), str(last["account_id"])) if last else None
                query = dataclasses.replace(query, after=after) if after else None
            pages.append(ids)
        assert pages[0] == pages[1], sort
        assert len(set(pages[0])) == len(pages[0]) > 0


async def test_search_is_by_name_or_id_and_quotes_are_text(store: ClickHouseStore, made: seed.World) -> None:
    found = await store.accounts(AccountQuery(text="aCMe"))
    assert {str(row["name"]).split()[0] for row in found} == {"Acme"}
    assert not await store.accounts(AccountQuery(text="' OR 1=1 --"))
    assert not await store.accounts(AccountQuery(text="{x:String}%s\\"))
    assert len(await store.accounts(AccountQuery(text="crm:0001"))) == 1


async def test_the_timeline_is_the_accounts_touchpoints_newest_first(store: ClickHouseStore, made: seed.World) -> None:
    account_id = max(made.accounts, key=lambda row: row["touchpoints"])["account_id"]
    reader, fake = reader_on(store), reader_on(FakeStore(made))
    cursor: str | None = ""
    pages = 0
    while cursor is not None:
        real, naive = [await each.account(account_id, 40, cursor) for each in (reader, fake)]
        assert real is not None
        assert naive is not None
        shown = [(each.event_id, each.emotion, [s.signal_id for s in each.signals]) for each in real.touchpoints]
        assert shown == [(e.event_id, e.emotion, [s.signal_id for s in e.signals]) for e in naive.touchpoints]
        assert real.next_cursor == naive.next_cursor
        cursor, pages = real.next_cursor, pages + 1
    assert pages > 1


async def test_days_are_those_of_the_scope_and_pages_neither_skip_nor_repeat(
    store: ClickHouseStore, made: seed.World
) -> None:
    row = next(row for row in made.touchpoints if row["friction"] and row["person_id"])
    since, now = NOW - timedelta(days=30), FakeStore(made)
    for whose in ({"account_id": row["account_id"]}, {"person_id": row["person_id"]}):
        for scope in (Scope("30d"), Scope("30d", channel="email"), Scope("30d", persona="unknown")):
            expected = (await now.days(DaysQuery(scope, since, 9_999, **whose)))[0]
            found: list[Any] = []
            after, more = None, True
            while more:
                rows, after = await store.days(DaysQuery(scope, since, 7, after=after, **whose))
                found, more = [*found, *rows], after is not None
            assert [each["event_id"] for each in found] == [each["event_id"] for each in expected], (whose, scope)
            assert [carried(each) for each in found] == [carried(each) for each in expected]


def carried(row: Any) -> set[str]:
    return {each["signal_id"] for each in row["signals"]}


async def test_a_type_in_depth_is_the_naive_list(store: ClickHouseStore, made: seed.World) -> None:
    reader, fake = reader_on(store), FakeStore(made)
    for scope in (
        Scope("30d", types=("contract",)),
        Scope("7d", types=("contract",), channel="email", account="crm:0001"),
    ):
        span = await reader.span(scope, NOW)
        found, wanted = await store.variants(scope, span, ("webinar",)), await fake.variants(scope, span, ("webinar",))
        assert rounded(by_slice(found)) == rounded(by_slice(wanted))
        for after in (False, True):
            asked = await store.beside(scope, span, ("webinar",), after=after)
            assert asked == await fake.beside(scope, span, ("webinar",), after=after) and (scope.account or asked)


def by_slice(rows: Any) -> dict[str, Any]:
    return {f"{row['dim']}/{row['id']}": [row["volume"], row["pain"], row["accounts"]] for row in rows}


async def test_words_are_told_the_worst_first(store: ClickHouseStore, client: Client) -> None:
    made = seed.world(BLUEPRINT, NOW, touchpoints=200, days=5)
    for number, row in enumerate(made.touchpoints):
        row["text"] = f"words {number}" if number % 3 else ""
    seed.store(client, made)
    scope = Scope("7d", types=("contract",))
    span = await reader_on(store).span(scope, NOW)
    found, wanted = await store.said(scope, span, 5), await FakeStore(made).said(scope, span, 5)
    assert [(row["event_id"], row["account_name"]) for row in found] == [
        (row["event_id"], row["account_name"]) for row in wanted
    ]


async def test_people_of_an_account_and_accounts_of_a_person_are_the_naive_sums(
    store: ClickHouseStore, made: seed.World
) -> None:
    row = next(row for row in made.touchpoints if row["person_id"])
    fake = FakeStore(made)
    people, wanted = await store.people_of(row["account_id"]), await fake.people_of(row["account_id"])
    names = ("touchpoints", "statements", "first_at", "last_at")
    assert {each["person_id"]: [each[name] for name in names] for each in people} == {
        each["person_id"]: [each[name] for name in names] for each in wanted
    }
    accounts, there = await store.accounts_of(row["person_id"]), await fake.accounts_of(row["person_id"])
    assert [(each["account_id"], each["name"], rounded(each["pain"])) for each in accounts] == [
        (each["account_id"], each["name"], rounded(each["pain"])) for each in there
    ]


@pytest.mark.parametrize("polarity", ["friction", "delight"])
async def test_the_feed_is_the_naive_list(store: ClickHouseStore, made: seed.World, polarity: Polarity) -> None:
    query = SignalQuery(polarity=polarity, since=NOW - timedelta(days=7), limit=20)
    real, naive = [await reader_on(each).signals(query) for each in (store, FakeStore(made))]
    assert [(s.signal_id, s.account_name, s.persona) for s in real] == [
        (s.signal_id, s.account_name, s.persona) for s in naive
    ]
    assert bool(real) == (polarity == "friction")


async def test_a_touchpoint_is_explained(store: ClickHouseStore, made: seed.World) -> None:
    event_id = made.signals[0]["event_id"]
    found = await reader_on(store).touchpoint(event_id)
    assert found is not None
    assert found.attribution["method"] == "crm_contact"
    assert [each.signal_id for each in found.touchpoint.signals] == [f"s-{event_id}"]
    assert await reader_on(store).touchpoint("' OR 1=1") is None


async def test_a_cell_is_sliced_as_the_naive_sum(store: ClickHouseStore, made: seed.World) -> None:
    real, naive = [
        await reader_on(each).cell(Scope("all"), "purchase", "contract") for each in (store, FakeStore(made))
    ]
    assert real is not None
    assert naive is not None
    assert (real.personas, real.channels, real.rules) == (naive.personas, naive.channels, naive.rules)
    assert real.rules


async def test_the_fingerprint_changes_with_every_write_and_with_nothing_else(
    store: ClickHouseStore, client: Client, made: seed.World
) -> None:
    before = await store.fingerprint()
    assert await store.fingerprint() == before
    client.command("OPTIMIZE TABLE journey_minutes FINAL")
    assert await store.fingerprint() == before, "a merge is no news"
    for statement in (
        "INSERT INTO journey_minutes SELECT * FROM journey_minutes LIMIT 1",
        "INSERT INTO signals SELECT * FROM signals LIMIT 1",
        "INSERT INTO account_journeys SELECT * FROM account_journeys LIMIT 1",
        "INSERT INTO source_freshness SELECT * FROM source_freshness LIMIT 1",
        "INSERT INTO ignored (received_at, source, reason, request_id) VALUES (now64(3), 'a', 'ping', 'r')",
    ):
        client.command(statement)
        after = await store.fingerprint()
        assert after != before, statement
        before = after


async def test_a_request_read_twice_is_ignored_once(store: ClickHouseStore, client: Client) -> None:
    now = datetime.now(UTC)  # the table forgets what is a month old by the store's own clock

    def fact(request_id: str, reason: str, messages: int, hours_ago: float = 1) -> IgnoredFact:
        at = now - timedelta(hours=hours_ago)
        return IgnoredFact(request_id=request_id, source="desk", reason=reason, messages=messages, received_at=at)

    facts = [fact("r1", "ping", 2), fact("r1", "topic", 5), fact("r2", "ping", 1), fact("r3", "ping", 9, hours_ago=25)]
    for _ in range(2):
        rows = rows_of(facts, now)["ignored"]
        client.insert("ignored", [list(row.values()) for row in rows], column_names=list(rows[0]))
    found = await store.ignored(now - timedelta(days=1))
    assert [(row["source"], row["reason"], row["messages"]) for row in found] == [
        ("desk", "topic", 5), ("desk", "ping", 3),
    ]  # fmt: skip
    reader = Reader(store, Catalogue(BLUEPRINT), lambda: now)
    view = {each.source: each for each in (await reader.freshness()).sources}
    assert [each.messages for each in view["desk"].ignored] == [5, 3]


async def test_an_unreachable_store_is_a_transient_error_and_comes_back() -> None:
    config = ClickHouseConfig(url="http://127.0.0.1:1")
    store = ClickHouseStore(partial(connect, config, ""))
    with pytest.raises(StoreUnavailable):
        await store.fingerprint()
    store.close()


async def test_a_missing_table_is_waited_for_not_a_crash(store: ClickHouseStore, client: Client) -> None:
    client.command("DROP TABLE journey_minutes")
    with pytest.raises(StoreUnavailable):
        await reader_on(store).map(Scope("24h"))


#: Column of `bi.journey_map` → the page's field of a cell.
SHOWN_TWICE = {
    "volume": "volume",
    "accounts": "accounts_reached",
    "identified_accounts": "accounts_reached",
    "visitors": "visitors_reached",
    "reach_percent": "reach_percent",
    "people": "people",
    "friction_touchpoints": "friction_touchpoints",
    "friction_rate": "friction_rate",
    "delight_touchpoints": "delight_touchpoints",
    "emotion": "emotion",
    "pain_index": "pain_index",
    "importance": "importance",
    "moment_of_truth": "moment_of_truth",
}


def _as_visitors(number: int, row: seed.Row) -> seed.Row:
    return row | {"account_id": f"anon:{number % 7}"}


def _of_one_account(number: int, row: seed.Row) -> seed.Row:
    return row | {"account_id": "crm:0001"}


def _partly_kept_off(number: int, row: seed.Row) -> seed.Row:
    kinds = ("", "bot", "internal", "declined", "test")
    return row | ({"on_map": 0, "traffic": kinds[number % 5]} if number % 5 else {})


def _without_people(number: int, row: seed.Row) -> seed.Row:
    return row | {"person_id": "", "has_emotion": 0, "emotion": float("nan")}


def _all_hurt(number: int, row: seed.Row) -> seed.Row:
    return row | {"friction": 3, "pain": 1.0, "delight": 2, "phase": "advocacy", "emotion": -1.0, "has_emotion": 1}


#: A name, how many touchpoints of how many days, and what else they are.
WORLDS: dict[str, tuple[int, float, Callable[[int, seed.Row], seed.Row]]] = {
    "as they come": (3_000, 20, lambda _, row: row),
    "a few": (12, 29.9, lambda _, row: row),
    "visitors alone": (400, 29, _as_visitors),
    "one account": (400, 10, _of_one_account),
    "much that is kept off": (1_500, 25, _partly_kept_off),
    "nobody known, nothing felt": (400, 3, _without_people),
    "everything hurts, in one phase": (400, 15, _all_hurt),
}


@pytest.mark.parametrize("shape", WORLDS)
@pytest.mark.parametrize("is_rolled_up", [False, True])
async def test_bi_shows_what_the_page_shows(
    store: ClickHouseStore, client: Client, is_rolled_up: bool, shape: str
) -> None:
    """Every number that both show of a cell, with visitors among those who came."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    count, days, changed = WORLDS[shape]
    made = seed.world(BLUEPRINT, now - timedelta(minutes=5), touchpoints=count, days=days)
    made.touchpoints = [changed(number, row) for number, row in enumerate(made.touchpoints)]
    seed.store(client, made)
    if is_rolled_up:
        assert roll_up(Commands(client), None, limit=100)
    page = await Reader(store, Catalogue(BLUEPRINT), lambda: now, {}).map(Scope("30d"))
    rows = client.query(f"SELECT * FROM {client.database}_bi.journey_map").named_results()
    bi = {(row["phase"], row["touchpoint_type"]): row for row in rows}
    cells = {(phase.id, cell.id): cell for phase in page.phases for cell in phase.types if cell.volume}
    with_volume = {key for key, row in bi.items() if row["volume"]}
    assert cells and with_volume == cells.keys()
    assert any(cell.visitors_reached for cell in cells.values()) is (shape != "one account")
    for key, cell in cells.items():
        told = {column: bi[key][column] if bi[key][column] == bi[key][column] else None for column in SHOWN_TWICE}
        wanted = {column: getattr(cell, field) for column, field in SHOWN_TWICE.items()}
        if cell.emotion is not None:  # a Decimal of six digits in BI
            mean = told.pop("emotion")
            assert mean is not None and abs(float(mean) - wanted.pop("emotion")) < 1e-6, key
        assert rounded(told) == rounded(wanted), key
