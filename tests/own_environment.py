"""Runs a script of ours with other people's packages, in an environment that uv makes for it and keeps in its cache."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run_with(packages: Sequence[str], *command: str, **environment: str) -> str:
    """What `command` prints. Skips where there is no uv; fails, with the end of its complaints, where it fails."""
    uv = shutil.which("uv") or shutil.which(str(ROOT / ".uv" / "bin" / "uv"))
    if uv is None:
        pytest.skip("needs uv, which makes the environment")
    start = [uv, "run", "--no-project", "--isolated", "--python", "3.11"]
    start += [part for package in packages for part in ("--with", package)]
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("VIRTUAL_ENV", "PYTHON"))}
    done = subprocess.run([*start, *command], env=plain | environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
    return done.stdout
