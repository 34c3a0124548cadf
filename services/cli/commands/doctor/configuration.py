"""The configuration: valid, its secrets readable and closed to others, its rules fed."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

from services.cli.commands.doctor.check import Check, Place

SHOWN = 3
CLOSED = 0o077


def configuration(place: Place) -> Iterator[Check]:
    """The file in force. Raises ConfigurationError when it is refused."""
    beside = place.target.data / "touchline.yaml"
    config = place.config
    if place.target.config is None and not beside.exists():
        fix = "`touchline up` writes one, or give --data or --config"
        yield Check("configuration", "warning", f"no {beside}: the defaults are meant", fix)
    else:
        yield Check("configuration", "ok", f"{place.target.config or beside}, {len(config.sources)} sources")


def secrets(place: Place) -> Iterator[Check]:
    """Every secret that the configuration names can be read, and no two sources share a key."""
    from services.common.config import read_config
    from services.common.secrets_check import secret_complaints

    beside = place.target.data / "touchline.yaml"
    path = place.target.config or (beside if beside.exists() else None)
    complaints = secret_complaints(read_config(path))
    for complaint in complaints:
        yield Check("secrets", "problem", str(complaint), "put it there, or correct the place that names it")
    if not complaints:
        yield Check("secrets", "ok", "all can be read")


def permissions(place: Place) -> Iterator[Check]:
    """Nobody else on this machine may read the data folder's secrets, records and tables."""
    data = place.target.data
    if not data.is_dir():
        return
    open_ones = [path for path in (data, *_private(data)) if stat.S_IMODE(path.stat().st_mode) & CLOSED]
    if not open_ones:
        yield Check("permissions", "ok", f"{data} is closed to other users")
        return
    worst = [path for path in open_ones if path.parent.name == "secrets"]
    shown = ", ".join(str(path) for path in (worst or open_ones)[:SHOWN])
    if worst:
        fix = f"chmod 600 {data / 'secrets'}/*; chmod 700 {data}"
        yield Check("permissions", "problem", f"secrets that other users can read: {shown}", fix)
    else:
        yield Check("permissions", "warning", f"other users can look into {shown}", f"chmod 700 {data}")


def _private(data: Path) -> Iterator[Path]:
    """The secrets: what is below a closed folder is closed, too."""
    folder = data / "secrets"
    if folder.is_dir():
        yield folder
        yield from (path for path in folder.iterdir() if path.is_file())


def rules(place: Place) -> Iterator[Check]:
    """Which rules of friction and delight can find nothing, because nothing that feeds them is connected."""
    from streams.connectors.registry import all_feeds
    from streams.friction.feeds import feedable
    from streams.journey.blueprints import load

    config = place.config
    if not config.sources:
        fix = "list some under `sources`"
        yield Check("rules", "warning", "no source is configured: nothing feeds any of them", fix)
        return
    can = feedable(load(config.journey.blueprint).source, all_feeds(config.sources))
    if idle := [rule for rule, fed in can.items() if not fed]:
        yield Check("rules", "warning", f"no source feeds {', '.join(idle)}", "connect one that `validate` names")
    else:
        yield Check("rules", "ok", f"all {len(can)} are fed")
