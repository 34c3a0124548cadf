"""What the supervisor says of the services, read from its status file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from schemas.base import Contract, UtcTime
from services.dashboard.views.snapshot import Wait

STATUS_FILE_ENV = "TOUCHLINE_STATUS_FILE"


class _Status(Contract):
    state: str
    since: UtcTime | None = None
    detail: str = ""


_STATUSES = TypeAdapter(dict[str, _Status])


def nothing_waited_for() -> Sequence[Wait]:
    """Without a supervisor only our own checks count."""
    return ()


def from_status_file(path: Path) -> Callable[[], Sequence[Wait]]:
    """Services that are not ready. A file that is missing or half written says nothing.

    Read at most once per change of the file: it is asked twice a second.
    """
    last: tuple[tuple[int, int], tuple[Wait, ...]] | None = None

    def waiting() -> Sequence[Wait]:
        nonlocal last
        try:
            stat = path.stat()
            stamp = (stat.st_mtime_ns, stat.st_size)
            if last is None or last[0] != stamp:
                last = (stamp, _parse(path.read_bytes()))
        except (OSError, ValidationError):
            return last[1] if last else ()
        return last[1]

    return waiting


def _parse(text: bytes) -> tuple[Wait, ...]:
    statuses = _STATUSES.validate_json(text)
    return tuple(
        Wait(name, status.state, status.since, status.detail)
        for name, status in statuses.items()
        if status.state != "ready" and name != "dashboard"
    )
