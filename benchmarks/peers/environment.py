"""The environment that Quix Streams runs in: made when first needed, never a part of the project's own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDER: Final = ROOT / ".bench"
PACKAGE: Final = "quixstreams==3.28.1"
LIMIT_S: Final = 180.0


class NotMade(Exception):
    """The environment could not be made, and why."""


def python(package: str = PACKAGE, *, folder: Path = FOLDER) -> str:
    """The Python of an environment that has the package. Raises NotMade, for example without a network."""
    place = folder / package
    interpreter, ready = place / "bin" / "python", place / "ready"
    if not ready.exists():
        shutil.rmtree(place, ignore_errors=True)
        _run("venv", "--quiet", "--python", sys.executable, str(place))
        _run("pip", "install", "--quiet", "--python", str(interpreter), package)
        ready.touch()
    return str(interpreter)


def _run(*arguments: str) -> None:
    uv = ROOT / ".uv" / "bin" / "uv"
    command = [str(uv) if uv.exists() else "uv", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotMade(f"uv {arguments[0]}: {error}") from error
    if done.returncode:
        raise NotMade(f"uv {arguments[0]}: {done.stderr.strip()[-300:]}")
