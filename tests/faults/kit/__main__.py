"""The long form: `python -m tests.faults.kit [--kills 10] [--seed 1] [COMPONENT…]`.

Prints a table with a line per component; the exit code is 1 when one of them lost, doubled or got something wrong.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.kit.campaign import COMPONENTS, RECOVERY_BUDGET_S, Campaign, Report, Sent, campaign
from tests.faults.kit.system import System


def main() -> int:
    """Every component in turn, on one system, whose whole map is compared after each."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.kit")
    parser.add_argument("components", nargs="*", default=COMPONENTS, metavar="COMPONENT")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 10_000)
    parser.add_argument("--rate", type=float, default=120.0, help="events a second")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # or the system would outlive us
    bad = 0
    with tempfile.TemporaryDirectory(prefix="touchline-faults-", ignore_cleanup_errors=True) as folder:
        print(Report.HEAD, flush=True)
        sent = Sent()
        with System(Path(folder) / "data") as system:
            for component in options.components:
                report = campaign(system, sent, Campaign((component,), options.kills, options.seed, options.rate))
                print(report, flush=True)
                if not report.verdict:
                    bad += 1
                    print(report.verdict, file=sys.stderr, flush=True)
                    sys.stderr.write(system.said()[-1000:])
    print(f"the budget for a recovery is {RECOVERY_BUDGET_S:.0f} s, from the kill until a new event is on the map")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
