"""What landed versions left in a data folder, recorded by `record.py`, and the map that each showed.

A folder a version, named by its commit: the last one, and one from before each change of what is stored. The secrets in
them were made for folders that nobody could reach.
"""

from __future__ import annotations

import json
import os
import re
import tarfile
from pathlib import Path
from typing import Any, Final

from services.cli.backup.restoring import restore

_HERE: Final = Path(__file__).parent
LANDED: Final = ("3e0211b", "91a76dd")
"""Oldest first. The first wrote every field of a record; since then, what has its default is left out."""

MENDED: Final = {"3e0211b": frozenset({"repeat_contact", "struggle", "moment_of_truth_failed"})}
"""Rules of which a mend since then moves signals once their accounts are computed again: "It does not work" says no
matter any more (`streams/friction/topics.py`), so no repeated contact comes of it, and what builds on that is other."""


def landed_figures(version: str) -> dict[str, dict[str, dict[str, Any]]]:
    """Kind (`touchpoints`, `accounts`, `cells`, `signals`) → id → what was shown of it."""
    found: dict[str, Any] = json.loads((_HERE / version / "figures.json").read_text(encoding="utf-8"))
    return {kind: rows for kind, rows in found.items() if kind != "commit"}


def restored(version: str, work: Path) -> Path:
    """The data folder as that version left it, in `work`, by today's `touchline restore`."""
    with tarfile.open(_HERE / version / "backup.tar.xz") as archive:
        archive.extractall(work, filter="data")
    mask = os.umask(0o022)  # the command closes what it writes to others, for the rest of its process
    try:
        restore(work / "backup", work / "data", lambda _: None)
    finally:
        os.umask(mask)
    config = work / "data" / "touchline.yaml"  # one of its sources names the place of its secret
    config.write_text(re.sub(r'"/[^"]*/secrets/', f'"{work}/data/secrets/', config.read_text()))
    return work / "data"
