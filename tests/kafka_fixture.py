"""One broker for the whole test run, and a topic prefix for each test.

TOUCHLINE_TEST_KAFKA=HOST:PORT uses that broker instead of starting one.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator

import pytest

from services.embedded.kafka.process import EmbeddedBroker
from services.embedded.kafka.settings import MIB, BrokerSettings
from services.embedded.kafka.setup import prepare_runtime


@pytest.fixture(scope="session")
def kafka_bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """HOST:PORT of a real Kafka; topics are not made by themselves."""
    if given := os.environ.get("TOUCHLINE_TEST_KAFKA"):
        yield given
        return
    settings = BrokerSettings(data_dir=tmp_path_factory.mktemp("kafka"), min_free_bytes=64 * MIB)
    with EmbeddedBroker(settings, prepare_runtime()) as broker:
        yield broker.bootstrap


@pytest.fixture
def topic_prefix() -> str:
    """A prefix for topic and group names that no other test of any run uses."""
    return f"t{secrets.token_hex(4)}-"
