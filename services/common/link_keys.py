"""The keys of links in messages: the alerts service signs with the first, the gateway takes what any of them signed."""

from __future__ import annotations

from schemas.alerting import AlertsConfig
from schemas.errors import ConfigurationError
from services.common.secrets import read_secret, shown_place
from streams.incidents.links import LEAST_SECRET_BYTES


def link_keys(config: AlertsConfig) -> tuple[bytes, ...]:
    """Empty where messages have no links. Raises ConfigurationError for a secret that is missing or short."""
    if config.links is None:
        return ()
    keys = tuple(read_secret(ref) for ref in config.links.secrets)
    for ref, key in zip(config.links.secrets, keys, strict=True):
        if len(key) < LEAST_SECRET_BYTES:
            raise ConfigurationError(
                f"alerts.links.secrets: {shown_place(ref)} holds {len(key)} bytes, at least {LEAST_SECRET_BYTES} are "
                "needed; e.g. from `openssl rand -base64 32`"
            )
    return keys
