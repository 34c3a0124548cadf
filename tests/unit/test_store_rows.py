"""Facts as rows: every column of the schema, whatever the fact lacks."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from schemas.base import EPOCH
from schemas.errors import PermanentError
from schemas.facts import Fact, IgnoredFact, Opportunity, ProposalFact, TouchpointFact
from schemas.links import AccountClaim, Edge
from schemas.touchpoints import Candidate
from services.sink.columns import TABLES, Row, columns
from services.sink.rows import link_rows, rows_of, ticks
from services.sink.seen import seen
from services.sink.sink import Sink
from streams.runtime.metrics import NoMetrics
from tests.store_facts import START, account_fact, correction, signal_fact, tombstone_of, touchpoint_fact
from tests.store_fixture import items_of

NOW = datetime(2026, 3, 2, tzinfo=UTC)
RAGGED: list[Fact] = [
    touchpoint_fact(0),
    touchpoint_fact(1, emotion=0.5, friction_rules=("a", "b")),
    tombstone_of(touchpoint_fact(2), revision=3),
    signal_fact(1),
    signal_fact(2, withdrawn=True).changed(closed_at=START),
    account_fact(),
    account_fact("anon:1").changed(traits={}, phase_since=None, last_seen_at=None),
    correction(),
    ProposalFact(
        proposal_id="p1",
        revision=7,
        question="belongs",
        a="email:a@acme.example",
        b="crm:1",
        reason="r",
        evidence="e",
        confidence=0.5,
        since=START,
        status="open",
    ),
    IgnoredFact(request_id="r1", source="web", reason="ping", messages=2, received_at=START),
]


def moved(fact: TouchpointFact, **changes: object) -> TouchpointFact:
    """The same with other words in its touchpoint."""
    return fact.changed(input=fact.input.changed(touchpoint=fact.input.touchpoint.changed(**changes)))


def row(fact: Fact, table: str) -> dict[str, object]:
    return rows_of([fact], NOW)[table][0]


def test_every_row_has_every_column_of_its_table() -> None:
    for table, rows in rows_of(RAGGED, NOW).items():
        assert all(found.keys() == TABLES[table].keys() for found in rows), table
        assert list(columns(table, rows)) == list(TABLES[table])


def test_every_table_of_facts_is_among_those_that_are_looked_at() -> None:
    assert {*rows_of(RAGGED, NOW), "links", "deliveries"} == set(TABLES)


@pytest.mark.parametrize("table", sorted(TABLES))
def test_a_column_in_one_place_only_is_refused_by_name(table: str) -> None:
    """The known-bad variants: columns from the first row would drop the value in silence."""
    whole: Row = dict.fromkeys(TABLES[table], "x")
    lacking = {name: value for name, value in whole.items() if name != next(iter(whole))}
    for odd, named in ((lacking, next(iter(whole))), (whole | {"new": 1}, "new"), (lacking | {"new": 1}, "new")):
        with pytest.raises(ValueError, match=f"{table}: a row has other columns than the table: .*'{named}'"):
            columns(table, [whole, odd])


def test_the_order_in_which_a_row_is_written_down_does_not_matter() -> None:
    rows = rows_of(RAGGED, NOW)["signals"]
    turned = [dict(reversed(found.items())) for found in rows]
    assert columns("signals", turned) == columns("signals", rows)


def test_no_evidence_is_never_zero() -> None:
    assert row(touchpoint_fact(1, emotion=0.0), "touchpoints")["has_emotion"] == 1
    without = row(touchpoint_fact(1, emotion=None), "touchpoints")
    assert without["has_emotion"] == 0
    assert math.isnan(float(str(without["emotion"])))
    assert math.isnan(float(str(without["score"])))


def test_a_tombstone_stands_under_the_key_of_what_it_removes() -> None:
    fact = touchpoint_fact(9)
    alive, gone = row(fact, "touchpoints"), row(tombstone_of(fact, revision=2), "touchpoints")
    key = ("minute", "account_id", "event_id", "occurred_at", "source")
    assert [alive[name] for name in key] == [gone[name] for name in key]
    assert (gone["is_deleted"], gone["friction_rules"], gone["text"]) == (1, [], "")
    assert row(tombstone_of(fact, revision=2), "histories")["payload"] == ""


def test_the_history_holds_what_the_fold_takes_in() -> None:
    fact = touchpoint_fact(3)
    assert type(fact.input).decoded(str(row(fact, "histories")["payload"])) == fact.input


def test_histories_keep_what_is_on_the_topic_and_columns_of_json_are_whole() -> None:
    plain = touchpoint_fact(3)
    considered = (Candidate(account_id="crm:2", method="ip", why="Zürich"),)
    attribution = plain.input.attribution.changed(rejected=considered)
    properties = {"price": 1.0, "big": 1e22, "note": 'ä\u2028"', "no": None, "yes": True, "n": 2**53 + 1}
    fact = moved(plain, properties=properties, valid_from=START, sentiment=-0.1, account_traits={"a": "b"})
    told = fact.input.changed(attribution=attribution)
    assert row(fact.changed(input=told), "histories")["payload"] == told.encoded().decode()
    account = account_fact()
    stored = orjson.loads(str(row(account, "account_journeys")["opportunities"]))
    assert stored == [deal.fields() for deal in account.opportunities]
    assert all(deal.keys() == set(Opportunity.__struct_fields__) for deal in stored)


def test_absent_times_are_the_epoch() -> None:
    anonymous = row(RAGGED[6], "account_journeys")
    assert (anonymous["phase_since"], anonymous["last_seen_at"], anonymous["name"]) == (0, 0, "")
    assert orjson.loads(str(anonymous["transitions"]))[0]["cause"] == "deal stage"
    assert row(signal_fact(1), "signals")["closed_at"] == 0


@pytest.mark.parametrize("microsecond", [0, 1, 999, 1_000, 123_000, 999_999])
def test_ticks_are_exact(microsecond: int) -> None:
    at = datetime(2026, 3, 29, 1, 59, 59, microsecond, tzinfo=UTC)
    assert EPOCH + ticks(at) * timedelta(milliseconds=1) == at.replace(microsecond=microsecond // 1000 * 1000)


def test_dirty_minutes_are_those_of_touchpoints_and_tombstones() -> None:
    first, later = touchpoint_fact(0), touchpoint_fact(60)
    facts: list[Fact] = [first, tombstone_of(later, revision=2), signal_fact(1), account_fact()]
    assert seen(items_of(facts)).minutes == {int(START.timestamp()), int(START.timestamp()) + 7 * 60}


def test_the_minute_recomputed_is_the_minute_stored() -> None:
    """Else cells would stay as they are: of a touchpoint and of what takes it away, to the last microsecond."""
    for at in (START - timedelta(microseconds=1), START, START + timedelta(seconds=59, microseconds=999_999)):
        fact = moved(touchpoint_fact(1), occurred_at=at)
        for each in (fact, tombstone_of(fact, revision=2)):
            assert seen(items_of([each])).minutes == {row(each, "touchpoints")["minute"]}


def test_how_far_a_source_is_does_not_depend_on_the_order_within_a_batch() -> None:
    facts: list[Fact] = [touchpoint_fact(number) for number in (2, 4, 1)]
    late = moved(touchpoint_fact(5), backfill=True)
    found = seen(items_of([*facts, late, signal_fact(1)]))
    assert found.newest == {"web": START + timedelta(seconds=7 * 5)}
    assert found.last_live_at == START + timedelta(seconds=7 + 1)


def test_a_suspect_clock_does_not_make_a_source_look_fresh_for_ever() -> None:
    skewed = moved(touchpoint_fact(1), occurred_at=START + timedelta(days=400), clock_suspect=True)
    received_at = skewed.input.touchpoint.received_at
    assert row(skewed, "source_freshness")["last_occurred_at"] == ticks(received_at)
    assert seen(items_of([skewed])).newest == {"web": received_at}


def test_the_last_of_several_links_stands() -> None:
    early = AccountClaim(account_id="crm:1", trait="industry", value="Acme", since=START, evidence="e", source="crm")
    late = early.changed(value="Acme Inc")
    edge = Edge(a="email:a@acme.example", b="anonymous:1", since=START, evidence="e", source="web")
    rows = link_rows([(early, 1), (edge, 1), (late, 1)])
    found = [(one["link_id"], one["position"], one["kind"]) for one in rows]
    assert found == [(early.link_id, 1, "account"), (edge.link_id, 1, "edge")]
    assert "Acme Inc" in str(rows[0]["payload"])


class _Refusing:
    """A store that refuses batches with a certain event in them, and remembers what it took."""

    def __init__(self, *bad: str) -> None:
        self.bad = set(bad)
        self.taken: set[str] = set()

    def insert(self, table: str, types: object, block: object) -> None:
        ids = {str(name) for name in dict(block).get("event_id", ())}  # type: ignore[call-overload]
        if ids & self.bad:
            raise PermanentError("no", "type_mismatch")
        self.taken |= ids

    def command(self, sql: str, parameters: object) -> None: ...

    def rows(self, sql: str, parameters: object) -> list[dict[str, object]]:
        return [{"version": "2026-01-01 00:00:00.000000"}]


def test_what_the_store_refuses_is_found_by_halving_and_its_neighbours_go_on() -> None:
    facts = [touchpoint_fact(n) for n in range(50)]
    store = _Refusing("event-000007", "event-000049")
    refused = Sink(store, NoMetrics(), lambda: NOW).write(items_of(facts))
    assert [refusal.refused.index for refusal in refused] == [7, 49]
    assert refused[0].refused.reason == "type_mismatch"
    assert refused[0].refused.original == facts[7].encoded()
    assert len(store.taken) == 48


def test_a_number_no_column_can_hold_is_refused_alone() -> None:
    fact = touchpoint_fact(1)
    clean = fact.input.touchpoint.changed(properties={"n": 10**30})
    huge = fact.changed(input=fact.input.changed(touchpoint=clean))
    refused = Sink(_Refusing(), NoMetrics(), lambda: NOW).write(items_of([touchpoint_fact(0), huge]))
    assert [(r.refused.index, r.refused.reason) for r in refused] == [(1, "unencodable")]
