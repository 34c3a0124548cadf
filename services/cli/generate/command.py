"""`touchline generate`: what is written by code, and whether what is committed is what the code writes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from schemas.metrics import METRICS
from services.alerting.prometheus import board, rules
from services.cli.commands import retention
from services.cli.generate import (
    blueprint_schema,
    cluster_sources,
    connector_docs,
    dbt_sources,
    grafana_boards,
    record_docs,
    superset_charts,
    superset_sets,
)
from services.cli.generate.marked import markdown, put
from streams.connectors.registry import CONNECTORS

ROOT = Path(__file__).parents[3]


def with_metrics(text: str) -> str:
    """A page with the table of all metrics between its markers. Raises ValueError where it has none."""
    lines = ["| metric | kind | labels | what |", "|---|---|---|---|"]
    for metric in METRICS.values():
        labels = ", ".join(metric.labels) or "–"
        lines.append(f"| `{metric.name}` | {metric.kind} | {labels} | {metric.help} |")
    return put(text, markdown("metrics"), "\n".join(lines) + "\n")


def _page_of(name: str) -> Callable[[str], str]:
    return lambda _: connector_docs.page(CONNECTORS[name])


def _dataset_of(view: str) -> Callable[[str], str]:
    return lambda _: superset_sets.dataset(view)


def _chart_of(name: str) -> Callable[[str], str]:
    return lambda _: superset_charts.chart(name)


def _board_of(name: str) -> Callable[[str], str]:
    return lambda _: board.rendered(grafana_boards.BOARDS[name])


#: What → (file, its text as it stands → the text it must have).
GENERATED: dict[str, tuple[Path, Callable[[str], str]]] = {
    "rules": (Path("infra/prometheus/rules/touchline.yml"), lambda _: rules.rendered()),
    "dashboards": (Path("infra/grafana/dashboards/operations.json"), lambda _: board.rendered()),
    **{
        f"grafana-{name}": (Path(f"infra/grafana/dashboards/{name}.json"), _board_of(name))
        for name in grafana_boards.BOARDS
    },
    "dbt-project": (dbt_sources.FOLDER / "dbt_project.yml", lambda _: dbt_sources.project()),
    "dbt-profile": (dbt_sources.FOLDER / "profiles.yml", lambda _: dbt_sources.profile()),
    "dbt-sources": (dbt_sources.FOLDER / "models/touchline/sources.yml", lambda _: dbt_sources.sources()),
    "dbt-exposures": (dbt_sources.FOLDER / "models/touchline/exposures.yml", lambda _: dbt_sources.exposures()),
    "schema": (Path("infra/blueprints/blueprint.schema.json"), lambda _: blueprint_schema.rendered()),
    "metrics": (Path("docs/reference/metrics.md"), with_metrics),
    "retention": (Path("docs/reference/retention.md"), retention.with_table),
    "records": (Path("docs/how-to/import.md"), record_docs.with_records),
    "record-schema": (Path("docs/reference/records.schema.json"), lambda _: record_docs.schema()),
    "connectors": (Path("docs/reference/connectors.md"), connector_docs.with_tables),
    "cluster-sources": (Path("infra/docker/touchline.yaml"), cluster_sources.with_sources),
    "compose": (Path("docker-compose.yml"), cluster_sources.with_secrets),
    "superset-metadata": (superset_sets.FOLDER / "metadata.yaml", lambda _: superset_sets.metadata()),
    "superset-database": (superset_sets.FOLDER / "databases/Touchline.yaml", lambda _: superset_sets.database()),
    **{
        f"superset-{view}": (superset_sets.FOLDER / f"datasets/Touchline/{view}.yaml", _dataset_of(view))
        for view in (*superset_sets.TIMES, *superset_sets.TIMELESS)
    },
    **{
        f"superset-chart-{name}": (superset_sets.FOLDER / f"charts/{name}.yaml", _chart_of(name))
        for name in superset_charts.CHARTS
    },
    "superset-dashboard": (
        superset_sets.FOLDER / "dashboards/customer_journey.yaml",
        lambda _: superset_charts.dashboard(),
    ),
    **{f"connector-{name}": (Path(f"docs/reference/connectors/{name}.md"), _page_of(name)) for name in CONNECTORS},
}
ALL = "all"
GROUPS = ("superset", "grafana", "dbt")
"""Words that stand for everything of that name: `grafana` for `grafana-…`."""


def generate(what: str, *, check: bool, root: Path = ROOT) -> list[Path]:
    """Files that differed; they are written, unless `check`. `what` is one of GENERATED, of GROUPS, or `all`."""
    if what == ALL or what in GROUPS:
        chosen = [each for each in GENERATED if what == ALL or each.startswith(f"{what}-")]
        return [path for each in chosen for path in generate(each, check=check, root=root)]
    place, written = GENERATED[what]
    path = root / place
    there = path.read_text(encoding="utf-8") if path.exists() else ""
    wanted = written(there)
    if there == wanted:
        return []
    if not check:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted, encoding="utf-8")
    return [path]
