"""Days rolled up on a real ClickHouse: whatever comes late, the figures are those of the touchpoints."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.facts import Fact, Tombstone, TouchpointFact
from services.sink.days import roll_up
from services.sink.verify import verify
from streams.runtime.clickhouse import Store
from tests.clickhouse_fixture import ClickHouse
from tests.store_facts import tombstone_of, touchpoint_fact
from tests.store_fixture import fresh_store, put

pytestmark = pytest.mark.clickhouse
#: Touchpoints seven and a half hours apart: three a day.
APART = 3859
DAILY = """
SELECT event_date, phase, touchpoint_type, persona, segment, channel, volume, accounts, people, friction_touchpoints,
    delight_touchpoints, emotion_touchpoints, round(if(has_emotion, toFloat64(emotion), 0), 4) AS emotion,
    round(pain_sum, 5) AS pain, identified_accounts, visitors
FROM {bi}.journey_map_daily ORDER BY ALL
"""
NAIVE = """
SELECT toDate(minute) AS event_date, phase, touchpoint_type, persona, segment, channel, count() AS volume,
    uniqExactIf(account_id, account_id NOT LIKE 'anon:%') AS accounts,
    uniqExactIf(person_id, person_id != '') AS people,
    countIf(friction > 0) AS friction_touchpoints, countIf(delight > 0) AS delight_touchpoints,
    countIf(has_emotion) AS emotion_touchpoints, round(if(emotion_touchpoints > 0, avgIf(t.emotion, has_emotion), 0), 4)
        AS emotion,
    round(sum(t.pain), 5) AS pain, uniqExactIf(account_id, account_id NOT LIKE 'anon:%') AS identified_accounts,
    uniqExactIf(account_id, account_id LIKE 'anon:%') AS visitors
