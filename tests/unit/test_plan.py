"""What `touchline up` would start."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from schemas.config import Config, DashboardConfig, SqlConfig
from schemas.errors import ConfigurationError
from schemas.processes import PROCESSES
from services.cli import service
from services.common.config import load_config
from services.embedded.clickhouse.main import arguments as warehouse_settings
from services.embedded.kafka.ports import pick_free
from services.supervisor.folder import DataFolder
from services.supervisor.main import UpOptions, prepare
from services.supervisor.plan import Site, addresses, instance, plan, service_env
from services.supervisor.spec import EDGE, STORES, checked

SITE = Site(
    data_dir=Path("/data"),
    config_path=Path("/data/touchline.yaml"),
    status_file=Path("/data/status.json"),
    kafka_port=1,
    clickhouse_port=2,
    gateway_port=3,
    dashboard_port=4,
    embedded_kafka=True,
    embedded_clickhouse=True,
)
EXTERNAL = replace(SITE, embedded_kafka=False, embedded_clickhouse=False)


@pytest.mark.parametrize("site", [SITE, EXTERNAL])
def test_everything_known_is_started_in_an_order_that_works(site: Site) -> None:
    specs = checked(plan(site, Config()))
    known = {process.name for process in PROCESSES if site is SITE or process.role != "store"}
    assert {spec.name for spec in specs} == known
    assert specs[0].name == "dashboard"


def test_the_embedded_clickhouse_is_told_who_may_call_it() -> None:
    told = SqlConfig(allowed_hosts=("map.example",), reader_threads=2)
    spec = next(spec for spec in plan(SITE, Config(sql=told)) if spec.name == "clickhouse")
    assert warehouse_settings(spec.argv[spec.argv.index("--data") :]).sql == told


def test_intake_stops_first_and_stores_last() -> None:
    waves = {spec.name: spec.stop_wave for spec in plan(SITE, Config())}
    for role, wave in (("edge", EDGE), ("store", STORES)):
        members = {process.name for process in PROCESSES if process.role == role}
        assert {name for name, when in waves.items() if when == wave} == members


def test_a_process_can_be_run_by_its_name() -> None:
    roles = {process.name: process.role for process in PROCESSES}
    assert {name for name, role in roles.items() if role == "store"} == set(service.STORES)
    assert {name for name, role in roles.items() if role != "store"} == set(service.SERVICES)


def test_no_secret_is_on_a_command_line_or_in_the_environment() -> None:
    assert service_env(SITE, Config())["TOUCHLINE_CLICKHOUSE_PASSWORD_FILE"] == "/data/secrets/clickhouse"
    assert not any("PASSWORD" in name and not name.endswith("_FILE") for name in service_env(SITE, Config()))


def test_services_understand_what_they_are_told() -> None:
    config = load_config(None, env=service_env(SITE, Config()))
    assert (config.kafka.bootstrap, config.clickhouse.url) == (("127.0.0.1:1",), "http://127.0.0.1:2")
    assert (config.gateway.port, config.dashboard.port, config.clickhouse.user) == (3, 4, "internal")


def test_an_existing_cluster_is_passed_on_untouched() -> None:
    config = load_config(
        None, env={"TOUCHLINE_KAFKA_BOOTSTRAP": "a:1,b:2", "TOUCHLINE_CLICKHOUSE_URL": "http://ch:8123"}
    )
    env = service_env(EXTERNAL, config)
    assert env["TOUCHLINE_KAFKA_BOOTSTRAP"] == "a:1,b:2"
    assert "TOUCHLINE_CLICKHOUSE_PASSWORD_FILE" not in env
    assert addresses(EXTERNAL, config)["sql_url"] == "http://ch:8123"


def test_addresses_can_be_opened_even_where_all_interfaces_are_listened_on() -> None:
    config = Config(dashboard=DashboardConfig(host="0.0.0.0"))
    assert addresses(SITE, config)["dashboard_url"] == "http://127.0.0.1:4"


def test_each_folder_is_its_own_instance_and_stays_it() -> None:
    assert instance(Path("/a")) == instance(Path("/a")) != instance(Path("/b"))


def test_the_first_start_writes_a_configuration_and_the_next_keeps_ports(tmp_path: Path) -> None:
    options = UpOptions(data_dir=tmp_path, gateway_port=0, dashboard_port=0)
    _, first = prepare(options, DataFolder(tmp_path), print)
    assert first.embedded_kafka
    assert first.token_file.stat().st_mode & 0o777 == 0o600
    assert prepare(options, DataFolder(tmp_path), print)[1] == first


def test_flags_replace_the_embedded_stores(tmp_path: Path) -> None:
    options = UpOptions(
        data_dir=tmp_path, gateway_port=0, dashboard_port=0, kafka="k:9092", clickhouse="http://ch:8123"
    )
    config, site = prepare(options, DataFolder(tmp_path), print)
    assert (site.embedded_kafka, site.embedded_clickhouse) == (False, False)
    assert config.kafka.bootstrap == ("k:9092",)
    assert not site.token_file.exists()


def test_a_named_configuration_is_written_when_missing_and_never_overwritten(tmp_path: Path) -> None:
    named, said = tmp_path / "elsewhere" / "mine.yaml", list[str]()
    config, _ = prepare(
        UpOptions(data_dir=tmp_path, config_path=named, gateway_port=0, dashboard_port=0),
        DataFolder(tmp_path),
        said.append,
    )
    assert named.exists() and str(named) in said[0] and len(config.sources) == 5
    before = named.read_text()
    prepare(
        UpOptions(data_dir=tmp_path, config_path=named, gateway_port=0, dashboard_port=0),
        DataFolder(tmp_path),
        said.append,
    )
    assert named.read_text() == before and len(said) == 1


def test_secrets_are_looked_at_before_anything_starts(tmp_path: Path) -> None:
    options = UpOptions(data_dir=tmp_path, gateway_port=0, dashboard_port=0)
    prepare(options, DataFolder(tmp_path), print)
    secrets = tmp_path / "secrets"
    (secrets / "web").unlink()
    (secrets / "support").write_text("\n")
    (secrets / "operators").write_text((secrets / "product").read_text())
    with pytest.raises(ConfigurationError) as refused:
        prepare(options, DataFolder(tmp_path), print)
    missing, empty, shared = str(refused.value).splitlines()
    assert f"{tmp_path}/touchline.yaml:29:15: sources.web.secrets: secret file" in missing
    assert "sources.support.secrets: " in empty and "is empty" in empty
    assert "sources.operators.secrets: the same write key as source `product`" in shared


def test_two_that_want_one_port_are_refused(tmp_path: Path) -> None:
    port = pick_free()
    options = UpOptions(data_dir=tmp_path, gateway_port=port, dashboard_port=port)
    with pytest.raises(ConfigurationError, match=f"gateway and dashboard cannot both have port {port}"):
        prepare(options, DataFolder(tmp_path), print)


def test_every_service_keeps_its_memory_together_unless_who_starts_it_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def told() -> set[str | None]:
        services = [spec for spec in plan(EXTERNAL, Config()) if "services.cli.service" in spec.argv]
        return {spec.env.get("MALLOC_ARENA_MAX") for spec in services}

    monkeypatch.delenv("MALLOC_ARENA_MAX", raising=False)
    assert told() == {"1"}
    monkeypatch.setenv("MALLOC_ARENA_MAX", "4")
    assert told() == {"4"}
