"""The disk of the data folder: a metric, and a line when little is left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from services.common.space import FIX, of_folder
from streams.runtime.metrics import Meter

LOOK_EVERY_S: Final = 10.0


async def watch_space(folder: Path, meter: Meter, say: Callable[[str], None]) -> None:
    """Until cancelled. Says how much is free when there is little, and when there is enough again."""
    told = "ok"
    while True:
        space = of_folder(folder, "data folder")
        meter.set("touchline_disk_free_bytes", space.free_bytes, holder=space.holder)
        if space.state != told:
            told = space.state
            say(f"disk        {space.words}" + (f": {FIX}" if told != "ok" else ""))
        await asyncio.sleep(LOOK_EVERY_S)
