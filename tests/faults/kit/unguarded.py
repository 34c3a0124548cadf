"""Known bad: a service that never looks whether Kafka's log still is what it read; else as `services.cli.service`."""

from __future__ import annotations

import sys
from typing import Any

from services.cli import service
from streams.runtime.log_guard import LogGuard


async def _believe(_guard: LogGuard, _request: Any, _response: Any) -> None:
    return None


if __name__ == "__main__":
    setattr(LogGuard, "_inspect", _believe)  # noqa: B010
    sys.exit(service.main(sys.argv[1:]))
