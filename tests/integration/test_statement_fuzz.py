"""A short run of random statements of readers; `python -m tests.fuzz.statements` has the long one."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.clickhouse_fixture import ClickHouse
from tests.fuzz.statements import LIMIT_S, SECRET, SLACK_S, VIEW, Chart, Ground, attack, chart, ground

pytestmark = pytest.mark.clickhouse


@pytest.fixture(scope="module")
def aimed(clickhouse_url: ClickHouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with ground(clickhouse_url, tmp_path_factory.mktemp("fuzz")) as made:
        yield made


@settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.randoms(use_true_random=False))
def test_a_chart_shows_what_plain_names_show(aimed: Ground, rng: random.Random) -> None:
    assert aimed.try_chart(chart(rng)) is None


@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.randoms(use_true_random=False))
def test_no_statement_reads_or_does_what_it_must_not(aimed: Ground, rng: random.Random) -> None:
    finding = aimed.try_one(attack(rng, aimed.words))
    if finding is not None and "it took" in finding.what:
        return  # a busy machine; the long run measures
    assert finding is None


def test_charts_are_drawn_and_nothing_was_harmed(aimed: Ground) -> None:
    for seed in range(4):
        assert aimed.try_chart(chart(random.Random(seed))) is None
    assert aimed.charts["drawn"] > 2
    assert aimed.harm() is None


def test_known_bad_ones_are_found(aimed: Ground) -> None:
    """The same looks at a wrong chart, a shown secret, a change and a written file."""
    hidden = Chart(
        f"SELECT toStartOfDay(at) AS at, count() AS n FROM {VIEW} GROUP BY at",
        f"SELECT toStartOfDay(fuzz.at) AS alias_0, count() AS alias_1 FROM {VIEW} GROUP BY alias_0",
    )
    assert aimed.try_chart(hidden) is None
    wrong = aimed.try_chart(hidden, prefer_column_name_to_alias="1")
    assert wrong is not None and "plain names" in wrong.what
    shown = aimed._seen(SECRET, "SELECT 1")
    assert shown is not None and "secret" in shown.what
    aimed.ask("INSERT INTO vault.t VALUES ('x')", "internal")
    assert (changed := aimed.harm()) is not None and "changed" in changed.what
    aimed.before = aimed.state()
    (aimed.folder / "out" / "x").write_text("x")
    assert (written := aimed.harm()) is not None and "written" in written.what
    (aimed.folder / "out" / "x").unlink()
    assert LIMIT_S + SLACK_S < 10
