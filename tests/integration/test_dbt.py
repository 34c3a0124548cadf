"""A real dbt over `infra/dbt`: it knows the sources and exposures, asks how fresh they are, and tests their keys.

dbt has packages of its own (the first run fetches 100 MB). As the reader it may look at everything and make nothing.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any, Final

import pytest

from services.cli.generate import dbt_sources, grafana_boards
from services.sink.views import load_views
from tests.bi_store import story_store
from tests.bi_story import story
from tests.own_environment import ROOT, run_with

pytestmark = [pytest.mark.clickhouse, pytest.mark.slow]
# later ones fetch a part of themselves from elsewhere than PyPI
PACKAGES: Final = ("dbt-core==1.10.13", "dbt-clickhouse==1.10.3")
WORLD = story()
#: What an analyst of ours may add: a model over a source, looked at but not made.
MODEL: Final = "SELECT phase, count() AS touchpoints FROM {{ source('touchline', 'touchpoints') }} GROUP BY phase"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A copy of the project that has been through all of dbt's commands, and what they printed."""
    folder = tmp_path_factory.mktemp("dbt")
    shutil.copytree(ROOT / dbt_sources.FOLDER, folder / "project")
    (folder / "project" / "models" / "by_phase.sql").write_text(MODEL)
    script = (ROOT / "tests" / "dialects" / "dbt_live.py", folder / "project", folder / "said.json")
    with story_store(folder / "clickhouse", WORLD) as (running, _):
        run_with(
            PACKAGES,
            "python",
            *map(str, script),
            TOUCHLINE_SQL_HOST=running.host,
            TOUCHLINE_SQL_PORT=str(running.port),
            DBT_SEND_ANONYMOUS_USAGE_STATS="false",
        )
    return folder


def said(project: Path, command: str) -> dict[str, Any]:
    return dict(json.loads((project / "said.json").read_text())[command])


def test_dbt_connects_and_knows_every_view_and_dashboard(project: Path) -> None:
    assert said(project, "debug")["is_success"] and said(project, "parse")["is_success"]
    listed = said(project, "list")["nodes"]
    sources = {name for kind, name in listed if kind == "source"}
    assert sources == {f"touchline.touchline.{view.name}" for view in load_views()}
    exposures = {name.rpartition(".")[2] for kind, name in listed if kind == "exposure"}
    assert exposures == {f"grafana_{name}" for name in grafana_boards.BOARDS} | {"superset_touchline"}


def test_dbt_says_how_fresh_the_touchpoints_are(project: Path) -> None:
    assert said(project, "source freshness")["results"] == [["source.touchline.touchline.touchpoints", "pass"]]


def test_every_key_is_unique_and_told(project: Path) -> None:
    found = said(project, "test")["results"]
    assert len(found) == 2 * len(dbt_sources.KEYS)
    assert {status for _, status in found} == {"pass"}


def test_models_are_compiled_and_shown_but_not_made(project: Path) -> None:
    """Shown is a model's own statement; one that refers to another finds nothing, as that was never made."""
    assert said(project, "compile")["is_success"]
    shown = said(project, "show")
    assert shown["is_success"], shown["error"]
    wanted = Counter(str(kept["phase"]) for kept in WORLD.touchpoints)
    assert {phase: int(count) for phase, count in shown["rows"]} == wanted
    made = said(project, "run")
    assert not made["is_success"] and "Only SELECT" in json.dumps(made), made


def test_the_catalogue_has_every_column(project: Path) -> None:
    told = said(project, "docs generate")
    assert told["is_success"], told
    sources = json.loads((project / "project" / "target" / "catalog.json").read_text())["sources"]
    assert len(sources) == len(load_views())
