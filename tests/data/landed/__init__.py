"""What the last landed version left in a data folder, recorded by `record.py`, and the map that it showed.

The secrets in it were made for that folder, which nobody could reach.
"""

from __future__ import annotations

import json
import os
import re
import tarfile
from pathlib import Path
from typing import Any

from services.cli.backup.restoring import restore

_HERE = Path(__file__).parent


def landed_figures() -> dict[str, dict[str, dict[str, Any]]]:
    """Kind (`touchpoints`, `accounts`, `cells`, `signals`) → id → what was shown of it."""
    found: dict[str, Any] = json.loads((_HERE / "figures.json").read_text(encoding="utf-8"))
    return {kind: rows for kind, rows in found.items() if kind != "commit"}


def restored(work: Path) -> Path:
    """The data folder as that version left it, in `work`, by today's `touchline restore`."""
    with tarfile.open(_HERE / "backup.tar.xz") as archive:
        archive.extractall(work, filter="data")
    mask = os.umask(0o022)  # the command closes what it writes to others, for the rest of its process
    try:
        restore(work / "backup", work / "data", lambda _: None)
    finally:
        os.umask(mask)
    config = work / "data" / "touchline.yaml"  # one of its sources names the place of its secret
    config.write_text(re.sub(r'"/[^"]*/secrets/', f'"{work}/data/secrets/', config.read_text()))
    return work / "data"
