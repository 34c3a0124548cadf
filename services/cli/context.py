"""Which configuration a command means: the one of a running `touchline up` on the data folder, or a file's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from schemas.config import Config, SecretRef
from schemas.errors import StoreUnavailable
from services.common.config import load_config
from services.common.secrets import clickhouse_password
from services.supervisor.folder import read_run

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

DATA_DIR = Path("data")

DataOption = Annotated[Path, typer.Option("--data", envvar="TOUCHLINE_DATA", help="Data folder of `touchline up`.")]
ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", envvar="TOUCHLINE_CONFIG", help="Configuration; default: touchline.yaml in the data folder."
    ),
]
KafkaOption = Annotated[str | None, typer.Option("--kafka", help="HOST:PORT of a Kafka cluster.", metavar="HOST:PORT")]
ClickHouseOption = Annotated[
    str | None, typer.Option("--clickhouse", help="URL of a ClickHouse server.", metavar="URL")
]


@dataclass(frozen=True, slots=True)
class Target:
    """What the options name."""

    data: Path = DATA_DIR
    config: Path | None = None
    kafka: str | None = None
    clickhouse: str | None = None

    def load(self) -> Config:
        """The configuration, with the addresses of what runs on the data folder. Raises ConfigurationError."""
        run = read_run(self.data)
        beside = self.data / "touchline.yaml"
        path = self.config or (beside if beside.exists() else None)
        places = {} if run.stopped else run.addresses
        kafka = self.kafka or places.get("kafka")
        config = load_config(
            path,
            flags={
                ("kafka", "bootstrap"): kafka.split(",") if kafka else None,
                ("clickhouse", "url"): self.clickhouse or places.get("sql_url"),
            },
        )
        token = None if self.clickhouse else places.get("token_file")
        config = _with_token(config, token) if token else config
        key = places.get("erasure_key_file")
        return _with_key(config, key) if key and config.privacy.key is None else config

    @contextmanager
    def store(self) -> Iterator[Client]:
        """A client on the configured database. Raises ConfigurationError, StoreUnavailable."""
        client = store_client(self.load())
        try:
            yield client
        finally:
            client.close()


def store_client(config: Config, *, database: str | None = None, timeout_s: float = 60.0) -> Client:
    """A client on the configured database or another; the caller closes it. Raises StoreUnavailable, in short."""
    from clickhouse_connect.driver.exceptions import Error

    from streams.runtime.clickhouse import connect

    try:
        return connect(config.clickhouse, clickhouse_password(config), database=database, timeout_s=timeout_s)
    except StoreUnavailable as error:
        if isinstance(error.__cause__, Error) and error.__cause__.code is not None:
            raise  # it answered, with a reason
        raise StoreUnavailable(f"ClickHouse at {config.clickhouse.url} does not answer") from error


def _with_key(config: Config, key_file: str) -> Config:
    privacy = config.privacy.model_copy(update={"key": SecretRef(file=key_file, env=None)})
    return config.model_copy(update={"privacy": privacy})


def _with_token(config: Config, token_file: str) -> Config:
    secret = SecretRef(file=token_file, env=None)
    clickhouse = config.clickhouse.model_copy(update={"user": "internal", "password": secret})
    return config.model_copy(update={"clickhouse": clickhouse})
