"""A real Superset against a real Touchline: it imports `infra/superset`, and every chart shows what the rows say.

Superset has 800 MB of packages, so it runs in an environment of its own, which the first run fetches (minutes).
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from statistics import mean
from typing import Any

import pytest

from services.cli.generate.superset_charts import CHARTS
from services.cli.generate.superset_sets import FOLDER, OWN_NAME, TIMES
from streams.runtime.clickhouse import Store
from tests import dashboard_seed as seed
from tests.bi_store import story_store
from tests.bi_story import BLUEPRINT, NOW, story
from tests.own_environment import ROOT, run_with

pytestmark = [pytest.mark.clickhouse, pytest.mark.slow]
PACKAGES = (
    "apache-superset==6.1.0",
    "clickhouse-connect==1.12.0",
    "flask-caching==2.3.1",
    "rich",
    "cachetools",
    "pillow",
)
WORLD = story()
GRAINS: dict[str, Callable[[datetime], datetime]] = {
    "PT1H": lambda at: at.replace(minute=0, second=0, microsecond=0),
    "P1D": lambda at: _day(at),
    "P1W": lambda at: _day(at - timedelta(days=at.weekday())),
    "P1M": lambda at: _day(at).replace(day=1),
    "P3M": lambda at: _day(at).replace(day=1, month=(at.month - 1) // 3 * 3 + 1),
    "P1Y": lambda at: _day(at).replace(day=1, month=1),
}
Seen = dict[str, Any]


def _day(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0)


def _over_time(view: str, grain: str, column: str = OWN_NAME, **more: Any) -> Seen:
    axis = {"columnType": "BASE_AXIS", "sqlExpression": column, "label": column, "expressionType": "SQL"}
    columns = [axis | {"timeGrain": grain}, *more.get("series_columns", [])]
    query = {"columns": columns, "metrics": ["count"], "row_limit": 50_000}
    return {"dataset": view, "queries": [query | more]}


def _dragged(view: str, *measures: tuple[str, str]) -> Seen:
    """Measures as they are made by dragging a column."""
    metrics = [
        {"expressionType": "SIMPLE", "column": {"column_name": column}, "aggregate": how, "label": f"{how} {column}"}
        for how, column in measures
    ]
    return {"dataset": view, "queries": [{"columns": [], "metrics": metrics, "row_limit": 10}]}


ASKED: dict[str, Seen] = {
    **{f"{view} by day": _over_time(view, "P1D") for view in TIMES},
    **{f"touchpoints {grain}": _over_time("touchpoints", grain) for grain in GRAINS},
    "since": _over_time(
        "touchpoints",
        "P1W",
        filters=[
            {
                "col": OWN_NAME,
                "op": "TEMPORAL_RANGE",
                "val": f"{NOW - timedelta(days=9):%Y-%m-%dT%H:%M:%S} : 2100-01-01",
            }
        ],
    ),
    "others": _over_time(
        "touchpoints", "P1W", series_columns=["phase"], series_limit=1, group_others_when_limit_reached=True
    ),
    "dragged": _dragged("touchpoints", ("AVG", "emotion"), ("SUM", "emotion_sum"), ("SUM", "pain"), ("MAX", "score")),
    "employees": _dragged("accounts", ("SUM", "employees"), ("SUM", "annual_revenue")),
}


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Seen, Store]]:
    """What Superset shows, and the store behind it."""
    folder = tmp_path_factory.mktemp("superset")
    with story_store(folder / "clickhouse", WORLD) as (running, store):
        (folder / "charts.json").write_text(json.dumps(ASKED))
        script = ROOT / "tests" / "dialects" / "superset_live.py"
        given = [running.base_url, str(folder), str(ROOT / FOLDER), str(folder / "charts.json")]
        run_with(PACKAGES, "python", str(script), *given)
        yield json.loads((folder / "drawn.json").read_text()), store


def drawn(seen: tuple[Seen, Store], name: str) -> list[Seen]:
    found = seen[0]["charts"][name]
    assert not found["error"], found
    return list(found["rows"])


def at(milliseconds: float) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def buckets(rows: Sequence[Seen], value: str = "count", time: str = OWN_NAME) -> dict[datetime, Any]:
    """Bucket → its value; a bucket that comes twice is wrong."""
    found = {at(each[time]): each[value] for each in rows}
    assert len(found) == len(rows)
    return found


def on_map() -> list[seed.Row]:
    return [kept for kept in WORLD.touchpoints if kept["on_map"]]


def test_every_column_has_a_kind_and_every_chart_is_drawn(seen: tuple[Seen, Store]) -> None:
    """A column of no kind is a question mark, of which no chart can be made."""
    kinds = {(view, name): kind for view, columns in seen[0]["columns"].items() for name, kind in columns.items()}
    assert {name: kind for name, kind in kinds.items() if kind not in "0123"} == {}
    assert set(seen[0]["bundle"]) == {chart.title for chart in CHARTS.values()}
    assert {name: each["error"] for name, each in seen[0]["charts"].items() if each["error"]} == {}


@pytest.mark.parametrize("grain", GRAINS)
def test_touchpoints_at_every_grain(seen: tuple[Seen, Store], grain: str) -> None:
    wanted = Counter(GRAINS[grain](kept["occurred_at"]) for kept in WORLD.touchpoints)
    assert buckets(drawn(seen, f"touchpoints {grain}")) == wanted


def test_a_filter_cuts_no_bucket(seen: tuple[Seen, Store]) -> None:
    recent = [kept["occurred_at"] for kept in WORLD.touchpoints if kept["occurred_at"] >= NOW - timedelta(days=9)]
    assert buckets(drawn(seen, "since")) == Counter(GRAINS["P1W"](moment) for moment in recent)


def test_the_rest_of_the_series_is_others(seen: tuple[Seen, Store]) -> None:
    """With the connection of the bundle, whose joins give NULL; a plain one would name every phase."""
    most, _ = Counter(kept["phase"] for kept in WORLD.touchpoints).most_common(1)[0]
    wanted = Counter(
        (_day(kept["occurred_at"] - timedelta(days=kept["occurred_at"].weekday())), kept["phase"] == most)
        for kept in WORLD.touchpoints
    )
    found = {(at(each[OWN_NAME]), each["phase"]): each["count"] for each in drawn(seen, "others")}
    assert {phase for _, phase in found} == {most, "Others"}
    assert {(week, phase == most): count for (week, phase), count in found.items()} == wanted


@pytest.mark.parametrize("view", TIMES)
def test_each_view_by_its_own_time(seen: tuple[Seen, Store], view: str) -> None:
    found = seen[1].rows(f"SELECT toString(toDate({TIMES[view]})) AS day FROM bi.{view}")
    wanted = Counter(datetime.fromisoformat(str(each["day"])).replace(tzinfo=UTC) for each in found)
    assert buckets(drawn(seen, f"{view} by day")) == wanted


def test_sums_and_means_by_dragging(seen: tuple[Seen, Store]) -> None:
    felt = [kept["emotion"] for kept in WORLD.touchpoints if kept["has_emotion"]]
    (shown,) = drawn(seen, "dragged")
    assert float(shown["AVG emotion"]) == pytest.approx(mean(felt), abs=1e-5)
    assert float(shown["SUM emotion_sum"]) == pytest.approx(sum(felt))
    assert float(shown["SUM pain"]) == pytest.approx(sum(kept["pain"] for kept in WORLD.touchpoints))
    assert shown["MAX score"] is None
    (size,) = drawn(seen, "employees")
    assert float(size["SUM employees"]) == 240 * len(WORLD.accounts)
    assert float(size["SUM annual_revenue"]) == 2_500_000.5


# The charts of the bundle


def test_contact_moments_by_day(seen: tuple[Seen, Store]) -> None:
    assert buckets(drawn(seen, "Contact moments by day")) == Counter(_day(kept["occurred_at"]) for kept in on_map())


def test_friction_by_phase(seen: tuple[Seen, Store]) -> None:
    names = {phase.id: phase.name for phase in BLUEPRINT.source.phases}
    by_phase: dict[str, list[seed.Row]] = defaultdict(list)
    for kept in on_map():
        by_phase[names[kept["phase"]]].append(kept)
    found = {each["phase_name"]: each for each in drawn(seen, "Friction by phase")}
    assert found.keys() == by_phase.keys()
    for name, moments in by_phase.items():
        felt = [kept["emotion"] for kept in moments if kept["has_emotion"]]
        assert (found[name]["count"], found[name]["accounts"]) == (
            len(moments),
            len({m["account_id"] for m in moments}),
        )
        assert found[name]["friction_share"] == pytest.approx(sum(m["friction"] > 0 for m in moments) / len(moments))
        assert found[name]["mean_emotion"] == pytest.approx(mean(felt))


def _owners() -> dict[str, str]:
    return {kind.id: kind.owner.department if kind.owner else "" for kind in BLUEPRINT.source.types}


def test_pain_by_owner_and_week(seen: tuple[Seen, Store]) -> None:
    owners, wanted = _owners(), Counter[tuple[datetime, str]]()
    for kept in on_map():
        wanted[GRAINS["P1W"](kept["occurred_at"]), owners[kept["touchpoint_type"]]] += kept["pain"]
    rows = drawn(seen, "Pain by owner and week")
    found = {(at(each[OWN_NAME]), each["owner_department"]): each["pain"] for each in rows}
    assert len(found) == len(rows)
    assert found == pytest.approx(dict(wanted))


def test_what_hurts_most(seen: tuple[Seen, Store]) -> None:
    names, wanted = {kind.id: kind.name for kind in BLUEPRINT.source.types}, Counter[str]()
    for kept in on_map():
        wanted[names[kept["touchpoint_type"]]] += kept["pain"]
    found = [each["pain"] for each in drawn(seen, "What hurts most")]
    assert found == pytest.approx([pain for _, pain in wanted.most_common(15)])


def test_accounts_at_risk(seen: tuple[Seen, Store]) -> None:
    wanted: Counter[str] = Counter()
    for kept in seed.identified(on_map()):
        if kept["occurred_at"] >= NOW - timedelta(days=30):
            wanted[kept["account_id"]] += kept["pain"]
    found = drawn(seen, "Accounts at risk")
    assert [each["pain_30d"] for each in found] == pytest.approx([pain for _, pain in wanted.most_common(25) if pain])
    assert all(each["account_name"] and each["last_pain_at"] for each in found)


def test_the_funnel(seen: tuple[Seen, Store]) -> None:
    order = [phase.id for phase in BLUEPRINT.source.phases]
    furthest = [order.index(kept["high_water_phase"]) + 1 for kept in seed.identified(WORLD.accounts)]
    found = {each["position"]: each["accounts_reached"] for each in drawn(seen, "How far accounts have come")}
    assert found == {position: sum(far >= position for far in furthest) for position in found}
    assert len(found) == len([phase for phase in BLUEPRINT.source.phases if phase.kind != "exit"])


def test_first_replies(seen: tuple[Seen, Store]) -> None:
    """One of three tickets is answered, after a minute: the others are in the count and in no mean."""
    found = drawn(seen, "Tickets and their first reply")
    assert sum(each["count"] for each in found) == 3
    assert [each["first_reply_h"] for each in found if each["first_reply_h"] is not None] == [pytest.approx(60 / 3600)]


def test_sources(seen: tuple[Seen, Store]) -> None:
    sent = Counter(kept["source"] for kept in WORLD.touchpoints if kept["occurred_at"] >= NOW - timedelta(days=1))
    found = {each["source"]: each["touchpoints_24h"] for each in drawn(seen, "Sources")}
    assert found and found == {source: sent[source] for source in found}
