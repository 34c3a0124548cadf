"""This machine: Python, the packages, and what the embedded broker needs."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from services.cli.commands.doctor.check import Check, Place

LOCK = Path(__file__).parents[4] / "uv.lock"
OLDEST_PYTHON = (3, 11)
SHOWN = 5


def python(_: Place) -> Iterator[Check]:
    """The interpreter."""
    yield python_of(sys.version_info[:3])


def python_of(running: tuple[int, ...]) -> Check:
    """Whether it is new enough."""
    fix = f"use Python {'.'.join(map(str, OLDEST_PYTHON))} or newer"
    return Check("Python", "ok" if running >= OLDEST_PYTHON else "problem", ".".join(map(str, running)), fix)


def packages(_: Place) -> Iterator[Check]:
    """What is installed against the lock file; without a checkout the installer has settled that."""
    if LOCK.exists():
        yield packages_of(locked(LOCK.read_text(encoding="utf-8")), _installed)


def locked(text: str) -> dict[str, str]:
    """Package → version of a lock file. One that is locked in several versions, by platform, is left out."""
    entries = [(each["name"], each.get("version", "")) for each in tomllib.loads(text)["package"]]
    names = [name for name, _ in entries]
    return {name: release for name, release in entries if names.count(name) == 1 and name != "touchline"}


def packages_of(wanted: Mapping[str, str], installed: Callable[[str], str | None]) -> Check:
    """What is installed in another version than it is locked in. What is not installed belongs to another extra."""
    there = {name: found for name in wanted if (found := installed(name)) is not None}
    other = [f"{name} {found} ({wanted[name]} is locked)" for name, found in there.items() if found != wanted[name]]
    if other:
        more = f" and {len(other) - SHOWN} more" if len(other) > SHOWN else ""
        return Check("packages", "warning", f"{', '.join(other[:SHOWN])}{more}", "run `make setup`")
    return Check("packages", "ok", f"{len(there)} as locked")


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def embedded_broker(_: Place) -> Iterator[Check]:
    """The Java that comes with the embedded profile."""
    from services.embedded.kafka.errors import BrokerError
    from services.embedded.kafka.runtime import bundled_java

    try:
        _path, release = bundled_java()
    except (ImportError, BrokerError) as error:
        fix = "pip install 'touchline[embedded]', unless you use clusters of your own"
        yield Check("embedded broker", "warning", f"not installed: {error}", fix)
    else:
        yield Check("embedded broker", "ok", f"Java {release}")
