"""What the views say of cases, phones and phases, against the same counted by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from schemas.facts import SignalFact, TouchpointFact
from streams.runtime.clickhouse import Store
from tests.clickhouse_fixture import ClickHouse
from tests.store_facts import START, account_fact, signal_fact, touchpoint_fact
from tests.store_fixture import fresh_store, put

pytestmark = pytest.mark.clickhouse


@pytest.fixture
def store(clickhouse_url: ClickHouse, clickhouse_database: str) -> Iterator[Store]:
    with fresh_store(clickhouse_url, clickhouse_database) as (made, _):
        yield made


def part(number: int, rule: str, severity: float, **more: object) -> SignalFact:
    changes = {"rule": rule, "severity": severity, "case_id": "signal-9", "opened_at": START + timedelta(hours=number)}
    return signal_fact(number).changed(**changes | more)


def case(*parts: SignalFact, **more: object) -> SignalFact:
    changes = {"rule": "struggle", "severity": 0.9, "parts": tuple(p.signal_id for p in parts)}
    return signal_fact(9).changed(**changes | more)


def cases(store: Store) -> list[dict[str, object]]:
    wanted = "status, parts, people, rules, severity, worst_severity, is_closed, account_name"
    return store.rows(f"SELECT {wanted} FROM bi_{store.client.database}.cases")


def test_a_case_opens_grows_and_closes(store: Store) -> None:
    first = [part(1, "rage_click", 0.6), part(2, "ticket_reopened", 0.7)]
    put(store, [account_fact(), *first, case(*first), signal_fact(3)])
    expected: dict[str, object] = {
        "status": "opened", "parts": 2, "people": 1, "rules": "rage_click,ticket_reopened", "severity": 0.9,
        "worst_severity": 0.7, "is_closed": False, "account_name": "Acme, the 'best'",
    }  # fmt: skip
    assert cases(store) == [expected]
    grown = [*first, part(3, "low_score", 0.8, revision=2 << 32)]
    put(store, [grown[2], case(*grown, revision=2 << 32)])
    assert [(row["status"], row["parts"], row["worst_severity"]) for row in cases(store)] == [("grown", 3, 0.8)]
    put(store, [case(*grown, revision=3 << 32, closed_at=START + timedelta(hours=3))])
    assert [(row["status"], row["is_closed"]) for row in cases(store)] == [("closed", True)]
    alone = part(2, "ticket_reopened", 0.7, revision=4 << 32, case_id="")
    put(store, [case(*grown, revision=4 << 32, withdrawn=True), alone])
    assert cases(store) == []


def seen(number: int, *, mobile: bool, painful: bool) -> TouchpointFact:
    fact = touchpoint_fact(number, touchpoint_type="pricing_page", on_map=True, friction_signals=("s",) * painful)
    clean = fact.input.touchpoint.changed(
        occurred_at=datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1, seconds=number),
        action="page_view",
        channel="mobile" if mobile and number % 3 == 1 else ("web", "search")[number % 2],
        device="mobile" if mobile and number % 3 == 2 else "",
        properties={"device": "mobile"} if mobile and number % 3 == 0 else {},
    )
    return fact.changed(input=fact.input.changed(touchpoint=clean))


@pytest.mark.parametrize(
    ("phones", "others", "says"),
    [
        ((50, 20), (50, 10), (True, True)),
        ((50, 19), (50, 10), (True, False)),
        ((49, 49), (50, 0), (False, False)),
        ((50, 50), (49, 0), (False, False)),
        ((50, 0), (50, 0), (True, False)),
    ],
)
def test_phones_that_hurt_twice_as_much(
    store: Store, phones: tuple[int, int], others: tuple[int, int], says: tuple[bool, bool]
) -> None:
    """Of `phones` and `others` (how many, how many painful): whether there are enough, and whether it is a gap."""
    (many, hurt), (rest, hurt_there) = phones, others
    facts = [seen(n, mobile=True, painful=n < hurt) for n in range(many)]
    facts += [seen(1_000 + n, mobile=False, painful=n < hurt_there) for n in range(rest)]
    put(store, facts)
    (row,) = store.rows(f"SELECT * FROM bi_{store.client.database}.mobile_gap")
    assert (row["mobile_touchpoints"], row["desktop_touchpoints"]) == (many, rest)
    assert row["mobile_friction_rate"] == pytest.approx(hurt / many)
    assert row["desktop_friction_rate"] == pytest.approx(hurt_there / rest)
    assert (row["has_enough"], row["is_gap"]) == says


def test_how_long_phases_take(store: Store) -> None:
    def stayed(number: int) -> dict[str, object]:
        change = account_fact().transitions[0].changed(dwell_s=float(number))
        refused = change.changed(accepted=False, dwell_s=1e9)
        return {"transitions": (change, refused)}

    put(store, [account_fact(f"crm:{n}").changed(**stayed(n)) for n in range(1, 31)])
    (row,) = store.rows(f"SELECT * FROM bi_{store.client.database}.phase_dwell")
    assert row["phase"] == "consideration"
    assert (row["samples"], row["has_enough"]) == (30, True)
    assert (row["median_s"], row["p90_s"]) == (15.5, pytest.approx(27.1))
