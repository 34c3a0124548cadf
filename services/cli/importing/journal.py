"""Where an import stands, beside the data: a repeat goes on where it stopped, and tells the same events.

A row without a time of its own gets the time of the import's first run, which is kept here by the file's content.
So the same file, under any name, is the same events however often it is sent.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from datetime import datetime
from pathlib import Path

import orjson
from pydantic import ValidationError

from schemas.base import Contract, UtcTime


class Standing(Contract):
    """`line` is the last one that is safe with the gateway; 0 at the start and once all of them are."""

    as_of: UtcTime
    line: int = 0


class Journal:
    """One file for one content read in one way."""

    def __init__(self, folder: Path, digest: str, way: str) -> None:
        name = hashlib.sha256(f"{digest}\n{way}".encode()).hexdigest()[:24]
        self._path = folder / f"{name}.json"

    def standing(self, now: datetime) -> Standing:
        """What was noted; begun `now` when nothing was."""
        with contextlib.suppress(OSError, ValidationError):
            return Standing.model_validate_json(self._path.read_bytes())
        return Standing(as_of=now)

    def note(self, standing: Standing) -> None:
        """In one step: a crash leaves the old or the new."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial = self._path.with_suffix(f".{os.getpid()}")
        partial.write_bytes(orjson.dumps(standing.model_dump(mode="json")))
        partial.replace(self._path)
