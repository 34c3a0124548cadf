from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from services.embedded.kafka.properties import server_properties
from services.embedded.kafka.settings import BrokerSettings


def _parsed(text: str) -> dict[str, str]:
    """Read the text as java.util.Properties does, for the escapes it contains."""
    pairs = (line.partition("=") for line in text.splitlines())
    return {key: value.encode("ascii").decode("unicode_escape") for key, _, value in pairs}


def _properties(**changes: Any) -> dict[str, str]:
    settings = BrokerSettings(data_dir=Path("/data"), **changes)
    return _parsed(server_properties(settings, Path("/data/kafka"), 21000, 21001))


def test_one_node_is_broker_and_controller() -> None:
    properties = _properties()
    assert properties["process.roles"] == "broker,controller"
    assert properties["controller.quorum.voters"] == "1@127.0.0.1:21001"


def test_nothing_listens_beyond_loopback() -> None:
    values = [value for key, value in _properties().items() if "listeners" in key]
    addresses = [address.split("://")[1] for value in values for address in value.split(",")]
    assert {address.split(":")[0] for address in addresses} == {"127.0.0.1"}


def test_every_replication_factor_fits_one_node() -> None:
    factors = {k: v for k, v in _properties().items() if k.endswith((".factor", ".isr", "insync.replicas"))}
    assert len(factors) == 7
    assert set(factors.values()) == {"1"}


def test_retention_is_explicit_in_bytes_and_time() -> None:
    properties = _properties(retention_hours=2)
    assert properties["log.retention.ms"] == "7200000"
    assert properties["log.retention.bytes"] == str(256 * 1024 * 1024)
    assert properties["log.roll.ms"] == "7200000", "an open segment must be able to expire in time"


def test_guards_named_by_the_contract() -> None:
    properties = _properties()
    assert properties["auto.create.topics.enable"] == "false"
    assert properties["message.max.bytes"] == str(10 * 1024 * 1024)
    assert properties["broker.session.timeout.ms"] == "1500"
    assert properties["broker.heartbeat.interval.ms"] == "300"
    assert properties["group.initial.rebalance.delay.ms"] == "0"


@pytest.mark.parametrize("folder", ["/with space/kafka", "/Größe/kafka", "/back\\slash", "/emoji-😀"])
def test_any_path_reaches_java_unchanged(folder: str) -> None:
    text = server_properties(BrokerSettings(data_dir=Path(folder)), Path(folder), 21000, 21001)
    read = _parsed(text)["log.dirs"].encode("utf-16", "surrogatepass").decode("utf-16")
    assert read == folder


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"segment_bytes": 2**20, "retention_bytes": 2**30}, "message_max_bytes"),
        ({"segment_bytes": 2**28}, "retention_bytes"),
        ({"data_dir": Path("/a,b")}, "comma"),
        ({"prot": 1}, "prot"),
        ({"port": 70_000}, "port"),
    ],
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        BrokerSettings.model_validate({"data_dir": Path("/data")} | changes)


def test_a_broker_that_nobody_uses_writes_nothing() -> None:
    """Kafka's default is two records a second that say nothing, each with a flush to disk."""
    assert _properties()["metadata.max.idle.interval.ms"] == "0"
