"""`python -m tests.fuzz --minutes 60`: requests and statements of a hostile reader, half of the time each.

Each part reports the longest waits of others that come back when the request, or the statement, is sent again alone.
"""

from __future__ import annotations

import argparse
import sys

from tests.fuzz import statements, warehouse
from tests.fuzz.suspects import add_arguments


def main() -> int:
    """Exit code 1 when either found something."""
    parser = argparse.ArgumentParser(prog="tests.fuzz", description=(__doc__ or "").splitlines()[0])
    add_arguments(parser, minutes=60)
    asked = parser.parse_args()
    same = ["--minutes", str(asked.minutes / 2), "--seed", str(asked.seed), "--keep", str(asked.keep)]
    return max([warehouse.main(same), statements.main(same)])


if __name__ == "__main__":
    sys.exit(main())
