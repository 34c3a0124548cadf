"""`touchline validate`: everything about a configuration that can be known without starting anything."""

from __future__ import annotations

from pathlib import Path

from schemas.config import Config, SecretRef
from schemas.errors import ConfigurationError
from services.common.config import load_config
from services.common.secrets import read_secret


def problems(path: Path) -> list[str]:
    """What is wrong, one line each; empty when nothing is. Raises ConfigurationError when it cannot even be read."""
    config = load_config(path)
    return [*_secrets(config), *_blueprint(config)]


def _secrets(config: Config) -> list[str]:
    found = []
    for field, ref in _references(config):
        try:
            read_secret(ref)
        except ConfigurationError as error:
            found.append(f"{field}: {error}")
    return found


def _references(config: Config) -> list[tuple[str, SecretRef]]:
    named = [(f"sources.{source.name}.secrets", ref) for source in config.sources for ref in source.secrets]
    single = [("clickhouse.password", config.clickhouse.password), ("dashboard.token", config.dashboard.token)]
    return [*named, *((field, ref) for field, ref in single if ref is not None)]


def _blueprint(config: Config) -> list[str]:
    """What is wrong with the blueprint: that it is refused, or which of its golden tests fail."""
    from streams.friction.golden import run_all
    from streams.journey.blueprints import load

    try:
        _, failures = run_all(load(config.journey.blueprint))
    except ConfigurationError as error:
        return [str(error)]
    return [f"golden test: {failure}" for failure in failures]
