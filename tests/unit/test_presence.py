"""Which facts the store lacks, judged by id and revision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest
import typer

from schemas.facts import Fact
from schemas.links import Edge
from services.cli.moments import moment
from services.sink.batch import Item
from services.sink.columns import TABLES
from services.sink.presence import KEYED, MAX_KEY_CHARS, MAX_KEYS, chunks, described, missing
from services.sink.rows import link_rows, rows_of
from tests.store_facts import START, account_fact, correction, delivery, signal_fact, tombstone_of, touchpoint_fact
from tests.store_fixture import FakeRecord, items_of

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Stored:
    """A store that has the rows of these facts; answers as ClickHouse does, newest version of a key."""

    def __init__(self, facts: Sequence[Fact]) -> None:
        self._tables = rows_of(facts, START)
        self.asked = 0

    def __call__(self, sql: str, parameters: dict[str, object]) -> list[Mapping[str, object]]:
        self.asked += 1
        table = sql.split(" FROM ")[1].split()[0]
        keyed, newest = KEYED[table], dict[tuple[object, ...], int]()
        for row in self._tables.get(table, []):
            key = tuple(row[column] for column in keyed.key)
            if all(value in parameters[column] for value, column in zip(key, keyed.key, strict=True)):  # type: ignore[operator]
                newest[key] = max(newest.get(key, 0), int(str(row[keyed.version])))
        return [
            {f"key_{column}": value for column, value in zip(keyed.key, key, strict=True)} | {"newest": version}
            for key, version in newest.items()
        ]


def lacking(facts: Sequence[Fact], stored: Sequence[Fact]) -> dict[str, int]:
    return {table: len(items) for table, items in missing(items_of(facts), Stored(stored)).items()}


ALL: list[Fact] = [touchpoint_fact(1), touchpoint_fact(2), signal_fact(1, event=1), account_fact(), correction()]


def test_what_is_stored_is_not_missing_and_what_is_not_is() -> None:
    assert lacking(ALL, ALL) == {}
    assert lacking(ALL, ALL[1:]) == {"touchpoints": 1, "histories": 1}
    every = {"touchpoints": 2, "histories": 2, "signals": 1, "account_journeys": 1, "corrections": 1}
    assert lacking(ALL, []) == every


def test_a_later_revision_is_as_good_and_an_earlier_one_is_not() -> None:
    old: Fact = touchpoint_fact(1)
    new: Fact = touchpoint_fact(1, revision=7, pain=0.9)
    assert lacking([old, new], [new]) == {}
    assert lacking([old, new], [old]) == {"touchpoints": 1, "histories": 1}
    assert lacking([old], [new]) == {}


def test_a_touchpoint_that_moved_must_be_there_under_both_accounts() -> None:
    first = touchpoint_fact(1)
    moved: list[Fact] = [first, tombstone_of(first, revision=3), touchpoint_fact(1, account="crm:2", revision=4)]
    assert lacking(moved, moved[1:]) == {}
    assert lacking(moved, [moved[1]]) == {"touchpoints": 1, "histories": 1}, "not where it went"
    assert lacking(moved, [first, moved[2]]) == {"touchpoints": 1, "histories": 1}, "still where it was"


def test_a_link_is_missing_unless_its_position_or_a_later_one_is_stored() -> None:
    edge = Edge(a="email:a@acme.example", b="anonymous:1", since=START, evidence="e", source="web")
    item = Item(FakeRecord(topic="identity.links.v1", offset=5), 0, link=edge)
    assert link_rows([(edge, 6)])[0]["position"] == 6
    for position, expected in ((5, ["links"]), (6, []), (9, [])):
        found = missing([item], lambda _, __, p=position: [{"key_link_id": edge.link_id, "newest": p}])  # type: ignore[misc]
        assert list(found) == expected
    assert described("links", item) == f"{edge.link_id} (identity.links.v1/0@5)"


def test_a_line_of_the_delivery_log_is_missing_unless_it_or_a_later_one_is_stored() -> None:
    line = delivery(1)
    item = Item(FakeRecord(topic="alerts.deliveries.v1", offset=5), 0, delivery=line)
    row = {"key_notice_id": line.notice_id, "key_channel": "room", "key_outcome": "sent"}
    for position, expected in ((5, ["deliveries"]), (6, [])):
        found = missing([item], lambda _, __, p=position: [row | {"newest": p}])  # type: ignore[misc]
        assert list(found) == expected


def test_every_table_of_facts_is_compared_by_columns_it_has() -> None:
    assert set(KEYED) == set(TABLES) - {"source_freshness", "ignored"}
    for table, keyed in KEYED.items():
        assert {*keyed.key, keyed.version} <= set(TABLES[table])


def test_questions_stay_within_a_url() -> None:
    short = list(chunks([(f"k{n}",) for n in range(1000)]))
    assert [len(chunk) for chunk in short] == [MAX_KEYS, MAX_KEYS, MAX_KEYS, 1000 - 3 * MAX_KEYS]
    long = list(chunks([("x" * 4000, str(n)) for n in range(10)]))
    assert {len(chunk) for chunk in long} == {MAX_KEY_CHARS // 4000}
    assert sum(len(chunk) for chunk in long) == 10


def test_facts_are_asked_for_together() -> None:
    store = Stored([])
    missing(items_of([touchpoint_fact(n) for n in range(200)]), store)
    assert store.asked == 2


def test_a_moment_is_how_long_ago_or_when() -> None:
    assert moment("36h", NOW, "--since") == NOW - timedelta(hours=36)
    assert moment("2026-02-01", NOW, "--since") == datetime(2026, 2, 1, tzinfo=UTC)
    assert moment("2026-02-01T10:00+02:00", NOW, "--since") == datetime(2026, 2, 1, 8, tzinfo=UTC)
    for bad in ("yesterday", "", "5", "h", "12w"):
        with pytest.raises(typer.BadParameter, match="give 90m, 36h or 7d"):
            moment(bad, NOW, "--since")