FROM touchpoints AS t FINAL WHERE on_map
GROUP BY event_date, phase, touchpoint_type, persona, segment, channel ORDER BY ALL
"""


@pytest.fixture
def store(clickhouse_url: ClickHouse, clickhouse_database: str) -> Iterator[Store]:
    with fresh_store(clickhouse_url, clickhouse_database) as (made, _):
        yield made


def history() -> list[Fact]:
    """Facts over six days, in the order of knowledge: some change, one moves, one goes, one is no contact any more."""
    accounts = ("crm:1", "anon:7", "crm:2")
    first = [touchpoint_fact(APART * n, account=accounts[n % 3]) for n in range(18)]
    return [
        *first,
        *(touchpoint_fact(APART * n + 1, account="crm:3") for n in range(0, 18, 2)),
        touchpoint_fact(APART * 4, account=accounts[1], revision=2, phase="purchase", pain=0.7),
        touchpoint_fact(APART * 5, account=accounts[2], revision=2, on_map=False),
        tombstone_of(first[3], revision=3),
        touchpoint_fact(APART * 3, account="crm:2", revision=4),
        tombstone_of(first[8], revision=3),
    ]


def let_rest(store: Store, hours: int = 1) -> None:
    """As if nothing had been recomputed or rolled up for some hours."""
    for table in ("journey_minutes", "journey_days"):
        store.command(f"CREATE TABLE aged AS {table}")
        store.command(
            f"INSERT INTO aged SELECT * REPLACE (version - toIntervalHour({hours}) AS version) FROM {table} FINAL"
        )
        store.command(f"EXCHANGE TABLES aged AND {table}")
        store.command("DROP TABLE aged SYNC")


def daily(store: Store) -> list[dict[str, object]]:
    return store.rows(DAILY.format(bi=f"bi_{store.client.database}"))


def rolled(store: Store) -> list[str]:
    let_rest(store)
    return roll_up(store, None, limit=100)


def settled(store: Store) -> int:
    return len(store.rows("SELECT day FROM journey_day_states WHERE is_settled"))


@st.composite
def arrivals(draw: st.DrawFn) -> list[tuple[list[Fact], bool]]:
    """Every fact at least once, in any order, cut into batches anywhere, with roll-ups after some."""
    facts = history()
    again = draw(st.lists(st.sampled_from(facts), max_size=5))
    order = draw(st.permutations([*facts, *again]))
    cuts = sorted(draw(st.sets(st.integers(1, len(order) - 1), min_size=1, max_size=4)))
    batches = [list(order[a:b]) for a, b in itertools.pairwise([0, *cuts, len(order)])]
    return [(batch, draw(st.booleans())) for batch in batches]


def test_roll_ups_equal_the_naive_sums_whatever_came_late(store: Store) -> None:
    @settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
    @given(arrivals())
    def same(batches: Sequence[tuple[list[Fact], bool]]) -> None:
        for table in ("touchpoints", "histories", "journey_minutes", "journey_days"):
            store.command(f"TRUNCATE TABLE {table}")
        for facts, rolls in batches:
            put(store, facts)
            assert daily(store) == store.rows(NAIVE)
            if rolls:
                rolled(store)
                assert daily(store) == store.rows(NAIVE)
        rolled(store)
        assert settled(store) >= 5
        assert daily(store) == store.rows(NAIVE)

    same()
    assert verify(store.client) == []


def test_a_late_touchpoint_unsettles_its_day_and_only_that(store: Store) -> None:
    facts = [touchpoint_fact(APART * n) for n in range(9)]
    put(store, facts)
    assert roll_up(store, None) == [], "not at rest yet"
    assert len(rolled(store)) == 3
    wrong = "INSERT INTO journey_days SELECT * REPLACE (volume + 1000 AS volume) FROM journey_days FINAL"
    store.command(wrong)
    assert min(int(str(row["volume"])) for row in daily(store)) > 1000, "settled days are read from their roll-ups"
    assert verify(store.client)[0].check == "roll-ups of days that differ from their minutes"
    put(store, [touchpoint_fact(1, phase="purchase")])
    by_day: dict[object, int] = {}
    for row in daily(store):
        by_day[row["event_date"]] = max(int(str(row["volume"])), by_day.get(row["event_date"], 0))
    assert [volume > 1000 for _, volume in sorted(by_day.items(), key=str)] == [False, True, True]
    put(store, facts)
    assert daily(store) == store.rows(NAIVE)


def test_known_bad_reading_roll_ups_without_looking_is_wrong(store: Store) -> None:
    total = "SELECT sum(volume) AS n FROM journey_days FINAL"
    put(store, [touchpoint_fact(APART * n) for n in range(1, 7)])
    rolled(store)
    before = store.rows(total)
    put(store, [touchpoint_fact(APART * 2 + 1)])
    assert store.rows(total) == before
    assert sum(int(str(row["volume"])) for row in daily(store)) == int(str(before[0]["n"])) + 1


def test_cells_that_vanish_from_a_day_are_zero_in_its_roll_up(store: Store) -> None:
    facts = [touchpoint_fact(APART * n) for n in range(1, 4)]
    put(store, facts)
    rolled(store)
    put(store, [tombstone_of(fact, revision=2) for fact in facts])
    rolled(store)
    assert (daily(store), settled(store) > 0) == ([], True)


def test_a_clock_that_was_set_back_unsettles_all_the_same(store: Store) -> None:
    put(store, [touchpoint_fact(APART * n) for n in range(1, 4)])
    rolled(store)
    let_rest(store, hours=-24)  # tomorrow's roll-ups, and a recomputation by today's clock
    store.command("ALTER TABLE journey_minutes DELETE WHERE 1 SETTINGS mutations_sync = 1")
    put(store, [touchpoint_fact(APART * n) for n in range(1, 4)] + [touchpoint_fact(APART + 1)])
    assert daily(store) == store.rows(NAIVE)


def test_days_are_named_or_all_and_a_few_at_a_time(store: Store) -> None:
    facts: list[TouchpointFact | Tombstone] = [touchpoint_fact(APART * n) for n in range(1, 12)]
    put(store, facts)
    let_rest(store)
    assert roll_up(store, ["2026-03-02"]) == ["2026-03-02"]
    assert roll_up(store, ["2026-03-02"]) == []
    assert roll_up(store, None, limit=2) == ["2026-03-04", "2026-03-03"]
    assert roll_up(store, None, limit=2) == ["2026-03-01"]
