"""The environment and the flags as overlays on the configuration file: flag > environment > file > default.

Every scalar setting has a name made from its place: `kafka.bootstrap` is TOUCHLINE_KAFKA_BOOTSTRAP (a list is
comma-separated), `metrics_host` is TOUCHLINE_METRICS_HOST. A secret has two: TOUCHLINE_DASHBOARD_TOKEN holds
it, TOUCHLINE_DASHBOARD_TOKEN_FILE names a file that does. Sources and alerts are configured in the file only.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from schemas.config import Config, SecretRef
from schemas.documents import Document

PREFIX = "TOUCHLINE_"
FILE_ONLY = ("alerts", "sources")
"""Who may send, and which private addresses may be called, is no matter of an environment."""
Place = tuple[str, ...]


def settings() -> Iterator[tuple[Place, FieldInfo]]:
    """Every setting that has an environment name, as (place, field)."""
    for section, info in Config.model_fields.items():
        if section in FILE_ONLY:
            continue
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from (((section, name), below) for name, below in info.annotation.model_fields.items())
        else:
            yield (section,), info


def env_name(place: Place) -> str:
    """The environment name of the setting at `place`."""
    return PREFIX + "_".join(place).upper()


def env_names() -> dict[str, tuple[Place, FieldInfo]]:
    """Environment name → setting. A secret's `_FILE` name is listed beside its own."""
    names: dict[str, tuple[Place, FieldInfo]] = {}
    for place, info in settings():
        if _is_secret(info):
            names[env_name(place) + "_FILE"] = ((*place, "file"), info)
        names[env_name(place)] = (place, info)
    return names


def apply_env(document: Document, env: Mapping[str, str]) -> list[str]:
    """Overlay what the environment sets. Returns warnings on names that look like a slip."""
    known = env_names()
    for name in sorted(known.keys() & env.keys()):
        place, info = known[name]
        origin = f"environment {name}"
        if name.endswith("_FILE") and _is_secret(info):
            document.put(place[:-1], {"file": env[name]}, origin)
        elif _is_secret(info):
            document.put(place, {"env": name}, origin)
        else:
            document.put(place, _value(info, env[name]), origin)
    return _slips(known, env)


def apply_flags(document: Document, flags: Mapping[Place, object]) -> None:
    """Overlay command-line flags (None: not given), keyed by the setting's place."""
    for place, value in flags.items():
        if value is not None:
            document.put(place, value, f"flag for {'.'.join(place)}")


def _value(info: FieldInfo, text: str) -> object:
    if getattr(info.annotation, "__origin__", None) is tuple:
        return [part.strip() for part in text.split(",") if part.strip()]
    return text


def _is_secret(info: FieldInfo) -> bool:
    return SecretRef in (info.annotation, *get_args(info.annotation))


def _slips(known: Mapping[str, Any], env: Mapping[str, str]) -> list[str]:
    """Unknown names within a section: ignored (an orchestrator may set its own), but said."""
    sections = tuple(f"{PREFIX}{name.upper()}_" for name in Config.model_fields)
    unknown = [name for name in sorted(env) if name.startswith(sections) and name not in known]
    near = {name: difflib.get_close_matches(name, known, n=1, cutoff=0.9) for name in unknown}
    return [f"environment {name} is no setting; did you mean {found[0]}?" for name, found in near.items() if found]
