"""The disk of the data folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from services.cli.doctor.check import Check, Place, State

MIN_FREE_BYTES = 2 << 30


def disk(place: Place) -> Iterator[Check]:
    """Free space where the data folder is, or will be."""
    data = place.target.data.resolve()
    there = next(folder for folder in (data, *data.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    state: State = "ok" if free >= MIN_FREE_BYTES else "warning"
    yield Check("disk", state, f"{free / (1 << 30):.1f} GiB free at {there}", "free some, or give another --data")
