"""Whom the command line speaks as: the source of our own dialect, and the gateway it speaks to."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.config import Config, SecretRef, SourceConfig
from schemas.errors import ConfigurationError
from services.cli.context import Target
from services.common.secrets import read_secret
from services.supervisor.folder import read_run

VENDOR = "touchline"


@dataclass(frozen=True, slots=True)
class Operator:
    """A source of vendor `touchline`; its key is read when it is needed."""

    name: str
    secret: SecretRef
    gateway_url: str

    def key(self) -> bytes:
        """Raises ConfigurationError."""
        return read_secret(self.secret)


def operator(target: Target, source: str = "", gateway_url: str = "") -> Operator:
    """The one the options name, else the first there is. Raises ConfigurationError."""
    config = target.load()
    found = _source(config, source)
    run = read_run(target.data)
    running = "" if run.stopped else run.addresses.get("gateway_url", "")
    return Operator(found.name, found.secrets[0], gateway_url or running or _configured(config))


def _source(config: Config, name: str) -> SourceConfig:
    ours = [one for one in config.sources if one.vendor == VENDOR and name in ("", one.name)]
    if not ours:
        wanted = f"source `{name}` with" if name else "source with"
        raise ConfigurationError(
            f"touchline.yaml has no {wanted} `vendor: {VENDOR}`; add one:\n"
            f"  - name: operators\n    vendor: {VENDOR}\n    secrets: [{{file: secrets/operators}}]"
        )
    return ours[0]


def _configured(config: Config) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(config.gateway.host, config.gateway.host)
    return f"http://{host}:{config.gateway.port}"
