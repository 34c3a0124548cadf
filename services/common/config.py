"""`touchline.yaml` → `Config`: flag > environment > file > default, complaints with file, line and a way out."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from schemas.complaints import check
from schemas.config import Config
from schemas.documents import Document
from schemas.errors import ConfigurationError, did_you_mean
from services.common.documents import read_document
from services.common.overlays import apply_env, apply_flags

_log = logging.getLogger(__name__)


def load_config(
    path: Path | None,
    *,
    env: Mapping[str, str] = os.environ,
    flags: Mapping[tuple[str, ...], object] | None = None,
) -> Config:
    """The configuration in force. `path` None: defaults, environment and flags only.

    Relative paths in the file are relative to the file. Raises ConfigurationError.
    """
    document = read_document(path) if path is not None else Document("defaults")
    if path is not None:
        _anchor(document.data, path.resolve().parent)
    for warning in apply_env(document, env):
        _log.warning(warning)
    apply_flags(document, flags or {})
    config = check(document, Config)
    problems = cross_checks(config, document)
    if problems:
        raise ConfigurationError("\n".join(problems))
    return config


def cross_checks(config: Config, document: Document) -> list[str]:
    """What single fields cannot know: reachability, credentials in a URL, vendors without a connector."""
    return [*_dashboard(config, document), *_clickhouse(config, document), *_vendors(config, document)]


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _dashboard(config: Config, document: Document) -> list[str]:
    if is_loopback(config.dashboard.host) or config.dashboard.token is not None:
        return []
    place = document.origin(("dashboard", "host"))
    return [
        f"{place}: dashboard.host: `{config.dashboard.host}` can be reached from other machines; set dashboard.token "
        "(`token: {file: …}`), or use 127.0.0.1 behind a proxy that signs people in"
    ]


def _clickhouse(config: Config, document: Document) -> list[str]:
    place = document.origin(("clickhouse", "url"))
    try:
        url = urlsplit(config.clickhouse.url)
        fine = url.scheme in ("http", "https") and bool(url.hostname) and (url.port is None or url.port > 0)
    except ValueError:
        return [f"{place}: clickhouse.url: not a URL; expected http(s)://HOST:PORT"]
    if url.username or url.password:
        return [
            f"{place}: clickhouse.url: must hold no credentials (hidden); use clickhouse.user and clickhouse.password"
        ]
    return [] if fine else [f"{place}: clickhouse.url: expected http(s)://HOST:PORT, got {config.clickhouse.url!r}"]


def _vendors(config: Config, document: Document) -> list[str]:
    if not config.sources:
        return []
    from streams.vendors.registry import VENDORS

    return [
        f"{document.origin(('sources', index, 'vendor'))}: sources.{index}.vendor: "
        f"no connector for {source.vendor!r}{did_you_mean(source.vendor, VENDORS)}"
        for index, source in enumerate(config.sources)
        if source.vendor not in VENDORS
    ]


def _anchor(data: object, folder: Path) -> None:
    """Make relative `file:` and `blueprint:` paths relative to the configuration file, in place."""
    if isinstance(data, list):
        for item in data:
            _anchor(item, folder)
    elif isinstance(data, dict):
        for key, value in data.items():
            if key in ("file", "blueprint") and isinstance(value, str) and value:
                data[key] = str(folder / Path(value).expanduser())
            _anchor(value, folder)
