"""Reading a blueprint: YAML in, a checked and compiled blueprint out.

`include: [friction.yaml]` adds the lists of other files beside it (types, rules, …) to the blueprint's own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from schemas.blueprint import Blueprint
from schemas.errors import ConfigurationError
from streams.journey.compiled import CompiledBlueprint

DEFAULT = Path(__file__).parents[2] / "infra" / "blueprints" / "default.yaml"


def load(path: str = "") -> CompiledBlueprint:
    """The blueprint at `path`, or the one that ships with Touchline; ConfigurationError when it is refused."""
    file = Path(path) if path else DEFAULT
    return parse(_read(file), str(file), folder=file.parent)


def parse(text: str, name: str = "blueprint", *, folder: Path = DEFAULT.parent) -> CompiledBlueprint:
    """A blueprint's text, checked and compiled; `name` stands in errors, included files lie in `folder`."""
    try:
        return CompiledBlueprint(Blueprint.model_validate(_with_included(yaml.safe_load(text), folder)))
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{name}: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"{name}: {field}: {first['msg']} ({error.error_count()} in all)") from error
    except ConfigurationError as error:
        raise ConfigurationError(f"{name}: {error}") from error


def _with_included(document: Any, folder: Path) -> Any:
    if not isinstance(document, dict):
        return document
    whole = {key: value for key, value in document.items() if key != "include"}
    for name in document.get("include") or ():
        for key, items in yaml.safe_load(_read(folder / name)).items():
            whole[key] = [*whole.get(key, ()), *items]
    return whole


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be read: {error.strerror}") from error
