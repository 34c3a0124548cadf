"""What a check answers, and the place it looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from schemas.config import Config
from services.cli.context import Target, store_client
from services.supervisor.folder import Run, birth, read_run

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from services.cli.commands.doctor.seen import KafkaSeen

State = Literal["ok", "warning", "problem"]
SIGNS: dict[State, str] = {"ok": "√", "warning": "~", "problem": "x"}
STORE_TIMEOUT_S = 15
LOOK_S = 3.0


@dataclass(frozen=True, slots=True)
class Check:
    """One answer; `fix` says what to do unless all is well."""

    name: str
    state: State
    detail: str
    fix: str = ""

    def __str__(self) -> str:
        remedy = f"\n    {self.fix}" if self.fix and self.state != "ok" else ""
        return f"{SIGNS[self.state]} {self.name}: {self.detail}{remedy}"

    def as_dict(self) -> dict[str, str]:
        """For `--json`."""
        return asdict(self)


@dataclass
class Place:
    """What is looked at. Connections are made once, by the first check that needs them; `close` gives them back."""

    target: Target
    look_s: float = LOOK_S
    _opened: list[Client] = field(default_factory=list)

    @cached_property
    def config(self) -> Config:
        """The configuration in force. Raises ConfigurationError."""
        return self.target.load()

    @cached_property
    def run(self) -> Run:
        """The present or last `touchline up` on the data folder."""
        return read_run(self.target.data)

    @property
    def is_running(self) -> bool:
        """Whether a `touchline up` runs on the data folder."""
        return not self.run.stopped and birth(self.run.pid) != 0

    @property
    def has_kafka(self) -> bool:
        """Whether one should answer: ours runs, or the configuration names another."""
        return self.is_running or "bootstrap" in self.config.kafka.model_fields_set

    @property
    def has_store(self) -> bool:
        """Whether a ClickHouse should answer."""
        return self.is_running or "url" in self.config.clickhouse.model_fields_set

    @cached_property
    def store(self) -> Client:
        """A client that needs no database of ours to be there. Raises StoreUnavailable."""
        client = store_client(self.config, database="default", timeout_s=STORE_TIMEOUT_S)
        self._opened.append(client)
        return client

    @cached_property
    def kafka(self) -> KafkaSeen:
        """Two looks at Kafka. Raises KafkaAway."""
        from services.cli.commands.doctor.seen import look

        return look(self.config.kafka, self.look_s)

    def close(self) -> None:
        """Give the connections back."""
        for client in self._opened:
            client.close()


Ask = Callable[[Place], Iterator[Check]]
