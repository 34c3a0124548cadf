"""Mistakes put into statements: each kind is made, each makes another statement, and none makes the right one."""

from __future__ import annotations

import pytest
import sqlglot

from tests.mutation.statements import difference, mutants, written

STATEMENT = """
SELECT account, sum(pain) AS hurt, if(tier = 'gold', 2, 1) AS weight FROM touchpoints FINAL
WHERE minute >= {since:DateTime64(3)} AND (empty({channels:Array(String)}) OR has({channels:Array(String)}, channel))
GROUP BY account HAVING hurt > 0 ORDER BY hurt DESC LIMIT 10
"""


@pytest.mark.parametrize(
    "wrong",
    [
        "touchpoints WHERE",
        "WHERE (empty",
        "minute > {since",
        "(3)} GROUP",
        "AND (has(",
        "max(pain)",
        "THEN 1 ELSE 2",
        "tier <> 'gold'",
        "account ORDER",
        "hurt > 1",
        "hurt ASC",
    ],
)
def test_each_kind_of_mistake_is_made(wrong: str) -> None:
    assert wrong not in written(STATEMENT)
    assert any(wrong in one.statement for one in mutants(STATEMENT))


def test_every_mistaken_statement_is_another_one_that_can_be_read() -> None:
    found = [one.statement for one in mutants(STATEMENT)]
    assert len(found) == len(set(found)) > 15
    assert written(STATEMENT) not in found
    assert all(sqlglot.parse_one(one, read="clickhouse") for one in found)


def test_types_and_limits_are_left_as_they_are() -> None:
    assert all("DateTime64(3)" in one.statement or "minute" not in one.statement for one in mutants(STATEMENT))
    assert all("LIMIT 10" in one.statement for one in mutants(STATEMENT))


def test_what_differs_is_shown_with_what_stands_around_it() -> None:
    assert difference("SELECT a FROM t WHERE b > 1", "SELECT a FROM t WHERE b >= 1") == (
        "SELECT a FROM t WHERE b > 1",
        "SELECT a FROM t WHERE b >= 1",
    )


def test_sources_of_a_union_and_joins_are_left_out() -> None:
    union = {one.statement for one in mutants("SELECT a FROM t UNION ALL SELECT a FROM u")}
    assert {"SELECT a FROM t", "SELECT a FROM u"} <= union
    joined = [one.statement for one in mutants("SELECT a FROM t LEFT JOIN u USING (id)")]
    assert joined == ["SELECT a FROM t JOIN u USING (id)"]
