"""A container's health: `python -m services.cli.healthcheck PORT` asks /healthz there and ends with 0 or 1.

Apart from the other commands and without their imports, because it runs every ten seconds in every container.
"""

from __future__ import annotations

import asyncio
import sys

from services.supervisor.probe import http_status


def main(port: int) -> int:
    """0 when the service says that it can do its job, 1 when it says no or nothing."""
    status = asyncio.run(http_status(port))
    print(f"/healthz on {port}: {status or 'no answer'}")
    return 0 if status == 200 else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
