"""What BI tools really send, against the truth: a wrong chart is worse than none."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tests.clickhouse_fixture import ClickHouse

pytestmark = pytest.mark.clickhouse

STATEMENTS = Path(__file__).parents[1] / "fixtures" / "statements"
SUPERSET = {path.stem: json.loads(path.read_text())["statements"] for path in STATEMENTS.glob("superset-*.json")}
REPEATS, NAMES = "superset-6.1.0-clickhouse-connect-0.8.18", "superset-6.1.0-clickhouse-connect-1.12.0"
SINCE = datetime(2026, 1, 1, 10, tzinfo=UTC)
#: Hour by hour from midnight, ten of them before the charts begin; then one a month, so that no grain has one bucket.
TIMES = [SINCE + timedelta(hours=hour) for hour in range(-10, 43)] + [
    SINCE + timedelta(days=31 * n) for n in range(2, 9)
]
MOMENTS = [(at, "ab"[at.hour % 2], at.hour / 8) for at in TIMES]
SHOWN = [moment for moment in MOMENTS if moment[0] >= SINCE]

Bucket = Callable[[datetime], datetime]


def _every(seconds: int) -> Bucket:
    return lambda at: datetime.fromtimestamp(at.timestamp() // seconds * seconds, UTC)


GRAINS: dict[str, Bucket] = {
    **{f"PT{minutes}M": _every(60 * minutes) for minutes in (1, 5, 10, 15, 30)},
    "PT1H": _every(3600),
    "P1D": _every(86400),
    "P1W": lambda at: _every(86400)(at - timedelta(days=at.weekday())),
    "P1M": lambda at: _every(86400)(at).replace(day=1),
    "P3M": lambda at: _every(86400)(at).replace(day=1, month=(at.month - 1) // 3 * 3 + 1),
    "P1Y": lambda at: _every(86400)(at).replace(day=1, month=1),
}


@pytest.fixture(scope="module")
def target(clickhouse_url: ClickHouse) -> Iterator[ClickHouse]:
    client = clickhouse_url.client()
    client.command("CREATE DATABASE truth")
    client.command(
        "CREATE TABLE truth.t (occurred_at DateTime64(3, 'UTC'), phase LowCardinality(String),"
        " emotion Nullable(Decimal(9, 6)), pain Float64) ENGINE = MergeTree ORDER BY occurred_at"
    )
    client.command(
        "CREATE VIEW bi.touchpoints (occurred_at DateTime64(3, 'UTC'), event_date Date, phase LowCardinality(String),"
        " emotion Nullable(Decimal(9, 6)), pain Float64) DEFINER = CURRENT_USER SQL SECURITY DEFINER AS"
        " SELECT occurred_at, toDate(occurred_at) AS event_date, phase, emotion, pain FROM truth.t"
    )
    rows = [[at, phase, 0.5 if phase == "a" else None, pain] for at, phase, pain in MOMENTS]
    client.insert("truth.t", rows, column_names=["occurred_at", "phase", "emotion", "pain"])
    yield clickhouse_url
    client.command("DROP VIEW bi.touchpoints")
    client.command("DROP DATABASE truth")
    client.close()


def rows(target: ClickHouse, sql: str, **params: str) -> list[list[object]]:
    """What a reader gets; an error of ClickHouse as its code."""
    given = {"default_format": "JSONCompactEachRow", "output_format_json_quote_64bit_integers": "0"} | params
    reply = httpx.post(target.base_url, content=sql.encode(), auth=("reader", ""), params=given, timeout=60)
    if reply.status_code != 200:
        return [[int(reply.headers["x-clickhouse-exception-code"])]]
    return [[_plain(value) for value in json.loads(line)] for line in reply.text.splitlines()]


def _plain(value: object) -> object:
    """A time in one form, whether it is a Date, a DateTime or a DateTime64."""
    text = value[:19] if isinstance(value, str) else ""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        return value


def truth(chart: str, bucket: Bucket) -> Counter[tuple[object, ...]]:
    """What the chart of this name must show."""
    if chart.startswith("dates"):
        return Counter((bucket(at.replace(hour=0)),) for at, _, _ in SHOWN)
    if chart.startswith("series by phase"):
        return Counter((bucket(at), phase) for at, phase, _ in SHOWN)
    return Counter((bucket(at),) for at, _, _ in SHOWN)


def counted(found: list[list[object]]) -> dict[tuple[object, ...], object]:
    """Buckets and their counts; a bucket that comes twice is wrong."""
    told = {tuple(row[:-1]): row[-1] for row in found}
    assert len(told) == len(found)
    return told


@pytest.mark.parametrize("made_by", [NAMES, REPEATS])
@pytest.mark.parametrize("grain", GRAINS)
@pytest.mark.parametrize("chart", ["series", "dates", "series by phase", "granularity"])
def test_superset_over_time(target: ClickHouse, made_by: str, grain: str, chart: str) -> None:
    statement = SUPERSET[made_by].get(f"{chart} {grain}")
    if statement is None:
        pytest.fail(f"Superset made no statement for {grain}")
    assert counted(rows(target, statement)) == truth(chart, GRAINS[grain])


def test_every_grain_of_superset_is_here() -> None:
    assert {name.rpartition(" ")[2] for name in SUPERSET[NAMES] if name.startswith("series P")} == set(GRAINS)


@pytest.mark.parametrize(
    ("made_by", "setting", "is_right"),
    [(NAMES, "0", False), (NAMES, "1", False), (REPEATS, "0", False), (REPEATS, "1", True)],
)
def test_no_setting_is_right(target: ClickHouse, made_by: str, setting: str, is_right: bool) -> None:
    """The control: what ClickHouse makes of the same statements by itself; who sends the setting gets that."""
    found = rows(target, SUPERSET[made_by]["series P1D"], prefer_column_name_to_alias=setting)
    assert ({tuple(row[:-1]): row[-1] for row in found} == truth("series", GRAINS["P1D"])) is is_right


@pytest.mark.parametrize("made_by", [NAMES, REPEATS])
@pytest.mark.parametrize("grain", GRAINS)
def test_a_time_of_its_own_name_needs_no_rewriting(target: ClickHouse, made_by: str, grain: str) -> None:
    """The generated datasets, as a server runs them."""
    for setting in ("0", "1"):
        found = rows(target, SUPERSET[made_by][f"own name {grain}"], prefer_column_name_to_alias=setting)
        assert counted(found) == truth("series", GRAINS[grain])


@pytest.mark.parametrize("made_by", [NAMES, REPEATS])
def test_superset_without_time(target: ClickHouse, made_by: str) -> None:
    charts = SUPERSET[made_by]
    assert rows(target, charts["ordered by time"]) == [
        [*key, n] for key, n in sorted(truth("series", GRAINS["P1D"]).items())
    ]
    many = [[*key, n] for key, n in truth("series", GRAINS["P1D"]).items() if n > 10]
    assert sorted(rows(target, charts["having"])) == sorted(many)
    assert rows(target, charts["mean and sum"]) == [[0.5, sum(pain for *_, pain in SHOWN)]]
    pains = {letter: sum(pain for _, phase, pain in SHOWN if phase == letter) for letter in "ab"}
    in_order = sorted(pains.items(), key=lambda one: -one[1])
    assert rows(target, charts["sum with the name of its column"]) == [list(one) for one in in_order]


DAYS = [[*key, n] for key, n in sorted(truth("series", GRAINS["P1D"]).items())]
SPAN = "occurred_at >= toDateTime(1767261600) AND occurred_at <= toDateTime(1798761600)"


@pytest.mark.parametrize(
    "sql",
    [
        pytest.param(
            "SELECT toStartOfInterval(toDateTime(occurred_at), INTERVAL 86400 second) AS time, count() AS n"
            f" FROM bi.touchpoints WHERE {SPAN} GROUP BY time ORDER BY time",
            id="Grafana: $__timeInterval AS time, $__timeFilter",
        ),
        pytest.param(
            "SELECT toStartOfInterval(toDateTime(occurred_at), INTERVAL 86400 second) AS occurred_at, count() AS n"
            f" FROM bi.touchpoints WHERE {SPAN} GROUP BY occurred_at ORDER BY occurred_at ASC LIMIT 1000",
            id="Grafana: the same under the name of the column",
        ),
        pytest.param(
            "SELECT toStartOfDay(`bi`.`touchpoints`.`occurred_at`) AS `occurred_at`, COUNT(*) AS `count`"
            " FROM `bi`.`touchpoints` WHERE `bi`.`touchpoints`.`occurred_at` >= '2026-01-01 10:00:00.000'"
            " GROUP BY toStartOfDay(`bi`.`touchpoints`.`occurred_at`)"
            " ORDER BY toStartOfDay(`bi`.`touchpoints`.`occurred_at`) ASC",
            id="Metabase: by day",
        ),
        pytest.param(
            "SELECT `source`.`occurred_at` AS `occurred_at`, COUNT(*) AS `count` FROM (SELECT"
            " toStartOfDay(`bi`.`touchpoints`.`occurred_at`) AS `occurred_at` FROM `bi`.`touchpoints`"
            " WHERE `bi`.`touchpoints`.`occurred_at` >= '2026-01-01 10:00:00.000') AS `source`"
            " GROUP BY `source`.`occurred_at` ORDER BY `source`.`occurred_at` ASC",
            id="Metabase: on a question",
        ),
        pytest.param(
            "SELECT * FROM (SELECT toStartOfDay(occurred_at) AS occurred_at, count() AS n FROM touchpoints"
            f" WHERE {SPAN} GROUP BY toStartOfDay(occurred_at) ORDER BY occurred_at) FORMAT JSONCompactEachRow",
            id="a repeated expression, ordered by the alias",
        ),
        pytest.param(
            "SELECT toStartOfDay(occurred_at) AS occurred_at, sum(pain) * 0 + count() AS pain FROM touchpoints"
            f" WHERE {SPAN} GROUP BY occurred_at HAVING pain > 0 ORDER BY occurred_at, pain",
            id="a sum with the name of its column",
        ),
    ],
)
def test_days(target: ClickHouse, sql: str) -> None:
    assert rows(target, sql) == DAYS


LATER = "occurred_at >= '2026-01-01 10:00:00'"
BY_LETTER = {letter: [moment for moment in SHOWN if moment[1] == letter] for letter in "ab"}
PAINS = [pain for *_, pain in SHOWN]
DAY = "toStartOfDay(occurred_at)"
#: An analyst's own statements, each with the one right answer.
OWN: dict[str, tuple[str, list[list[object]]]] = {
    "positions": (
        f"SELECT {DAY} AS occurred_at, count(1) AS n FROM bi.touchpoints t WHERE {LATER} GROUP BY 1 ORDER BY 1",
        DAYS,
    ),
    "Looker's form": (
        "SELECT (DATE(t.occurred_at)) AS `occurred_at`, COUNT(*) AS n FROM bi.touchpoints AS t"
        " WHERE ((t.occurred_at >= (toDateTime('2026-01-01 10:00:00')))) GROUP BY (DATE(t.occurred_at)) ORDER BY 1",
        DAYS,
    ),
    "a name for a part": (
        f"WITH base AS (SELECT {DAY} AS occurred_at, pain FROM touchpoints WHERE {LATER})"
        " SELECT occurred_at, count() AS n FROM base GROUP BY occurred_at ORDER BY occurred_at",
        DAYS,
    ),
    "everything that is no sum": (
        f"SELECT date_trunc('day', occurred_at) AS occurred_at, count() AS n FROM touchpoints WHERE {LATER}"
        " GROUP BY ALL ORDER BY occurred_at",
        DAYS,
    ),
    "without AS": (
        f"SELECT {DAY} occurred_at, count() n FROM touchpoints WHERE {LATER} GROUP BY occurred_at ORDER BY occurred_at",
        DAYS,
    ),
    "two halves": (
        "SELECT occurred_at, sum(n) AS n FROM ("
        f"SELECT {DAY} AS occurred_at, count() AS n FROM touchpoints WHERE {LATER} AND phase = 'a'"
        " GROUP BY occurred_at UNION ALL"
        f" SELECT {DAY} AS occurred_at, count() AS n FROM touchpoints WHERE {LATER} AND phase = 'b'"
        " GROUP BY occurred_at"
        ") GROUP BY occurred_at ORDER BY occurred_at",
        DAYS,
    ),
    "a window": (
        f"SELECT DISTINCT {DAY} AS occurred_at, count() OVER (PARTITION BY {DAY}) AS n FROM touchpoints"
        f" WHERE {LATER} ORDER BY occurred_at",
        DAYS,
    ),
    "one of each": (
        f"SELECT {DAY} AS occurred_at FROM touchpoints WHERE {LATER} ORDER BY occurred_at LIMIT 1 BY occurred_at",
        [[day] for day, _ in DAYS],
    ),
    "the column within a sum beside its bucket": (
        f"SELECT {DAY} AS occurred_at, uniqExact(occurred_at) AS n FROM touchpoints WHERE {LATER}"
        " GROUP BY occurred_at ORDER BY occurred_at",
        DAYS,
    ),
    "a sum and a mean of one column": (
        f"SELECT sum(pain) AS pain, avg(pain) AS mean FROM touchpoints WHERE {LATER}",
        [[sum(PAINS), sum(PAINS) / len(PAINS)]],
    ),
    "the last of each, under the column's name": (
        f"SELECT phase, max(occurred_at) AS occurred_at FROM touchpoints WHERE {LATER} GROUP BY phase ORDER BY phase",
        [[letter, max(at for at, *_ in found)] for letter, found in BY_LETTER.items()],
    ),
    "another writing of a key": (
        f"SELECT upper(phase) AS phase, count() AS n FROM touchpoints WHERE {LATER} GROUP BY phase ORDER BY phase",
        [[letter.upper(), len(found)] for letter, found in BY_LETTER.items()],
    ),
    "a band under the column's name": (
        f"SELECT if(pain > 1, 1, 0) AS pain, count() AS n FROM touchpoints WHERE {LATER} AND pain >= 0"
        " GROUP BY pain ORDER BY pain",
        [[0, sum(pain <= 1 for pain in PAINS)], [1, sum(pain > 1 for pain in PAINS)]],
    ),
    "a count under a key's name": (
        f"SELECT {DAY} AS day, countIf(phase = 'a') AS phase FROM touchpoints WHERE {LATER} GROUP BY day ORDER BY day",
        [[day, sum(phase == "a" for at, phase, _ in SHOWN if at.date() == day.date())] for day, _ in DAYS],  # type: ignore[attr-defined]
    ),
    "a question within a question": (
        f"SELECT phase, count() AS n FROM touchpoints WHERE {LATER} AND phase IN (SELECT lower(phase) AS phase"
        " FROM touchpoints GROUP BY phase) GROUP BY phase ORDER BY phase",
        [[letter, len(found)] for letter, found in BY_LETTER.items()],
    ),
    "a filter on the bucket's own name": (
        f"SELECT {DAY} AS occurred_at, count() AS n FROM touchpoints WHERE {LATER} GROUP BY occurred_at"
        " HAVING count() > 10 ORDER BY occurred_at",
        [[day, n] for day, n in DAYS if n > 10],  # type: ignore[operator]
    ),
    "a share of the whole": (
        f"SELECT phase, count() / (SELECT count() FROM touchpoints WHERE {LATER}) AS pain FROM touchpoints"
        f" WHERE {LATER} AND pain >= 0 GROUP BY phase ORDER BY phase",
        [[letter, len(found) / len(SHOWN)] for letter, found in BY_LETTER.items()],
    ),
}


@pytest.mark.parametrize("name", OWN)
def test_statements_of_analysts_are_right(target: ClickHouse, name: str) -> None:
    sql, right = OWN[name]
    found = rows(target, sql)
    assert found == right


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("WITH toStartOfDay(occurred_at) AS occurred_at SELECT occurred_at, count() FROM touchpoints GROUP BY 1", 207),
        ("SELECT toDate(occurred_at) AS occurred_at, " + "f(" * 90 + ")" * 90 + " FROM touchpoints", 46),
        (
            "SELECT toDate(occurred_at) AS occurred_at, " + "(1 + " * 90 + "1" + ")" * 90
            + " FROM touchpoints GROUP BY occurred_at",
            207,
        ),
    ],
)  # fmt: skip
def test_what_stays_wrong_fails(target: ClickHouse, sql: str, code: int) -> None:
    assert rows(target, sql) == [[code]]


def test_what_is_rewritten_is_judged_again(target: ClickHouse) -> None:
    """An alias that nobody may name is none of the names in the first text only by being written out."""
    sql = "SELECT toDate(occurred_at) AS occurred_at, {} AS x FROM bi.touchpoints GROUP BY occurred_at"
    assert rows(target, sql.format("file('/etc/passwd')")) == [[497]]
    assert rows(target, sql.format("max(pain) INTO OUTFILE '/tmp/x' --")) == [[497]]


day_of = GRAINS["P1D"]
BEFORE = [moment for moment in MOMENTS if SINCE - timedelta(days=1) <= moment[0] < SINCE]
#: How a reader's statement runs: on the embedded engine, and on a server with the profile that is shipped.
SETTINGS = {"embedded": ("occurred_at", {}), "server": ("event_time", {"prefer_column_name_to_alias": "1"})}
Row = tuple[object, ...]


def _sums(key: Callable[[datetime, str], Row], moments: list[tuple[datetime, str, float]]) -> list[Row]:
    """By key: how many, and the sum of pain."""
    found: dict[Row, list[float]] = {}
    for at, phase, pain in moments:
        found.setdefault(key(at, phase), []).append(pain)
    return [(*each, len(pains), sum(pains)) for each, pains in sorted(found.items(), key=str)]


def _without_pain(found: list[Row]) -> list[Row]:
    return [row[:-1] for row in found]


def _running(found: list[Row]) -> list[Row]:
    return [(day, sum(float(str(row[-1])) for row in found[: at + 1])) for at, (day, *_) in enumerate(found)]


BY_DAY = _sums(lambda at, _: (day_of(at),), SHOWN)
BY_PHASE = _sums(lambda _, phase: (phase,), SHOWN)
BY_BOTH = _sums(lambda at, phase: (phase, day_of(at)), SHOWN)
MOST = max(BY_PHASE, key=lambda row: float(str(row[-1])))[0]
CHOSEN = [each for each in SHOWN if each[1] == "b" and 1 <= each[2] < 2.5 and each[2] != 2]
KINDS: dict[str, list[Row]] = {
    "pivot": BY_BOTH,
    "pivot, totals": _sums(lambda at, phase: (), SHOWN),
    "pivot, totals of rows": BY_PHASE,
    "time comparison": _without_pain(_sums(lambda at, _: (day_of(at),), BEFORE)),
    "percent of total": [(phase, 100 * int(str(n)) / len(SHOWN)) for phase, n, _ in BY_PHASE],
    "rolling mean": [
        (row[0], sum(int(str(each[1])) for each in BY_DAY[max(at - 1, 0) : at + 1]) / min(at + 1, 2))
        for at, row in enumerate(BY_DAY)
    ],
    "cumulative": _running(BY_DAY),
    "top 1": [(day, phase, n) for phase, day, n, _ in BY_BOTH if phase == MOST],
    "top 1 and others": [(day, phase if phase == MOST else "Others", n) for phase, day, n, _ in BY_BOTH],
    "histogram": [(pain,) for pain in {pain for *_, pain in SHOWN}],
    "box plot": [(phase, day, float(str(pain)) / int(str(n))) for phase, day, n, pain in BY_BOTH],
    "word cloud": [(letter, len({at.date() for at, phase, _ in SHOWN if phase == letter})) for letter in "ab"],
    "table with a search": [("a", pain) for pain in {pain for _, phase, pain in SHOWN if phase == "a"}],
    "second page": [(at,) for at, *_ in SHOWN[5:10]],
    "native and cross filters": _without_pain(_sums(lambda at, _: (day_of(at),), CHOSEN)),
}


@pytest.mark.parametrize("made_by", [NAMES, REPEATS])
@pytest.mark.parametrize("where", SETTINGS)
@pytest.mark.parametrize("kind", KINDS)
def test_kinds_of_charts(target: ClickHouse, made_by: str, where: str, kind: str) -> None:
    time, settings = SETTINGS[where]
    # as the connection of the generated bundle has it
    found = rows(target, SUPERSET[made_by][f"{kind} by {time}"], join_use_nulls="1", **settings)
    assert sorted(map(tuple, found), key=str) == sorted(KINDS[kind], key=str)


@pytest.mark.parametrize("made_by", [NAMES, REPEATS])
def test_without_nulls_in_joins_there_are_no_others(target: ClickHouse, made_by: str) -> None:
    """The control: Superset asks whether a series was found by `IS NOT NULL`, which an empty text is."""
    found = rows(target, SUPERSET[made_by]["top 1 and others by occurred_at"])
    assert {row[1] for row in found} == {"a", "b"}


SPAN_MS = (
    "occurred_at >= fromUnixTimestamp64Milli(1767261600000) AND occurred_at <= fromUnixTimestamp64Milli(1798761600000)"
)
DATES = "event_date >= toDate('2026-01-01') AND event_date <= toDate('2027-01-01')"
FROM_MIDNIGHT = [moment for moment in MOMENTS if moment[0].year == 2026]
COUNTED = _without_pain(BY_DAY)
#: What Grafana's plugin makes of its macros by its documentation, and what must come of it.
GRAFANA: dict[str, tuple[str, list[Row]]] = {
    "$__timeInterval_ms, $__timeFilter_ms": (
        "SELECT toStartOfInterval(toDateTime64(occurred_at, 3), INTERVAL 86400000 millisecond) AS time, count() AS n"
        f" FROM bi.touchpoints WHERE {SPAN_MS} GROUP BY time ORDER BY time",
        COUNTED,
    ),
    "$__fromTime, $__toTime": (
        "SELECT toStartOfDay(occurred_at) AS time, count() AS n FROM bi.touchpoints"
        " WHERE occurred_at BETWEEN toDateTime(1767261600) AND toDateTime(1798761600) GROUP BY time ORDER BY time",
        COUNTED,
    ),
    "$__fromTime_ms, $__toTime_ms": (
        "SELECT toStartOfDay(occurred_at) AS time, count() AS n FROM bi.touchpoints"
        " WHERE occurred_at BETWEEN fromUnixTimestamp64Milli(1767261600000)"
        " AND fromUnixTimestamp64Milli(1798761600000) GROUP BY time ORDER BY time",
        COUNTED,
    ),
    "$__interval_s": (
        "SELECT toDateTime(intDiv(toUnixTimestamp(occurred_at), 86400) * 86400, 'UTC') AS time, count() AS n"
        f" FROM bi.touchpoints WHERE {SPAN} GROUP BY time ORDER BY time",
        COUNTED,
    ),
    "$__dateFilter": (
        f"SELECT toStartOfDay(occurred_at) AS time, count() AS n FROM bi.touchpoints WHERE {DATES} GROUP BY time",
        _without_pain(_sums(lambda at, _: (day_of(at),), FROM_MIDNIGHT)),
    ),
    "$__dateTimeFilter": (
        f"SELECT toStartOfDay(occurred_at) AS time, count() AS n FROM bi.touchpoints WHERE ({DATES}) AND ({SPAN})"
        " GROUP BY time",
        COUNTED,
    ),
    "several series": (
        "SELECT toStartOfInterval(toDateTime(occurred_at), INTERVAL 86400 second) AS time, phase, count() AS n,"
        f" sum(pain) AS pain FROM bi.touchpoints WHERE {SPAN} GROUP BY time, phase ORDER BY time",
        [(day, phase, n, pain) for phase, day, n, pain in BY_BOTH],
    ),
    "$__conditionalAll, some chosen": (
        f"SELECT phase, count() AS n FROM bi.touchpoints WHERE {SPAN} AND phase IN ('b','it\\'s') GROUP BY phase",
        [(phase, n) for phase, n, _ in BY_PHASE if phase == "b"],
    ),
    "$__conditionalAll, All": (
        f"SELECT phase, count() AS n FROM bi.touchpoints WHERE {SPAN} AND 1=1 GROUP BY phase",
        _without_pain(BY_PHASE),
    ),
    "values of a variable": ("SELECT DISTINCT phase FROM bi.touchpoints ORDER BY phase", [("a",), ("b",)]),
}


@pytest.mark.parametrize("where", SETTINGS)
@pytest.mark.parametrize("macros", GRAFANA)
def test_macros_of_grafana(target: ClickHouse, macros: str, where: str) -> None:
    sql, shown = GRAFANA[macros]
    found = rows(target, sql, **SETTINGS[where][1])
    assert sorted(map(tuple, found), key=str) == sorted(shown, key=str)


T = "`bi`.`touchpoints`"
SINCE_TEN = f"{T}.`occurred_at` >= '2026-01-01 10:00:00.000'"
METABASE_DAY = f"toStartOfDay({T}.`occurred_at`)"
#: Questions as Metabase builds them: a bucket is repeated in GROUP BY and ORDER BY, aliases hide columns.
METABASE: dict[str, tuple[str, list[Row]]] = {
    "pivot": (
        f"SELECT {T}.`phase` AS `phase`, {METABASE_DAY} AS `occurred_at`, COUNT(*) AS `count`, SUM({T}.`pain`) AS `sum`"
        f" FROM {T} WHERE {SINCE_TEN} GROUP BY {T}.`phase`, {METABASE_DAY}"
        f" ORDER BY {T}.`phase` ASC, {METABASE_DAY} ASC",
        BY_BOTH,
    ),
    "cumulative": (
        f"SELECT {METABASE_DAY} AS `occurred_at`, SUM(SUM({T}.`pain`)) OVER (ORDER BY {METABASE_DAY} ASC"
        f" ROWS UNBOUNDED PRECEDING) AS `sum` FROM {T} WHERE {SINCE_TEN} GROUP BY {METABASE_DAY}"
        f" ORDER BY {METABASE_DAY} ASC",
        _running(BY_DAY),
    ),
    "bins": (
        f"SELECT FLOOR({T}.`pain` / 1.0) * 1.0 AS `pain`, COUNT(*) AS `count` FROM {T} WHERE {SINCE_TEN}"
        f" GROUP BY FLOOR({T}.`pain` / 1.0) * 1.0 ORDER BY FLOOR({T}.`pain` / 1.0) * 1.0 ASC",
        [(float(whole), n) for whole, n in sorted(Counter(int(pain) for *_, pain in SHOWN).items())],
    ),
    "contains": (
        f"SELECT COUNT(*) AS `count` FROM {T} WHERE {SINCE_TEN}"
        f" AND positionUTF8(lowerUTF8({T}.`phase`), lowerUTF8('A')) > 0",
        [(sum(phase == "a" for _, phase, _ in SHOWN),)],
    ),
    "share": (
        f"SELECT CAST(countIf({T}.`phase` = 'a') AS Float64) / COUNT(*) AS `share` FROM {T} WHERE {SINCE_TEN}",
        [(sum(phase == "a" for _, phase, _ in SHOWN) / len(SHOWN),)],
    ),
    "distinct": (
        f"SELECT COUNT(DISTINCT {T}.`phase`) AS `count`, MAX({T}.`pain`) AS `max` FROM {T} WHERE {SINCE_TEN}",
        [(2, max(pain for *_, pain in SHOWN))],
    ),
    "hour of the day": (
        f"SELECT toHour({T}.`occurred_at`) AS `occurred_at`, COUNT(*) AS `count` FROM {T} WHERE {SINCE_TEN}"
        f" GROUP BY toHour({T}.`occurred_at`) ORDER BY toHour({T}.`occurred_at`) ASC",
        sorted(Counter(at.hour for at, *_ in SHOWN).items()),
    ),
    "a question on a question": (
        f"SELECT AVG(`source`.`count`) AS `avg` FROM (SELECT {METABASE_DAY} AS `occurred_at`, COUNT(*) AS `count`"
        f" FROM {T} WHERE {SINCE_TEN} GROUP BY {METABASE_DAY} ORDER BY {METABASE_DAY} ASC) AS `source`",
        [(len(SHOWN) / len(BY_DAY),)],
    ),
}


@pytest.mark.parametrize("where", SETTINGS)
@pytest.mark.parametrize("kind", METABASE)
def test_kinds_of_questions_of_metabase(target: ClickHouse, kind: str, where: str) -> None:
    sql, shown = METABASE[kind]
    found = rows(target, sql, **SETTINGS[where][1])
    assert sorted(map(tuple, found), key=str) == sorted(shown, key=str)


def test_ad_hoc_filters_of_grafana_are_refused_instead_of_passed_over(target: ClickHouse) -> None:
    """Their text is put into the reading of any table that is named, also beneath a view that hides something."""
    filters = "{'bi.touchpoints': ' phase = \\'a\\' '}"
    ways: list[tuple[str, dict[str, str]]] = [
        (f" SETTINGS additional_table_filters = {filters}", {}),
        ("", {"additional_table_filters": filters}),
        ("", {"additional_result_filter": "1 = 0"}),
    ]
    for ending, params in ways:
        reply = httpx.post(target.base_url, content=f"SELECT 1{ending}".encode(), auth=("reader", ""), params=params)
        assert reply.status_code == 400 and "Code: 164" in reply.text and "additional_" in reply.text, reply.text
