"""What a run prints of a suspect, and the file that has all of it."""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from pathlib import Path
from typing import Final

_SHOWN_BYTES: Final = 120


def add_arguments(parser: argparse.ArgumentParser, minutes: float) -> None:
    """What every part of the fuzzer is asked."""
    parser.add_argument("--minutes", type=float, default=minutes)
    parser.add_argument("--seed", type=int, default=1, help="the same seed draws the same")
    parser.add_argument(
        "--keep",
        type=Path,
        default=Path(tempfile.gettempdir()) / "touchline-fuzz",
        help="folder for whole suspects; what is printed of one is cut",
    )


def kept(folder: Path, suspect: bytes) -> str:
    """Writes it as a whole; its size, the file and its beginning, to be printed."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / hashlib.sha256(suspect).hexdigest()[:12]
    path.write_bytes(suspect)
    return f"{len(suspect)} bytes, whole in {path}: {suspect[:_SHOWN_BYTES]!r}"
