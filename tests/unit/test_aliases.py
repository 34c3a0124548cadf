"""What a name means that is both a column and an alias, and that nothing but such names is changed."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.embedded.clickhouse.aggregates import Aggregates
from services.embedded.clickhouse.errors import ClickHouseError
from services.embedded.clickhouse.meaning import as_meant
from services.embedded.clickhouse.parse import MAX_CHARS, MAX_TOKENS, Unreadable
from services.embedded.clickhouse.sql_aliases import written_out

AGGREGATES = Aggregates(frozenset(["count", "sum", "max", "any", "quantile"]), ("ornull", "state", "merge", "if"))


def written(sql: str) -> str:
    return written_out(sql, AGGREGATES.has).text


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        pytest.param(
            "SELECT toDate(at) AS at, count() AS n FROM v WHERE at > 1 GROUP BY at ORDER BY at ASC",
            "SELECT toDate(at) AS at, count() AS n FROM v WHERE at > 1 GROUP BY (toDate(at)) ORDER BY (toDate(at)) ASC",
            id="GROUP BY and ORDER BY mean the alias, WHERE the column",
        ),
        pytest.param(
            "SELECT floor(a * 10) AS a FROM v GROUP BY floor(a * 10) ORDER BY floor(a * 10) ASC",
            "SELECT floor(a * 10) AS a FROM v GROUP BY floor(a * 10) ORDER BY floor(a * 10) ASC",
            id="a repeated expression is of columns",
        ),
        pytest.param(
            "SELECT sum(a) AS a, a / count() AS m, sum(a) OVER (ORDER BY a ASC) AS w FROM v"
            " HAVING a > 3 ORDER BY -a ASC",
            "SELECT sum(a) AS a, (sum(a)) / count() AS m, sum((sum(a))) OVER (ORDER BY (sum(a)) ASC) AS w FROM v"
            " HAVING (sum(a)) > 3 ORDER BY -(sum(a)) ASC",
            id="where a grouped query can have no column, the name is the alias",
        ),
        pytest.param(
            "SELECT max(at) AS at, p FROM v GROUP BY at, p",
            "SELECT max(at) AS at, p FROM v GROUP BY at, p",
            id="an aggregate is no key: the column is meant",
        ),
        pytest.param(
            "SELECT p AS p, count() AS n FROM v AS t GROUP BY t.p, 1",
            "SELECT p AS p, count() AS n FROM v AS t GROUP BY t.p, 1",
            id="a name with its table is the column",
        ),
        pytest.param(
            "SELECT lower(p) AS p, length(p) AS n FROM v ORDER BY -p ASC",
            "SELECT lower(p) AS p, length(p) AS n FROM v ORDER BY -p ASC",
            id="without groups an expression is of columns",
        ),
        pytest.param(
            "SELECT max(a) AS a, arrayMap(a -> a + 1, [1]) AS b, quantile(0.5)(a) AS q FROM v ORDER BY b ASC",
            "SELECT max(a) AS a, arrayMap(a -> a + 1, [1]) AS b, quantile(0.5)(a) AS q FROM v"
            " ORDER BY (arrayMap(a -> a + 1, [1])) ASC",
            id="a function's own argument is neither",
        ),
        pytest.param(
            "SELECT x FROM (SELECT lower(x) AS x FROM v GROUP BY x LIMIT 1 BY x LIMIT 9) WHERE x IN (SELECT x FROM w)",
            "SELECT x FROM (SELECT lower(x) AS x FROM v GROUP BY (lower(x)) LIMIT 1 BY (lower(x)) LIMIT 9)"
            " WHERE x IN (SELECT x FROM w)",
            id="each query has its own aliases",
        ),
        pytest.param(
            "SELECT upper(`ï ``x`) AS `ï ``x`, 'GROUP BY a AS b' AS c FROM v GROUP BY ROLLUP(`ï ``x`)",
            "SELECT upper(`ï ``x`) AS `ï ``x`, 'GROUP BY a AS b' AS c FROM v GROUP BY ROLLUP((upper(`ï ``x`)))",
            id="quoted names",
        ),
        pytest.param(
            "SELECT dateDiff('day', a, b) AS a, sumIfOrNull(b, c) AS b FROM v GROUP BY ALL HAVING a > b",
            "SELECT dateDiff('day', a, b) AS a, sumIfOrNull(b, c) AS b FROM v GROUP BY ALL"
            " HAVING (dateDiff('day', a, b)) > (sumIfOrNull(b, c))",
            id="GROUP BY ALL",
        ),
        pytest.param(
            "SELECT p AS at, max(a) AS p FROM v GROUP BY at HAVING p > 1 ORDER BY -p ASC",
            "SELECT p AS at, max(a) AS p FROM v GROUP BY (p) HAVING (max(a)) > 1 ORDER BY -(max(a)) ASC",
            id="a name in HAVING is the alias, though the key of another alias is that column",
        ),
        pytest.param(
            "SELECT max(p) AS a, count() AS n FROM v GROUP BY a % 2 HAVING a % 2 = 1",
            "SELECT max(p) AS a, count() AS n FROM v GROUP BY a % 2 HAVING a % 2 = 1",
            id="what GROUP BY itself says is repeated",
        ),
    ],
)
def test_what_a_name_means(sql: str, expected: str) -> None:
    assert written(sql) == expected


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("WITH toDate(at) AS at SELECT at, count() AS n FROM v GROUP BY at", {"at"}),
        ("SELECT f(toDate(at) AS at) AS d, at FROM v", {"at"}),
        ("SELECT f(toDate(at) AS at) AS d FROM v", set()),
        ("SELECT r AS s FROM v ARRAY JOIN splitByChar(',', r) AS r GROUP BY r", set()),
        ("WITH x AS (SELECT 1 AS a) SELECT a AS b FROM x", set()),
        ("SELECT p > 1 AS n, max(n) AS p FROM v GROUP BY n HAVING p > 1", {"p"}),
        ("SELECT p > 1 AS n, max(n) AS p FROM v GROUP BY n ORDER BY p > 1 ASC", {"p"}),
        ("SELECT p > 1 AS n, max(n) AS p FROM v GROUP BY p > 1 HAVING p > 1", set()),
        ("SELECT toDate(p) AS p, max(n) AS m FROM v GROUP BY p HAVING toDate(p) > 1", set()),
    ],
)
def test_aliases_that_are_defined_elsewhere(sql: str, names: set[str]) -> None:
    assert written_out(sql, AGGREGATES.has).elsewhere == names


DEEP = "(" * 200 + "1" + ")" * 200
DOUBLING = ", ".join(["max(x) AS a0", *(f"a{n} + a{n} AS a{n + 1}" for n in range(60))])


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        (f"SELECT {DEEP} AS a FROM v GROUP BY a", "nested too deeply"),
        ("SELECT 'x" + "x" * MAX_CHARS + "' AS a FROM v GROUP BY a", "longer than"),
        ("SELECT " + "1," * (MAX_TOKENS // 2) + "1 AS a FROM v GROUP BY a", "words and signs"),
        ("SELECT " + "tuple(" * 20 + "1" + ")" * 20 + " AS a FROM v GROUP BY a", "too many ways"),
        (f"SELECT {DOUBLING} FROM v", "longer than"),
        ("SELECT b + count() AS a, a + count() AS b FROM v", "by each other"),
        ("SELECT FROM GROUP BY", "GROUP"),
        ("SELECT 1 AS a; SELECT 2 AS b", "not one SELECT"),
        ("DROP TABLE v", "not one SELECT"),
    ],
)
def test_what_cannot_be_read(sql: str, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        written(sql)


@example("{:}")
@given(st.text(alphabet="ab1'\"`()[]{},.;:+-*/ \\\n", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(Unreadable):
        written(f"SELECT {text} AS a FROM v GROUP BY a")


def test_aggregates() -> None:
    assert all(map(AGGREGATES.has, ["COUNT", "sumIf", "anyIfOrNull", "quantileMerge"]))
    assert not any(map(AGGREGATES.has, ["if", "OrNull", "lower", "sumUp", "MergeStateIf" * 5000]))


TREE = (
    "COLUMN id: 4, column_name: at, result_type: DateTime\nCONSTANT id: 5, constant_value: {}, constant_value_type: X"
)
GROUPED = "SELECT toDate(at) AS at FROM v GROUP BY at"


def engine(by_column: str, by_alias: str, after: str = TREE) -> list[str]:
    """What ClickHouse is asked, and would answer; an answer of nothing is an error."""
    return [by_column, by_alias, after]


def asked(sql: str, answers: list[str]) -> str:
    def resolve(text: str, columns_first: bool) -> str:
        assert "FORMAT" not in text
        if not (answer := answers.pop(0)):
            raise ClickHouseError(215, "Code: 215.")
        return answer

    return as_meant(sql, resolve, AGGREGATES.has)


def test_a_clear_statement_is_not_read_at_all() -> None:
    """Both ways of reading are one; only the time of day differs."""
    unreadable = f"SELECT {DEEP} AS a FROM v GROUP BY a FORMAT JSON"
    assert asked(unreadable, [TREE.format(1), TREE.format(2)]) == unreadable
    assert asked("SHOW TABLES", []) == "SHOW TABLES"


def test_an_unclear_statement_is_written_out() -> None:
    for answers in (engine(TREE, "other"), engine("", TREE), engine(TREE, ""), engine("", "")):
        assert (
            asked(f"{GROUPED} FORMAT JSON", answers)
            == "SELECT toDate(at) AS at FROM v GROUP BY (toDate(at)) FORMAT JSON"
        )


@pytest.mark.parametrize(
    "sql",
    [
        f"SELECT {DEEP} AS at FROM v GROUP BY at",
        "SELECT toDate(at) AS at FROM v GROUP BY {by:Identifier}",
        "WITH toDate(at) AS at SELECT at FROM v GROUP BY at",
    ],
)
def test_what_stays_unclear_fails_and_says_what_to_do(sql: str) -> None:
    with pytest.raises(ClickHouseError, match=r"at is a column and also an alias.*such as at_2") as caught:
        asked(sql, engine(TREE, "other"))
    assert caught.value.code == 207


def test_what_fails_either_way_fails_in_clickhouses_words() -> None:
    broken = f"SELECT {DEEP} AS at FROM v GROUP BY at"
    assert asked(broken, ["", ""]) == broken
    assert asked(GROUPED, ["", "", ""]) == GROUPED
