"""Pain is made again from `bi.*` alone: bursts that overlap, lose members, pass midnight, come late, cross phases."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Iterator
from math import prod
from typing import Any

import pytest

from schemas.facts import FACTS, Fact
from schemas.touchpoints import CleanTouchpoint
from streams.journey.blueprints import load
from streams.runtime.clickhouse import Store
from tests.clickhouse_fixture import ClickHouse
from tests.journeys import at, touchpoint
from tests.pipeline import Pipeline
from tests.store_fixture import fresh_store, put

pytestmark = pytest.mark.clickhouse
BLUEPRINT = load()
DAY = 86_400
RAGE = 0.6
AS_OF = at(30 * DAY)
Case = list[CleanTouchpoint]


def event(case: str, name: str, seconds: float, action: str = "click", **fields: Any) -> CleanTouchpoint:
    """Of a visitor of the case's own company, on a page that is no moment of truth."""
    told: dict[str, Any] = {
        "aliases": (f"email:ann@{case}.example", f"user_id:{case}"),
        "session_id": "s1",
        "page": "/a",
        "source": "web",
    }
    return touchpoint(f"{case}/{name}", seconds, action, **(told | fields))


def clicks(case: str, prefix: str, begin: float, count: int, element: str = "save", **fields: Any) -> Case:
    return [event(case, f"{prefix}{n}", begin + 0.4 * n, element=element, **fields) for n in range(count)]


def error(case: str, name: str, seconds: float) -> CleanTouchpoint:
    return event(case, name, seconds, "client_error", properties={"error_type": "E"})


def ticket(case: str, name: str, seconds: float, action: str = "ticket_created", **told: str) -> CleanTouchpoint:
    return event(case, name, seconds, action, page="", source="desk", subject="ticket:desk:1", properties=told)


#: By company: what is sent.
CASES: dict[str, Case] = {
    "plain": [*clicks("plain", "c", 0, 3), event("plain", "v", 900, "page_view", page="/b")],
    "long": clicks("long", "c", 0, 60),
    "overlap": [
        *clicks("overlap", "c", 0, 7),
        error("overlap", "x", 1.3),
        error("overlap", "y", 2.5),
        error("overlap", "z", 40),
    ],
    "midnight": clicks("midnight", "c", DAY - 0.9, 5),
    "declined": [
        *clicks("declined", "c", 0, 5),
        event("declined", "no", 1.0, "identify", page="", flags=("declined",), received_at=at(DAY)),
    ],
    "compound": [
        *clicks("compound", "c", 0, 4),
        ticket("compound", "t", 600),
        ticket("compound", "solved", 1200, "ticket_status", previous="open", current="solved"),
        ticket("compound", "again", 1800, "ticket_status", previous="solved", current="open"),
        event("compound", "nps", 3600, "survey_answered", page="", score=1.0, score_kind="nps"),
    ],
    "late": [
        *clicks("late", "c", 0, 6),
        *(event("late", f"v{n}", 60.0 * n, "page_view", page=f"/p{n}") for n in range(1, 60)),
    ],
    "phases": [
        *clicks("phases", "c", 0, 6),
        event("phases", "won", 1.0, "lifecycle_changed", page="", source="crm", properties={"value": "customer"}),
    ],
    "moved": [
        *clicks("moved", "c", 0, 2),
        *clicks("moved", "d", 0.8, 2, aliases=("anonymous:fair",), source="web"),
        event("moved", "link", DAY, "identify", page="", aliases=("anonymous:fair", "email:bob@elsewhere.example")),
    ],
}


def burst(prefix: str, count: int, first: int = 2) -> dict[str, float]:
    """Pain falls on the touchpoint that makes it a burst, the third, and on those that follow."""
    return {f"{prefix}{n}": RAGE if n >= first else 0.0 for n in range(count)}


#: What is certain without any code: of whose pain the burst alone is the cause, and what has none.
CERTAIN: dict[str, float] = {
    **burst("plain/c", 3),
    **burst("long/c", 60),
    **burst("midnight/c", 5),
    **burst("late/c", 6),
    **burst("phases/c", 6),
    **burst("compound/c", 4),
    **burst("declined/c", 3) | {"declined/c3": 0.0, "declined/c4": 0.0},  # what follows is nobody's
    **{f"moved/{name}": 0.0 for name in ("c0", "c1", "d0", "d1")},  # two clicks of each are no rage
    **{f"late/v{n}": 0.0 for n in range(1, 60)} | {"plain/v": 0.0},
}
ORDERS = [0, 1, 2]


