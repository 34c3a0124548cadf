"""What is wrong with a configuration's secrets, each with its place; known before anything starts."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.alerting import ActionLinks, Channel
from schemas.base import Strict
from schemas.complaints import Complaint
from schemas.config import Config, SecretRef
from schemas.documents import Loc
from schemas.errors import ConfigurationError
from services.common.config import ConfigReading
from services.common.secrets import read_secret


def secret_complaints(reading: ConfigReading) -> list[Complaint]:
    """Secrets that cannot be read, and write keys that two sources share."""
    if reading.config is None:
        return []
    found: list[Complaint] = []
    keys: dict[bytes, str] = {}
    keyed = _keyed(reading.config)
    for loc, owner, ref in _references(reading.config):
        place, field = reading.origin(loc), f"sources.{owner}.secrets" if loc[0] == "sources" else owner
        try:
            secret = read_secret(ref)
        except ConfigurationError as error:
            found.append(Complaint(place, field, str(error)))
            continue
        if owner in keyed and (other := keys.setdefault(secret, owner)) != owner:
            found.append(Complaint(place, field, f"the same write key as source `{other}`; give each its own"))
    return found


def _keyed(config: Config) -> set[str]:
    """Names of the sources whose secrets are keys that tell them apart."""
    if not config.sources:
        return set()
    from streams.connectors.registry import CONNECTORS

    connectors = {source.name: CONNECTORS.get(source.vendor) for source in config.sources}
    return {name for name, connector in connectors.items() if connector is not None and connector.keyed}


def _references(config: Config) -> Iterator[tuple[Loc, str, SecretRef]]:
    """(where, the source or setting it belongs to, the reference) of every secret."""
    for index, source in enumerate(config.sources):
        for at, ref in enumerate(source.secrets):
            yield ("sources", index, "secrets", at), source.name, ref
    if config.clickhouse.password is not None:
        yield ("clickhouse", "password"), "clickhouse.password", config.clickhouse.password
    if config.dashboard.token is not None:
        yield ("dashboard", "token"), "dashboard.token", config.dashboard.token
    yield from _of_alerts(config)


def _of_alerts(config: Config) -> Iterator[tuple[Loc, str, SecretRef]]:
    for section in type(config.alerts).model_fields:
        value = getattr(config.alerts, section)
        if isinstance(value, ActionLinks):
            yield from ((("alerts", "links", *loc), "alerts.links", ref) for loc, ref in _within(value))
        for index, channel in enumerate(value if isinstance(value, tuple) else ()):
            if isinstance(channel, Channel):
                owner = f"alerts channel {channel.name}"
                yield from ((("alerts", section, index, *loc), owner, ref) for loc, ref in _within(channel))


def _within(section: Strict) -> Iterator[tuple[Loc, SecretRef]]:
    """Every secret that a section names itself, and in which field."""
    for field in type(section).model_fields:
        value = getattr(section, field)
        if isinstance(value, SecretRef):
            yield (field,), value
        for at, ref in enumerate(value if isinstance(value, tuple) else ()):
            if isinstance(ref, SecretRef):
                yield (field, at), ref
