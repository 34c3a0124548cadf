"""docker-compose.yml and what it mounts agree with the code; each check is shown to fail on a spoiled copy."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from schemas.config import Config, SecretRef
from schemas.processes import METRICS_PORT, PROCESSES
from schemas.topics import TOPICS
from services.cli.commands.cluster_secrets import NAMES, PASSWORDS, write_secrets
from services.common.config import load_config
from services.common.overlays import env_names
from streams.runtime.kafka import INSTANCE_ENV
from streams.runtime.metrics_server import OPS_PORT_ENV
from streams.runtime.topics_admin import partitions_of, settings_of

ROOT = Path(__file__).parents[2]
#: Ours that a container is made for: the stores of a cluster are programs of their own.
SERVICES = {process.name: process for process in PROCESSES if process.role != "store"}
JOBS = {name for name, process in SERVICES.items() if process.role == "job"}
#: Names that are no settings: where to look, and who one is.
OTHER_ENV = {"TOUCHLINE_CONFIG", OPS_PORT_ENV, INSTANCE_ENV}
PORTS = {name: process.port for name, process in SERVICES.items() if process.port} | {"grafana": 3000}
SECRETS_OF = {
    **{name: {"clickhouse_internal"} for name, process in SERVICES.items() if process.asks_clickhouse},
    **dict.fromkeys(("attribute", "sink"), {"clickhouse_internal", "erasures"}),
    "dashboard": {"clickhouse_internal", "dashboard_token", "source_operators"},
    "gateway": {"source_web", "source_product", "source_crm", "source_support", "source_operators"},
    "clickhouse": {PASSWORDS},
    "prometheus": {"dashboard_token"},
    "grafana": {"grafana_admin", "clickhouse_reader"},
}

Compose = dict[str, Any]


@pytest.fixture(scope="module")
def compose() -> Compose:
    return dict(yaml.safe_load((ROOT / "docker-compose.yml").read_text()))


@pytest.fixture(scope="module")
def config() -> Config:
    return load_config(ROOT / "infra/docker/touchline.yaml", env={})


def ours(compose: Compose) -> dict[str, Any]:
    return {name: entry for name, entry in compose["services"].items() if entry["image"].startswith("touchline:")}


def images(compose: Compose) -> Iterator[str]:
    """A tag says one version, down to the patch."""
    for name, entry in compose["services"].items():
        if not re.fullmatch(r"[a-z/-]+:v?\d+\.\d+\.\d+(\.\d+)?(-[a-z]+)?", entry["image"]):
            yield f"{name}: {entry['image']} is not pinned"


def confinement(compose: Compose) -> Iterator[str]:
    """Not root, nothing to write to, no capabilities, no way to get any."""
    for name, entry in compose["services"].items():
        if not re.fullmatch(r"[1-9]\d*:\d+", entry.get("user", "")):
            yield f"{name}: runs as root"
        if entry.get("read_only") is not True or entry.get("cap_drop") != ["ALL"] or entry.get("cap_add"):
            yield f"{name}: is not confined"
        if entry.get("security_opt") != ["no-new-privileges:true"] or entry.get("privileged"):
            yield f"{name}: may gain privileges"
        if entry.get("restart") != (SERVICES[name].restart if name in SERVICES else "unless-stopped"):
            yield f"{name}: has no restart policy"


def commands(compose: Compose) -> Iterator[str]:
    """Each service of ours is run once, by `touchline run`."""
    found = {name: entry["command"] for name, entry in ours(compose).items()}
    for name, command in found.items():
        if command != ["run", name] or name not in SERVICES:
            yield f"{name}: {command} is no service"
    yield from (f"{name}: is missing" for name in SERVICES.keys() - found.keys())


def environment(compose: Compose) -> Iterator[str]:
    """Every TOUCHLINE_ name exists, and workers are told apart."""
    for name, entry in ours(compose).items():
        given = entry["environment"]
        yield from (f"{name}: {key} is no setting" for key in given.keys() - env_names().keys() - OTHER_ENV)
        if given.get(OPS_PORT_ENV) != str(METRICS_PORT) or INSTANCE_ENV not in given:
            yield f"{name}: does not say where its health is, or who it is"
        if name not in JOBS and not entry.get("container_name"):
            yield f"{name}: could be scaled to two of one name"
        if f"{given.get('TOUCHLINE_CONFIG')}:ro" not in " ".join(entry["volumes"]):
            yield f"{name}: its configuration is not mounted"


def health(compose: Compose) -> Iterator[str]:
    """Who serves has a check, on the port where /healthz is; who waits, waits for health or for the end of a job."""
    for name, entry in compose["services"].items():
        test = entry.get("healthcheck", {}).get("test", [])
        if name not in JOBS and not test:
            yield f"{name}: has no health check"
        if name in SERVICES.keys() - JOBS:
            port = str(SERVICES[name].health_port)
            if test != ["CMD", "python", "-m", "services.cli.healthcheck", port]:
                yield f"{name}: {test} does not ask /healthz"
        for other, how in entry.get("depends_on", {}).items():
            wanted = "service_completed_successfully" if other in JOBS else "service_healthy"
            if how["condition"] != wanted or other not in compose["services"]:
                yield f"{name}: {other} must be {wanted}"


def published(compose: Compose) -> Iterator[str]:
    """Only the edge has ports, on loopback unless told otherwise; the rest is on a network without a way out."""
    for name, entry in compose["services"].items():
        ports = [f"${{TOUCHLINE_BIND:-127.0.0.1}}:{PORTS[name]}:{PORTS[name]}"] if name in PORTS else []
        if entry.get("ports", []) != ports:
            yield f"{name}: publishes {entry.get('ports')}"
        if "outer" in entry["networks"] and name not in {*PORTS, "alertmanager", "alerts"}:
            yield f"{name}: has a way out"
    if compose["networks"]["inner"] != {"internal": True}:
        yield "inner: has a way out"


def secrecy(compose: Compose) -> Iterator[str]:
    """Each container gets its own secrets only, from files that `touchline secrets` writes; none stands in the file."""
    for name, entry in compose["services"].items():
        got = {item if isinstance(item, str) else item["source"] for item in entry.get("secrets", [])}
        if got != SECRETS_OF.get(name, set()):
            yield f"{name}: gets {sorted(got)}"
        for key in entry.get("environment", {}):
            if re.search("PASSWORD|TOKEN|SECRET", key) and not key.endswith("_FILE"):
                yield f"{name}: {key} holds a secret"
    wanted = {name: {"file": f".secrets/{name}.txt"} for name in (*NAMES, PASSWORDS)}
    if compose["secrets"] != wanted:
        yield "secrets are not those that `touchline secrets` writes"


def mounts(compose: Compose) -> Iterator[str]:
    """What is mounted from here exists and is read-only; every named volume is declared and used."""
    used = set()
    for name, entry in compose["services"].items():
        for source, target, *mode in (volume.split(":") for volume in entry.get("volumes", [])):
            if source.startswith("."):
                if mode != ["ro"] or not (ROOT / source).exists():
                    yield f"{name}: {source} at {target} must exist and be read-only"
            else:
                used.add(source)
    yield from (f"{volume}: is not both declared and used" for volume in used ^ compose["volumes"].keys())


def cluster(compose: Compose) -> Iterator[str]:
    """Three brokers which are those of the properties and of the configuration."""
    brokers = {name: entry for name, entry in compose["services"].items() if name.startswith("kafka-")}
    text = (ROOT / "infra/kafka/cluster/server.properties").read_text()
    voters = {f"{entry['environment']['KAFKA_NODE_ID']}@{entry['hostname']}:9093" for entry in brokers.values()}
    if voters != set(properties(text)["controller.quorum.voters"].split(",")):
        yield f"the voters are {sorted(voters)}"
    if len({entry["environment"]["KAFKA_CLUSTER_ID"] for entry in brokers.values()}) != 1 or len(brokers) != 3:
        yield "the brokers are not one cluster of three"
    if {f"{name}:9092" for name in brokers} != set(load_config(ROOT / "infra/docker/touchline.yaml").kafka.bootstrap):
        yield "the services look for other brokers"
    if any(f"{name}:/var/lib/kafka/data" not in entry["volumes"] for name, entry in brokers.items()):
        yield "a broker has no volume of its own"


def properties(text: str) -> dict[str, str]:
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines)


def set_in(service: str, key: str, value: Any) -> Callable[[Compose], None]:
    return lambda compose: compose["services"][service].__setitem__(key, value)


Check = Callable[[Compose], Iterator[str]]
#: Check → what it must catch.
KNOWN_BAD: dict[Check, list[Callable[[Compose], None]]] = {
    images: [set_in("grafana", "image", "grafana/grafana:latest"), set_in("prometheus", "image", "prom/prometheus")],
    confinement: [
        set_in("sink", "user", "0:0"),
        set_in("kafka-1", "read_only", False),
        set_in("clickhouse", "cap_drop", []),
        set_in("gateway", "security_opt", []),
        set_in("journey", "restart", "no"),
    ],
    commands: [
        set_in("sink", "command", ["run", "skin"]),
        lambda compose: compose["services"].pop("attribute"),
    ],
    environment: [
        lambda compose: compose["services"]["sink"]["environment"].update({"TOUCHLINE_KAFKA_BOOTSTRAPS": "x"}),
        lambda compose: compose["services"]["sink"]["environment"].pop(OPS_PORT_ENV),
        lambda compose: compose["services"]["journey"].pop("container_name"),
        set_in("attribute", "volumes", []),
    ],
    health: [
        lambda compose: compose["services"]["prometheus"].pop("healthcheck"),
        set_in("dashboard", "healthcheck", {"test": ["CMD", "python", "-m", "services.cli.healthcheck", "9100"]}),
        set_in("sink", "depends_on", {"topics": {"condition": "service_started"}}),
    ],
    published: [
        set_in("clickhouse", "ports", ["8123:8123"]),
        set_in("gateway", "ports", ["8080:8080"]),
        set_in("journey", "networks", ["inner", "outer"]),
        lambda compose: compose["networks"].update(inner={}),
    ],
    secrecy: [
        set_in("attribute", "secrets", ["clickhouse_internal"]),
        lambda compose: compose["services"]["grafana"]["environment"].update(GF_SECURITY_ADMIN_PASSWORD="x"),
        lambda compose: compose["secrets"].pop("source_web"),
    ],
    mounts: [
        set_in("gateway", "volumes", ["./infra/docker/nothing.yaml:/etc/touchline/touchline.yaml:ro"]),
        set_in("gateway", "volumes", ["./infra/docker/touchline.yaml:/etc/touchline/touchline.yaml"]),
        lambda compose: compose["volumes"].pop("clickhouse"),
    ],
    cluster: [
        lambda compose: compose["services"].pop("kafka-3"),
        lambda compose: compose["services"]["kafka-2"]["environment"].update(KAFKA_NODE_ID="1"),
    ],
}


@pytest.mark.parametrize("check", KNOWN_BAD, ids=lambda check: check.__name__)
def test_compose(compose: Compose, check: Check) -> None:
    assert list(check(compose)) == []


@pytest.mark.parametrize(
    ("check", "spoil"), [(check, spoil) for check, spoils in KNOWN_BAD.items() for spoil in spoils]
)
def test_the_check_can_fail(compose: Compose, check: Check, spoil: Callable[[Compose], object]) -> None:
    spoiled = copy.deepcopy(compose)
    spoil(spoiled)
    assert list(check(spoiled)) != []


def test_ports_and_addresses_are_those_of_the_configuration(compose: Compose, config: Config) -> None:
    assert {"gateway": config.gateway.port, "dashboard": config.dashboard.port}.items() <= PORTS.items()
    assert config.metrics_host == config.gateway.host == config.dashboard.host == "0.0.0.0"
    assert config.clickhouse.url.split("//")[1].split(":")[0] in compose["services"]
    assert config.log_format == "json"


def test_prometheus_asks_every_service_where_its_metrics_are() -> None:
    jobs = yaml.safe_load((ROOT / "infra/prometheus/prometheus.yml").read_text())["scrape_configs"]
    asked = [
        (entry["labels"]["service"], target)
        for job in jobs
        if job["job_name"].startswith("touchline")
        for entry in job["static_configs"]
        for target in entry["targets"]
    ]
    assert asked == [(name, f"{name}:{one.health_port}") for name, one in SERVICES.items() if name not in JOBS]


def test_every_secret_of_the_configuration_is_mounted_where_it_is_read(compose: Compose, config: Config) -> None:
    refs = {
        "dashboard": [config.dashboard.token, config.clickhouse.password],
        "sink": [config.clickhouse.password, config.privacy.key],
    }
    refs["gateway"] = [ref for source in config.sources for ref in source.secrets]
    refs["dashboard"] += [ref for source in config.sources for ref in source.secrets if source.vendor == "touchline"]
    for service, wanted in refs.items():
        files = {f"/run/secrets/{name}" for name in SECRETS_OF[service]}
        assert {ref.file for ref in wanted if isinstance(ref, SecretRef)} == files


def test_topics_survive_one_broker(compose: Compose, config: Config) -> None:
    brokers = [name for name in compose["services"] if name.startswith("kafka-")]
    assert (len(brokers), config.kafka.replication, config.kafka.min_insync) == (3, 3, 2)
    server = properties((ROOT / "infra/kafka/cluster/server.properties").read_text())
    assert server["default.replication.factor"] == server["offsets.topic.replication.factor"] == "3"
    assert server["min.insync.replicas"] == "2"
    assert server["auto.create.topics.enable"] == "false"
    for topic in TOPICS.values():
        assert settings_of(topic, config.kafka)["min.insync.replicas"] == "2"
        assert partitions_of(topic, config.kafka) == (1 if topic.single else 12)


def test_the_image_is_not_root_pinned_and_without_the_embedded_extra() -> None:
    text = (ROOT / "infra/docker/Dockerfile").read_text()
    assert re.findall(r"^FROM (\S+)", text, re.M) == ["python:3.11.13-slim-bookworm"] * 2
    assert re.search(r"^USER 10001:10001$", text, re.M)
    assert "uv sync --frozen --no-dev" in text
    assert "extra" not in text.replace("No extra", "")
    assert not re.search(r"^(ARG|ENV).*(PASSWORD|TOKEN|SECRET|KEY)", text, re.M)
    copied = {source for line in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.M) for source in line.split()}
    ignore = (ROOT / "infra/docker/Dockerfile.dockerignore").read_text().split()
    assert {f"!{source}" for source in copied} == {line for line in ignore if line.startswith("!")}
    assert all((ROOT / source).exists() for source in copied if source != "README.md")


def test_secrets_are_fresh_kept_and_hashed_for_clickhouse(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    wrote = write_secrets(folder)
    assert {path.name for path in wrote} == {f"{name}.txt" for name in (*NAMES, PASSWORDS)}
    assert len({path.read_text() for path in wrote}) == len(wrote)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in wrote} == {0o644}
    hashes = (folder / f"{PASSWORDS}.txt").read_text()
    assert (folder / "clickhouse_internal.txt").read_text().strip() not in hashes
    assert write_secrets(folder) == []
    (folder / "clickhouse_reader.txt").write_text("rotated\n")
    assert [path.name for path in write_secrets(folder)] == [f"{PASSWORDS}.txt"]
    assert (folder / f"{PASSWORDS}.txt").read_text() != hashes


def test_secrets_stay_out_of_git_and_out_of_what_is_packed() -> None:
    assert (ROOT / ".secrets/.gitignore").read_text().splitlines()[-2:] == ["*", "!.gitignore"]
    packed = (ROOT / "pyproject.toml").read_text().split("[tool.hatch.build.targets.wheel")[1:]
    assert all(".secrets" not in part.split("\n\n")[0] for part in packed)


def test_clickhouse_has_two_users_and_both_get_a_password(tmp_path: Path) -> None:
    write_secrets(tmp_path)
    users = ElementTree.parse(ROOT / "infra/clickhouse/server/users.xml").getroot().find("users")
    hashes = ElementTree.fromstring((tmp_path / f"{PASSWORDS}.txt").read_text()).find("users")
    assert users is not None
    assert hashes is not None
    assert {user.tag for user in users if user.get("remove") is None} == {user.tag for user in hashes}
    assert [user.tag for user in users if user.get("remove")] == ["default"]
    assert all(len(user.findtext("password_sha256_hex", "")) == 64 for user in hashes)
