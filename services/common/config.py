"""`touchline.yaml` → `Config`: flag > environment > file > default, complaints with file, line and a way out."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from schemas.complaints import Complaint, Partial, Refused, checked
from schemas.config import Config
from schemas.documents import Document, Loc, dotted
from schemas.errors import did_you_mean
from services.common.directories import directory_problems
from services.common.documents import read_document
from services.common.mappings import KEY, take_in
from services.common.overlays import apply_env, apply_flags

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ConfigReading:
    """What reading came to. `config` lacks what was refused, and is None where nothing is left of it."""

    document: Document
    partial: Partial[Config] | None
    complaints: tuple[Complaint, ...]

    @property
    def config(self) -> Config | None:
        return self.partial.model if self.partial else None

    def origin(self, loc: Loc) -> str:
        """The place of what stands at `loc` in `config`."""
        return self.document.origin(self.partial.written(loc) if self.partial else loc)

    def is_written(self, loc: Loc) -> bool:
        """Whether anything stands there, sound or not."""
        return (self.partial.written(loc) if self.partial else loc) in self.document.origins


def load_config(
    path: Path | None,
    *,
    env: Mapping[str, str] = os.environ,
    flags: Mapping[tuple[str, ...], object] | None = None,
) -> Config:
    """The configuration in force. `path` None: defaults, environment and flags only.

    Relative paths in the file are relative to the file. Raises ConfigurationError.
    """
    reading = read_config(path, env=env, flags=flags)
    if reading.config is None or reading.complaints:
        raise Refused(reading.complaints)
    return reading.config


def read_config(
    path: Path | None,
    *,
    env: Mapping[str, str] = os.environ,
    flags: Mapping[tuple[str, ...], object] | None = None,
) -> ConfigReading:
    """As `load_config`, but complaints do not raise. Raises ConfigurationError for what is no YAML mapping."""
    document = read_document(path) if path is not None else Document("defaults")
    unread: list[Complaint] = []
    if path is not None:
        folder = path.resolve().parent
        _anchor(document.data, folder)
        unread = take_in(document, folder)
    for warning in apply_env(document, env):
        _log.warning(warning)
    apply_flags(document, flags or {})
    partial, complaints = checked(document, Config)
    complaints += unread
    reading = ConfigReading(document, partial, tuple(complaints))
    return replace(reading, complaints=(*complaints, *cross_checks(reading)))


def cross_checks(reading: ConfigReading) -> list[Complaint]:
    """What single fields cannot know: reachability, credentials in a URL, doubled names, unknown vendors."""
    if reading.config is None:
        return []
    config = reading.config
    found = [*_dashboard(config), *_clickhouse(config), *_names(config), *_vendors(config), *_erasing(config)]
    # whose records a source means is only known where its mapping can be read
    found += _mappings(reading, config) or directory_problems(config)
    return [Complaint(reading.origin(loc), dotted(loc), message) for loc, message in found]


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


_Found = tuple[Loc, str]


def _dashboard(config: Config) -> list[_Found]:
    if is_loopback(config.dashboard.host) or config.dashboard.token is not None or config.dashboard.access_file:
        return []
    message = (
        f"`{config.dashboard.host}` can be reached from other machines; set dashboard.token "
        "(`token: {file: …}`) or dashboard.access_file, or use 127.0.0.1 behind a proxy that signs people in"
    )
    return [(("dashboard", "host"), message)]


def _clickhouse(config: Config) -> list[_Found]:
    place = ("clickhouse", "url")
    try:
        url = urlsplit(config.clickhouse.url)
        fine = url.scheme in ("http", "https") and bool(url.hostname) and (url.port is None or url.port > 0)
    except ValueError:
        return [(place, "not a URL; expected http(s)://HOST:PORT")]
    if url.username or url.password:
        return [(place, "must hold no credentials (hidden); use clickhouse.user and clickhouse.password")]
    return [] if fine else [(place, f"expected http(s)://HOST:PORT, got {config.clickhouse.url!r}")]


def _names(config: Config) -> list[_Found]:
    names = [source.name for source in config.sources]
    return [
        (("sources", index, "name"), f"two sources are called `{name}`; names must be unique")
        for index, name in enumerate(names)
        if name in names[:index]
    ]


def _vendors(config: Config) -> list[_Found]:
    if not config.sources:
        return []
    from streams.connectors.registry import CONNECTORS

    return [
        (("sources", index, "vendor"), f"no connector for {source.vendor!r}{did_you_mean(source.vendor, CONNECTORS)}")
        for index, source in enumerate(config.sources)
        if source.vendor not in CONNECTORS
    ]


def _erasing(config: Config) -> list[_Found]:
    """Sources that may ask to erase, and cannot."""
    if not any(source.erases for source in config.sources):
        return []
    from streams.connectors.registry import CONNECTORS, erasing

    can = ", ".join(f"`{name}`" for name, connector in sorted(CONNECTORS.items()) if connector.erasures)
    return [
        (("sources", index, "erases"), f"`{source.vendor}` tells of no deletion that asks for it; these do: {can}")
        for index, source in enumerate(config.sources)
        if source.erases and source.vendor in CONNECTORS and not erasing([source])
    ]


def _mappings(reading: ConfigReading, config: Config) -> list[_Found]:
    """Sources without the mapping they need, with one they do not, and what is wrong in the others."""
    if not config.sources:
        return []
    from streams.connectors.registry import CONNECTORS

    found: list[_Found] = []
    for index, source in enumerate(config.sources):
        place: Loc = ("sources", index, KEY)
        declared = CONNECTORS[source.vendor].declared if source.vendor in CONNECTORS else None
        stated = reading.is_written(place)
        if declared is not None and not stated:
            vendor: Loc = ("sources", index, "vendor")
            found.append((vendor, f"`{source.vendor}` needs `mapping`, a file such as mappings/{source.name}.yaml"))
        elif stated and declared is None:
            found.append((place, f"`{source.vendor}` is understood without a mapping; leave it out"))
        elif declared is not None and source.mapping is not None:
            found += [((*place, *loc), message) for loc, message in declared.problems(source.mapping)]
    return found


PATHS = ("file", "blueprint", "sdk_folder", "access_file")


def _anchor(data: object, folder: Path) -> None:
    """Make relative paths (`file:`, `blueprint:` and their like) relative to the configuration file, in place.

    A mapping's examples may hold such words, too; they are left as they are.
    """
    if isinstance(data, list):
        for item in data:
            _anchor(item, folder)
    elif isinstance(data, dict):
        for key, value in data.items():
            if key in PATHS and isinstance(value, str) and value:
                data[key] = str(folder / Path(value).expanduser())
            if key != KEY:
                _anchor(value, folder)
