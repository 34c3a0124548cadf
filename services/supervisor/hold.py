"""Everything but the edge stands still for some seconds, so that a backup can take one picture of the whole folder.

A backup asks with `hold.json` in the data folder, which names its process. `touchline up` stops its stages and stores,
says so in `run.json`, and starts them again when the file is gone or the process that asked has ended. The gateway
stays: it answers 503 with Retry-After meanwhile, as whenever Kafka is away.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from services.supervisor.folder import birth

if TYPE_CHECKING:
    from services.supervisor.supervisor import Supervisor

HOLD_FILE: Final = "hold.json"
LOOK_EVERY_S: Final = 0.2
LONGEST_S: Final = 300.0
"""A picture takes seconds; whoever holds longer is stuck, and events come first."""


@dataclass(frozen=True, slots=True)
class Asker:
    """The process that asks; `birth` tells its pid from a later namesake."""

    pid: int
    birth: int


def ask(folder: Path) -> Asker:
    """Leave word in `folder` that this process wants it held."""
    asker = Asker(os.getpid(), birth(os.getpid()))
    partial = folder / f"{HOLD_FILE}.part"
    partial.write_text(json.dumps(asdict(asker)))
    partial.replace(folder / HOLD_FILE)
    return asker


def let_go(folder: Path) -> None:
    """Take the word back; safe to call twice."""
    (folder / HOLD_FILE).unlink(missing_ok=True)


def asker_of(folder: Path) -> Asker | None:
    """Who wants the folder held, if that process still lives."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        asker = Asker(**json.loads((folder / HOLD_FILE).read_text()))
        if birth(asker.pid) == asker.birth:
            return asker
    return None


async def hold_when_asked(supervisor: Supervisor, folder: Path, say: Callable[[str], None]) -> None:
    """Until it is cancelled."""
    while True:
        asker = asker_of(folder)
        if asker is not None:
            await _hold(supervisor, folder, asker, say)
        await asyncio.sleep(LOOK_EVERY_S)


async def _hold(supervisor: Supervisor, folder: Path, asker: Asker, say: Callable[[str], None]) -> None:
    say("backup      stages and stores stop for it; the gateway answers 503 until they are back")
    began_s = time.monotonic()
    await supervisor.pause(asker.pid)
    while asker_of(folder) == asker and time.monotonic() - began_s < LONGEST_S:
        await asyncio.sleep(LOOK_EVERY_S)
    if asker_of(folder) == asker:
        let_go(folder)
        say(f"backup      has held everything for {LONGEST_S:.0f} s: it is ended, and what it took is not used")
    supervisor.resume()
    say(f"backup      everything is back after {await supervisor.back(began_s):g} s")
