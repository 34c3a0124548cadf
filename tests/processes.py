"""What the kernel says of processes."""

from __future__ import annotations

from pathlib import Path


def parent(pid: int) -> int:
    """Its parent's pid."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
