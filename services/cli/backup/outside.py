"""What the configuration names that lies outside the data folder: a backup of the folder does not have it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from schemas.errors import ConfigurationError
from services.common.config import load_config
from services.supervisor.folder import read_run

PATHS: Final = ("file", "blueprint", "sdk_folder")
"""Settings that name a file or folder; `load_config` makes them absolute."""


def outside(data: Path) -> list[str]:
    """The configuration in force and the files it names, where they are not below `data`; sorted."""
    used = read_run(data).addresses.get("config", "")
    config = Path(used) if used else data / "touchline.yaml"
    try:
        named = [str(config), *_paths(load_config(config).model_dump())] if config.exists() else [str(config)]
    except ConfigurationError:
        named = [str(config)]  # what does not start can be backed up all the same
    places = {Path(path).resolve() for path in named if path}
    return sorted(str(place) for place in places if not place.is_relative_to(data))


def _paths(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield from (str(path) for name in PATHS if (path := value.get(name)))
        for inner in value.values():
            yield from _paths(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _paths(inner)
