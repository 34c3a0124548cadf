"""What of a folder others than its owner may read, write or enter."""

from __future__ import annotations

from pathlib import Path


def open_to_others(folder: Path) -> list[Path]:
    """The folder itself counts; links do not."""
    every = [folder, *sorted(folder.rglob("*"))]
    return [path for path in every if not path.is_symlink() and path.stat().st_mode & 0o077]
