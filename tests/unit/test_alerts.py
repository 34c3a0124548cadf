"""Rules, routes and the operations dashboard: generated, in step with the catalogues, and shown to work."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from schemas.metrics import METRICS, MetricName
from services.alerting.prometheus.board import PANELS, dashboard
from services.alerting.prometheus.rules import RULES, Rule, metrics_of, rendered, unknown_metrics
from services.cli.generate.command import GENERATED, generate, with_metrics
from streams.runtime.metrics import Metrics
from tests.promtool import complaints

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
amtool = pytest.mark.skipif(shutil.which("amtool") is None, reason="amtool is not installed")


def run(*command: str | Path) -> tuple[int, str]:
    done = subprocess.run([str(part) for part in command], capture_output=True, check=False)
    return done.returncode, (done.stdout + done.stderr).decode()


@pytest.mark.parametrize("what", GENERATED)
def test_what_is_committed_is_what_the_code_writes(what: str, tmp_path: Path) -> None:
    assert generate(what, check=True) == []
    place = GENERATED[what][0]
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    parts = re.sub(r"((?:<!--|#) generated: [^\n]+\n)", r"\1stale\n", (ROOT / place).read_text())
    (tmp_path / place).write_text(parts if "stale\n" in parts else "stale")
    assert generate(what, check=True, root=tmp_path) == [tmp_path / place]
    assert "stale" in (tmp_path / place).read_text()
    assert generate(what, check=False, root=tmp_path) == [tmp_path / place]
    assert generate(what, check=True, root=tmp_path) == []


def test_the_pages_of_operators_know_every_alert_and_every_metric() -> None:
    page, metrics = (ROOT / f"docs/{name}.md" for name in ("how-to/troubleshooting", "reference/metrics"))
    said = page.read_text()
    assert [rule.name for rule in RULES if f"| {rule.name}" not in said and f", {rule.name}" not in said] == []
    assert [name for name in METRICS if f"`{name}`" not in metrics.read_text()] == []
    with pytest.raises(ValueError, match="needs the lines"):
        with_metrics("a page without markers")


def test_rules_name_only_metrics_of_the_catalogue() -> None:
    assert unknown_metrics() == set()
    slip = dataclasses.replace(RULES[0], expr="touchline_dead_letter_total > 0")
    assert unknown_metrics((slip,)) == {"touchline_dead_letter_total"}


def misread(rule: Rule) -> list[str]:
    """Labels a metric does not have, and counters whose raw value is compared."""
    found = []
    for metric in METRICS.values():
        for labels in re.findall(rf"{metric.name}{{([^}}]*)}}", rule.expr):
            names = set(re.findall(r"(\w+)\s*[=!]", labels))
            found += [f"{metric.name} has no label {name}" for name in names - set(metric.labels)]
    for labels, name in re.findall(r"sum by \(([^)]*)\) \((?:\w+\()?(touchline_\w+)", rule.expr):
        known = set(METRICS[name].labels)
        found += [f"{name} has no label {label}" for label in set(labels.split(", ")) - known]
    return found


def test_rules_use_labels_that_exist_and_tell_what_to_do() -> None:
    assert [line for rule in RULES for line in misread(rule)] == []
    assert misread(dataclasses.replace(RULES[0], expr="sum by (stag) (touchline_consumer_lag_records) > 0")) != []
    for rule in RULES:
        assert rule.summary and rule.remedy.endswith("."), rule.name
        labels = set(re.findall(r"\$labels\.(\w+)", rule.summary + rule.remedy))
        assert all(label in rule.expr or label == "service" for label in labels), rule.name
    assert max(Counter(rule.name for rule in RULES).values()) == 1


@promtool
def test_promtool_takes_the_rules_and_the_configuration(tmp_path: Path) -> None:
    assert run("promtool", "check", "rules", INFRA / "prometheus/rules/touchline.yml")[0] == 0
    assert run("promtool", "check", "config", "--syntax-only", INFRA / "prometheus/prometheus.yml")[0] == 0
    bad = tmp_path / "bad.yml"
    bad.write_text(rendered((dataclasses.replace(RULES[0], expr="up ==== 0"),)))
    assert run("promtool", "check", "rules", bad)[0] != 0


@promtool
def test_every_alert_fires_when_it_must_and_only_then() -> None:
    path = INFRA / "prometheus/tests/touchline.yml"
    code, said = run("promtool", "test", "rules", path)
    assert code == 0, said
    tests = [test["alert_rule_test"] for test in yaml.safe_load(path.read_text())["tests"]]
    assert {rule.name: _shown(rule.name, tests) for rule in RULES} == {
        rule.name: {"fires", "does not fire", "resolves"} for rule in RULES
    }


def _shown(name: str, tests: list[list[dict[str, Any]]]) -> set[str]:
    """What the tests of a rule show. It resolves where a later look at the same series finds it at rest."""
    found: set[str] = set()
    for cases in tests:
        looks = sorted(
            (_minutes(case["eval_time"]), bool(case.get("exp_alerts"))) for case in cases if case["alertname"] == name
        )
        fired = [at for at, is_firing in looks if is_firing]
        rested = [at for at, is_firing in looks if not is_firing]
        found |= {"fires"} if fired else set()
        found |= {"resolves"} if fired and any(at > max(fired) for at in rested) else set()
        found |= {"does not fire"} if rested and (not fired or min(rested) < min(fired)) else set()
    return found


def _minutes(text: str) -> float:
    return float(text.removesuffix("m")) if text.endswith("m") else float(text.removesuffix("h")) * 60


def test_a_rule_without_a_whole_test_is_found() -> None:
    """Known to be bad: none at all, one that never fires, one that is never seen to end."""
    rest, fire = {"alertname": "A", "eval_time": "1m"}, {"alertname": "A", "eval_time": "9m", "exp_alerts": [{}]}
    assert _shown("A", [[rest | {"alertname": "B"}]]) == set()
    assert _shown("A", [[rest]]) == {"does not fire"}
    assert _shown("A", [[rest, fire]]) == {"does not fire", "fires"}
    assert _shown("A", [[rest, fire, rest | {"eval_time": "1h"}]]) == {"does not fire", "fires", "resolves"}


#: Rule → how it would be broken without anybody noticing, were it not for the test above.
SPOILS: dict[str, tuple[str, str]] = {
    "TouchlineServiceDown": ('up{job="touchline"} == 0', "up == 0"),
    "TouchlineGatewayCannotAck": ("> 0.01", "> 0.9"),
    "TouchlineNothingStored": (" unless ", " and "),
    "TouchlineDependencyAway": ("[5m]", "[1h]"),
    "TouchlineDiskAlmostFull": ("536870912", "2147483648"),
    "TouchlineDiskLow": (" and predict_linear", " or predict_linear"),
    "TouchlineLagGrows": (" and deriv", " or deriv"),
    "TouchlineRefoldBacklog": (" and deriv", " or deriv"),
    "TouchlineTooManyParts": ("> 600", "> 6000"),
    "TouchlineExpiresSoon": ("1209600", "120960"),
    "TouchlineStageStalled": (" unless sum by (stage) (rate(touchline_stage_records_total[5m])) > 0", ""),
    "TouchlineDeadLetters": (" or ", " and "),
    "TouchlineSourceSetAside": ("max by", "min by"),
    "TouchlineParkedTooLong": (
        " or sum by (source) (touchline_parked_lost_total unless",
        " and sum by (source) (up unless",
    ),
    "TouchlineNobodyTold": (" or ", " and "),
    "TouchlineWatchdogExit": (" or ", " and "),
    "TouchlineRestartsLoop": ("> 3", "> 0"),
}


@promtool
@pytest.mark.parametrize("name", [rule.name for rule in RULES])
def test_a_spoiled_rule_is_found(name: str, tmp_path: Path) -> None:
    old, new = SPOILS[name]
    spoiled = tuple(
        dataclasses.replace(rule, expr=rule.expr.replace(old, new)) if rule.name == name else rule for rule in RULES
    )
    assert spoiled != RULES
    (tmp_path / "rules").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "rules/touchline.yml").write_text(rendered(spoiled))
    shutil.copy(INFRA / "prometheus/tests/touchline.yml", tmp_path / "tests")
    code, said = run("promtool", "test", "rules", tmp_path / "tests/touchline.yml")
    assert code != 0
    assert name in said


@promtool
def test_promtool_finds_nothing_in_the_metrics() -> None:
    """Names, help texts and types of the whole catalogue."""
    metrics = Metrics()
    use: dict[str, Any] = {"counter": metrics.inc, "gauge": metrics.set, "histogram": metrics.observe}
    for metric in METRICS.values():
        use[metric.kind](metric.name, 1.0, **dict.fromkeys(metric.labels, "x"))
    assert complaints(metrics.render()) == []
    assert complaints(b"# TYPE x_ms counter\nx_ms 1\n") != []


def test_prometheus_asks_every_service_where_it_listens() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    config = yaml.safe_load((INFRA / "prometheus/prometheus.yml").read_text())
    asked = {
        entry["labels"]["service"]: entry["targets"]
        for job in config["scrape_configs"]
        for entry in job["static_configs"]
    }
    serving = {name: entry for name, entry in compose.items() if name in asked}
    assert asked.keys() == {
        name for name, entry in compose.items() if entry["image"].startswith("touchline:") and "healthcheck" in entry
    }
    for name, entry in serving.items():
        assert asked[name] == [f"{name}:{entry['healthcheck']['test'][-1]}"]
    assert config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] == ["alertmanager:9093"]


@amtool
@pytest.mark.parametrize(("severity", "receiver"), [("page", "on-call"), ("ticket", "team"), ("other", "seen")])
def test_alerts_reach_who_must_act(severity: str, receiver: str) -> None:
    path = INFRA / "alertmanager/alertmanager.yml"
    assert run("amtool", "check-config", path)[0] == 0
    code, said = run(
        "amtool", "config", "routes", "test", f"--config.file={path}", f"severity={severity}", "stage=sink"
    )
    assert (code, said.splitlines()[0]) == (0, receiver)


def test_the_dashboard_is_sound() -> None:
    board = dashboard()
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(PANELS)
    provisioned = yaml.safe_load((INFRA / "grafana/provisioning/datasources/touchline.yml").read_text())["datasources"]
    known = {(source["type"], source["uid"]) for source in provisioned}
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        assert (panel["datasource"]["type"], panel["datasource"]["uid"]) in known
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not taken & cells
        taken |= cells
    assert json.loads(json.dumps(board)) == board


def test_the_dashboard_asks_for_metrics_that_exist() -> None:
    asked = {name for panel in PANELS if panel.source == "prometheus" for name in metrics_of(panel.query)}
    assert asked <= METRICS.keys()
    missing: set[MetricName] = {"touchline_consumer_lag_records", "touchline_dead_letters_total"}
    assert missing <= asked


@promtool
def test_the_dashboards_prometheus_queries_can_be_parsed(tmp_path: Path) -> None:
    rules = tuple(
        dataclasses.replace(RULES[0], name=f"Panel{number}", expr=panel.query)
        for number, panel in enumerate(PANELS)
        if panel.source == "prometheus"
    )
    path = tmp_path / "panels.yml"
    path.write_text(rendered(rules))
    code, said = run("promtool", "check", "rules", path)
    assert code == 0, said
