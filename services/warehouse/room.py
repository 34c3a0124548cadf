"""Room on the disk for what ClickHouse does not reserve.

Inserts and merges reserve space and tell when there is none. The files that say what a table is are written without
looking: on a full disk chdb answers that all is well and leaves an empty file, and after a restart the table is gone.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from services.warehouse.errors import NOT_ENOUGH_SPACE, ClickHouseError


def check_room(folder: Path, needed_bytes: int) -> None:
    """Raises ClickHouseError 243 when less is free where `folder` lies."""
    free = shutil.disk_usage(folder).free
    if free < needed_bytes:
        what = f"{free >> 20} MiB free at {folder}, {needed_bytes >> 20} MiB are needed to change anything"
        raise ClickHouseError.made(NOT_ENOUGH_SPACE, what)
