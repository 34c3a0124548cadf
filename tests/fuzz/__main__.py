"""`python -m tests.fuzz --minutes 60`: requests and statements of a hostile reader, half of the time each.

Each part tells the longest waits of others that come back when the request, or the statement, is sent again alone.
"""

from __future__ import annotations

import argparse
import sys

from tests.fuzz import statements, warehouse


def main() -> int:
    """Exit code 1 when either found something."""
    parser = argparse.ArgumentParser(prog="tests.fuzz", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    half = str(asked.minutes / 2)
    failed = [warehouse.main(["--minutes", half]), statements.main(["--minutes", half, "--seed", str(asked.seed)])]
    return max(failed)


if __name__ == "__main__":
    sys.exit(main())
