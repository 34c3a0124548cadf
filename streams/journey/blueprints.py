"""Reading a blueprint: YAML in, a checked and compiled blueprint out."""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import ValidationError

from schemas.blueprint import Blueprint
from schemas.errors import ConfigurationError
from streams.journey.compiled import CompiledBlueprint

DEFAULT = Path(__file__).parents[2] / "infra" / "blueprints" / "default.yaml"


def load(path: str = "") -> CompiledBlueprint:
    """The blueprint at `path`, or the one that ships with Touchline; ConfigurationError when it is refused."""
    file = Path(path) if path else DEFAULT
    try:
        return parse(file.read_text(encoding="utf-8"), str(file))
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be read: {error.strerror}") from error


def parse(text: str, name: str = "blueprint") -> CompiledBlueprint:
    """A blueprint's text, checked and compiled; `name` stands in errors."""
    try:
        return CompiledBlueprint(Blueprint.model_validate(yaml.safe_load(text)))
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{name}: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"{name}: {field}: {first['msg']} ({error.error_count()} in all)") from error
    except ConfigurationError as error:
        raise ConfigurationError(f"{name}: {error}") from error
