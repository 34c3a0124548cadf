"""Configuration: every refusal names its place, its field and a way out; secrets stay hidden."""

from __future__ import annotations

import logging
import stat
from pathlib import Path

import pytest

from schemas.config import Config, SecretRef
from schemas.errors import ConfigurationError
from services.common.config import load_config
from services.common.first_config import fresh_sources, write_fresh
from services.common.overlays import env_names
from services.common.secrets import ensure_secret_file, read_secret
from services.common.sockets import listen


def load(tmp_path: Path, text: str, env: dict[str, str] | None = None) -> Config:
    path = tmp_path / "touchline.yaml"
    path.write_text(text)
    return load_config(path, env=env or {})


SOURCE = "sources:\n  - name: web\n    vendor: segment\n    secrets: [{env: KEY}]\n"

REFUSED = {
    "unknown section": ("gatway:\n  port: 1\n", ":1:1: gatway: unknown key; did you mean `gateway`?"),
    "unknown key": ("gateway:\n  prot: 1\n", ":2:3: gateway.prot: unknown key; did you mean `port`?"),
    "unknown key in a list": (
        SOURCE + "  - name: b\n    vendr: x\n    secrets: [{env: K}]\n",
        ":6:5: sources.1.vendr: unknown key; did you mean `vendor`?",
    ),
    "missing key": (
        SOURCE + "  - vendor: x\n    secrets: [{env: K}]\n",
        ":5:5: sources.1.name: is missing (unique name",
    ),
    "unknown key in a secret": (
        "dashboard:\n  token: {fil: x}\n",
        ":2:11: dashboard.token.fil: unknown key; did you mean `file`?",
    ),
    "out of range": (
        "gateway:\n  host: localhost\n  port: 99999\n",
        ":3:3: gateway.port: input should be less than or equal to 65535, got 99999 (port to listen on",
    ),
    "wrong type": ("kafka:\n  partitions: many\n", ":2:3: kafka.partitions: input should be a valid integer"),
    "long value is cut": (f"gateway:\n  port: {'x' * 500}\n", "xxx… (port to listen on"),
    "pattern": ("kafka:\n  topic_prefix: A B\n", ":2:3: kafka.topic_prefix: string should match pattern"),
    "cross check in the model": (
        "kafka:\n  replication: 1\n  min_insync: 2\n",
        ":1:1: kafka: `min_insync` must not exceed `replication`",
    ),
    "two sources of one name": (
        SOURCE + SOURCE.split("\n", 1)[1],
        ":5:5: sources.1.name: two sources are called `web`",
    ),
    "both places of a secret": (
        "dashboard:\n  token: {file: a, env: b}\n",
        ":2:3: dashboard.token: give exactly one of `file` and `env`",
    ),
    "key given twice": ("gateway:\n  port: 1\n  port: 2\n", ":3:3: gateway.port: given twice, first at "),
    "broken YAML": ("gateway:\n  port: [1\nkafka: 2\n", ":3:6: not valid YAML:"),
    "not a mapping": ("- 1\n- 2\n", ":1:1: expected a mapping"),
    "section of the wrong shape": ("gateway: 8080\n", ":1:1: gateway: input should be a valid dictionary"),
    "dashboard open to the world": (
        "dashboard:\n  host: 0.0.0.0\n",
        ":2:3: dashboard.host: `0.0.0.0` can be reached from other machines; set dashboard.token",
    ),
    "dashboard on a public name": ("dashboard: {host: map.example.com}\n", "can be reached from other machines"),
    "vendor without a connector": (
        SOURCE.replace("segment", "segmnt"),
        ":3:5: sources.0.vendor: no connector for 'segmnt'; did you mean `segment`?",
    ),
    "no URL": ("clickhouse: {url: 'localhost:8123'}\n", ":1:14: clickhouse.url: expected http(s)://HOST:PORT"),
    "URL with an impossible port": ("clickhouse: {url: 'http://h:x'}\n", "clickhouse.url: not a URL"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals_name_place_field_and_fix(case: str, tmp_path: Path) -> None:
    text, expected = REFUSED[case]
    with pytest.raises(ConfigurationError) as refused:
        load(tmp_path, text)
    message = str(refused.value)
    assert expected in message
    assert message.startswith(str(tmp_path))


def test_all_complaints_come_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load(tmp_path, "gateway: {port: -1}\nkafka: {partitions: 0}\nlog_format: xml\n")
    assert len(str(refused.value).splitlines()) == 3


@pytest.mark.parametrize(
    "text",
    [
        "sources:\n  - name: web\n    vendor: segment\n    secrets: [s3cr3t]\n",
        "sources:\n  - name: web\n    vendor: segment\n    secrets: s3cr3t\n",
        "dashboard: {token: s3cr3t}\n",
        "clickhouse: {password: s3cr3t}\n",
        "clickhouse: {url: 'http://internal:s3cr3t@127.0.0.1:8123'}\n",
    ],
)
def test_a_secret_in_the_wrong_place_is_not_repeated(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load(tmp_path, text)
    assert "s3cr3t" not in str(refused.value)


def test_missing_and_unreadable_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such file"):
        load_config(tmp_path / "absent.yaml", env={})
    (tmp_path / "latin.yaml").write_bytes(b"log_format: \xff")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_config(tmp_path / "latin.yaml", env={})


def test_an_empty_file_is_all_defaults(tmp_path: Path) -> None:
    assert load(tmp_path, "# nothing\n") == Config() == load_config(None, env={})


def test_flag_beats_environment_beats_file_beats_default(tmp_path: Path) -> None:
    path = tmp_path / "touchline.yaml"
    path.write_text("gateway: {port: 1, host: localhost}\nkafka: {partitions: 2}\n")
    env = {"TOUCHLINE_GATEWAY_PORT": "2", "TOUCHLINE_KAFKA_BOOTSTRAP": "a:1, b:2", "TOUCHLINE_LOG_FORMAT": "json"}
    config = load_config(path, env=env, flags={("gateway", "port"): 3, ("dashboard", "port"): None})
    assert (config.gateway.port, config.gateway.host, config.dashboard.port) == (3, "localhost", 8090)
    assert (config.kafka.bootstrap, config.kafka.partitions, config.log_format) == (("a:1", "b:2"), 2, "json")
    assert load_config(path, env=env).gateway.port == 2


def test_complaints_name_the_variable_or_flag() -> None:
    with pytest.raises(ConfigurationError, match=r"^environment TOUCHLINE_GATEWAY_PORT: gateway.port: .* got 'x'"):
        load_config(None, env={"TOUCHLINE_GATEWAY_PORT": "x"})
    with pytest.raises(ConfigurationError, match=r"^flag for gateway.port: gateway.port: "):
        load_config(None, env={}, flags={("gateway", "port"): 70_000})


def test_a_secret_may_come_by_environment_or_by_file() -> None:
    env = {"TOUCHLINE_DASHBOARD_TOKEN": "t", "TOUCHLINE_CLICKHOUSE_PASSWORD_FILE": "/p"}
    config = load_config(None, env=env)
    assert config.dashboard.token == SecretRef(file=None, env="TOUCHLINE_DASHBOARD_TOKEN")
    assert config.clickhouse.password == SecretRef(file="/p", env=None)
    assert config.dashboard.token is not None
    assert read_secret(config.dashboard.token, env) == b"t"


def test_environment_names_are_unique_and_cover_every_section() -> None:
    names = env_names()
    assert len({(place, name.endswith("_FILE")) for name, (place, _) in names.items()}) == len(names)
    assert {"TOUCHLINE_METRICS_HOST", "TOUCHLINE_CLICKHOUSE_URL", "TOUCHLINE_JOURNEY_BLUEPRINT"} <= names.keys()
    assert "TOUCHLINE_SOURCES" not in names


def test_a_slip_in_an_environment_name_is_said(caplog: pytest.LogCaptureFixture) -> None:
    load_config(None, env={"TOUCHLINE_KAFKA_BOOTSTRP": "x", "TOUCHLINE_GATEWAY_SERVICE_HOST": "10.0.0.1"})
    assert [r.message for r in caplog.records] == [
        "environment TOUCHLINE_KAFKA_BOOTSTRP is no setting; did you mean TOUCHLINE_KAFKA_BOOTSTRAP?"
    ]


def test_relative_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    config = load(tmp_path, "journey: {blueprint: b.yaml}\ndashboard: {token: {file: secrets/t}}\n")
    assert config.journey.blueprint == str(tmp_path / "b.yaml")
    assert config.dashboard.token == SecretRef(file=str(tmp_path / "secrets/t"), env=None)


def test_secrets_are_read_without_the_newline_and_never_empty(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "secret"
    path.write_text("value\r\n")
    path.chmod(0o600)
    assert read_secret(SecretRef(file=str(path), env=None)) == b"value"
    assert caplog.records == []
    path.chmod(0o644)
    assert read_secret(SecretRef(file=str(path), env=None)) == b"value"
    assert [r.levelno for r in caplog.records] == [logging.WARNING]
    path.write_text("\n")
    with pytest.raises(ConfigurationError, match="is empty"):
        read_secret(SecretRef(file=str(path), env=None))
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_secret(SecretRef(file=str(tmp_path / "absent"), env=None))
    with pytest.raises(ConfigurationError, match="NOT_SET holds a secret"):
        read_secret(SecretRef(file=None, env="NOT_SET"), env={})


def test_the_first_configuration_works_and_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "touchline.yaml"
    assert write_fresh(path, tmp_path)
    config = load_config(path, env={})
    assert [(s.name, s.vendor) for s in config.sources] == [(name, vendor) for name, vendor, *_ in fresh_sources()]
    values = {read_secret(source.secrets[0]) for source in config.sources}
    assert len(values) == len(fresh_sources())
    assert all(len(value) >= 32 for value in values)
    assert all(value.decode() not in path.read_text() for value in values)
    modes = {stat.S_IMODE((tmp_path / "secrets" / source.name).stat().st_mode) for source in config.sources}
    assert modes == {0o600}
    path.write_text("gateway: {port: 1}\n")
    assert not write_fresh(path, tmp_path)
    assert path.read_text() == "gateway: {port: 1}\n"


def test_fresh_secrets_outside_the_configurations_folder_are_named_in_full(tmp_path: Path) -> None:
    path = tmp_path / "etc" / "touchline.yaml"
    write_fresh(path, tmp_path / "data")
    assert load_config(path, env={}).sources[0].secrets[0].file == str(tmp_path / "data" / "secrets" / "web")


def test_a_secret_file_is_made_once(tmp_path: Path) -> None:
    first = ensure_secret_file(tmp_path / "s" / "x").read_text()
    assert ensure_secret_file(tmp_path / "s" / "x").read_text() == first


def test_a_host_that_does_not_exist_is_refused_where_a_taken_port_may_pass() -> None:
    with pytest.raises(ConfigurationError, match="gateway.host: no machine is called `no such host`"):
        listen("no such host", 0, "gateway.host")
    with listen("127.0.0.1", 0, "gateway.host") as taken, pytest.raises(OSError, match="in use"):
        listen("127.0.0.1", taken.getsockname()[1], "gateway.host")


def test_a_first_configuration_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="cannot be written"):
        write_fresh(tmp_path / "file" / "touchline.yaml", tmp_path / "data")