async def told(order: int) -> list[Fact]:
    """Every fact that the processors emit, in their order, when it all arrives in the order of that seed."""
    events = [one for case in CASES.values() for one in case]
    random.Random(order).shuffle(events)
    pipeline = Pipeline(BLUEPRINT, AS_OF, order)
    try:
        for begin in range(0, len(events), len(events) // 3):
            await pipeline.feed(events[begin : begin + len(events) // 3])
            async with asyncio.timeout(120):
                await pipeline.run()
    finally:
        await pipeline.close()
    logs = [log for (topic, _), log in sorted(pipeline.topics.logs.items()) if topic == "journey.facts.v1"]
    return [fact for log in logs for record in log for fact in FACTS.validate_json(record)]


@pytest.fixture(scope="module", params=ORDERS)
def bi(request: pytest.FixtureRequest, clickhouse_url: ClickHouse) -> Iterator[tuple[Store, str]]:
    with fresh_store(clickhouse_url, f"pain_again_{request.param}") as (store, config):
        put(store, asyncio.run(told(request.param)))
        yield store, config.bi_database


def text(value: object) -> str:
    return str(value)


def shown(store: Store, bi: str) -> dict[str, tuple[float, list[str]]]:
    rows = store.rows(f"SELECT event_id, pain, friction_signals FROM {bi}.touchpoints")
    named = {text(row["event_id"]): [one for one in text(row["friction_signals"]).split(",") if one] for row in rows}
    return {text(row["event_id"]): (float(text(row["pain"])), named[text(row["event_id"])]) for row in rows}


def test_pain_is_made_again(bi: tuple[Store, str]) -> None:
    store, database = bi
    severity = {
        text(row["signal_id"]): float(text(row["severity"])) for row in store.rows(f"SELECT * FROM {database}.signals")
    }
    seen = shown(store, database)
    again = {name: 1 - prod(1 - severity[one] for one in named) for name, (_, named) in seen.items()}
    assert again == pytest.approx({name: pain for name, (pain, _) in seen.items()}, abs=1e-6)
    assert {name: round(seen[name][0], 6) for name in CERTAIN} == CERTAIN
    assert seen["overlap/x"][0] > RAGE and seen["overlap/z"][0] == pytest.approx(0.5)


def test_what_a_signal_names_is_among_those_it_hurt(bi: tuple[Store, str]) -> None:
    store, database = bi
    seen = shown(store, database)
    hurt = {(name, one) for name, (_, named) in seen.items() for one in named}
    signals = store.rows(f"SELECT signal_id, event_id, polarity FROM {database}.signals WHERE polarity = 'friction'")
    assert {(text(row["event_id"]), text(row["signal_id"])) for row in signals} <= hurt
    compounds = {text(row["signal_id"]) for row in store.rows(f"SELECT signal_id FROM {database}.compounds")}
    assert compounds and not compounds & {one for _, one in hurt}


def test_the_map_s_sums_are_of_the_same_pain(bi: tuple[Store, str]) -> None:
    store, database = bi
    cells: dict[str, float] = defaultdict(float)
    for row in store.rows(f"SELECT event_id, event_date AS day, pain FROM {database}.touchpoints WHERE on_map"):
        cells[text(row["day"])] += float(text(row["pain"]))
    days = store.rows(f"SELECT event_date AS day, sum(pain_sum) AS pain FROM {database}.journey_map_daily GROUP BY day")
    assert {text(row["day"]): float(text(row["pain"])) for row in days} == pytest.approx(dict(cells), abs=1e-4)
    assert len([day for day, pain in cells.items() if pain]) > 1, "a burst over midnight is of both days"


def test_known_bad_the_signals_alone_do_not_say_it(bi: tuple[Store, str]) -> None:
    store, database = bi
    rows = store.rows(f"SELECT event_id, max(severity) AS pain FROM {database}.signals GROUP BY event_id")
    alone = {text(row["event_id"]): float(text(row["pain"])) for row in rows}
    assert "long/c59" not in alone and shown(store, database)["long/c59"][0] == pytest.approx(RAGE)
