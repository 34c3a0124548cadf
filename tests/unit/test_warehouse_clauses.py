"""What stands around a reader's SELECT is taken apart at the right place, in texts that look like it, too."""

from __future__ import annotations

import pytest

from services.embedded.clickhouse.clauses import Clauses, check_settings, parted
from services.embedded.clickhouse.errors import ClickHouseError


@pytest.mark.parametrize(
    ("text", "explain", "select", "settings"),
    [
        ("SELECT 1", "", "SELECT 1", {}),
        ("EXPLAIN SELECT 1", "EXPLAIN ", "SELECT 1", {}),
        ("EXPLAIN actions = 1, indexes = 1 SELECT 1", "EXPLAIN actions = 1, indexes = 1 ", "SELECT 1", {}),
        (
            "EXPLAIN QUERY TREE (SELECT 1) UNION ALL (SELECT 2)",
            "EXPLAIN QUERY TREE ",
            "(SELECT 1) UNION ALL (SELECT 2)",
            {},
        ),
        ("EXPLAIN ESTIMATE SELECT 1", "", "EXPLAIN ESTIMATE SELECT 1", {}),
        ("EXPLAIN EXPLAIN SELECT 1", "", "EXPLAIN EXPLAIN SELECT 1", {}),
        ("EXPLAIN INSERT INTO t SELECT 1", "", "EXPLAIN INSERT INTO t SELECT 1", {}),
        ("SELECT 1 SETTINGS a = 1, b = 'x, y = 2', c = true", "", "SELECT 1", {"a": "1", "b": "x, y = 2", "c": "1"}),
        ("SELECT 1 SETTINGS a = 'it\\'s' FORMAT TSV", "", "SELECT 1 FORMAT TSV", {"a": "it's"}),
        ("SELECT 1 FORMAT TSV SETTINGS a = -0.5", "", "SELECT 1 FORMAT TSV", {"a": "-0.5"}),
        ("SELECT (SELECT 1 SETTINGS a = 1)", "", "SELECT (SELECT 1 SETTINGS a = 1)", {}),
        ("SELECT ' SETTINGS a = 1'", "", "SELECT ' SETTINGS a = 1'", {}),
        ("SELECT ' SETTINGS a = ', ''", "", "SELECT ' SETTINGS a = ', ''", {}),
        ("SELECT ' SETTINGS a = ', ', b = ', 'c'", "", "SELECT ' SETTINGS a = ', ', b = ', 'c'", {}),
        ("SELECT 1 AS ` SETTINGS a = 1`", "", "SELECT 1 AS ` SETTINGS a = 1`", {}),
        ("SELECT 1 SETTINGS a = 1, b = [1]", "", "SELECT 1 SETTINGS a = 1, b = [1]", {}),
    ],
)
def test_parts(text: str, explain: str, select: str, settings: dict[str, str]) -> None:
    assert parted(text) == Clauses(explain, select, settings)


def test_a_setting_that_would_not_hold_is_refused() -> None:
    limits = {"max_threads": "2", "max_result_rows": "1000", "max_execution_time": "30"}
    check_settings({"join_use_nulls": "1", "max_threads": "1"}, limits)
    for name, value in (("readonly", "0"), ("max_threads", "3"), ("max_result_rows", "0")):
        with pytest.raises(ClickHouseError, match=f"{name} = {value} is not allowed"):
            check_settings({"join_use_nulls": "1", name: value}, limits)
