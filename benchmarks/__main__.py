"""The budgets, measured: `python -m benchmarks [--quick | --long] [--only NAME…]`, or `make bench`.

Prints how it goes on stderr and one table on stdout. Nothing here fails for being slow; a run whose map
does not show exactly what was acked is void and says so.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from importlib import import_module

from benchmarks.figures import LONG, NORMAL, QUICK, Figure, Pace, Say, machine, table

#: Name → module, imported when it is its turn.
PARTS = {
    "core": "benchmarks.core",
    "identity": "benchmarks.identity",
    "attribution": "benchmarks.attribution",
    "refold": "benchmarks.refold",
    "emotion": "benchmarks.emotion",
    "friction": "benchmarks.friction",
    "detection": "benchmarks.detection",
    "start": "benchmarks.start",
    "peer": "benchmarks.peer",
    "end_to_end": "benchmarks.end_to_end",
    "late_truth": "benchmarks.late_truth",
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="The budgets, measured.")
    parser.add_argument("--quick", action="store_true", help="see that it works: short windows, rough figures")
    parser.add_argument("--long", action="store_true", help="windows of minutes")
    parser.add_argument("--only", action="append", choices=PARTS, help="this part; may be given more than once")
    given = parser.parse_args()
    pace = QUICK if given.quick else LONG if given.long else NORMAL
    print("\n".join(machine()), flush=True)
    figures: list[Figure] = []
    for name in given.only or PARTS:
        _say(f"{name} (load average {os.getloadavg()[0]:.2f})")
        figures += _part(name)(pace, _say)
    print(f"load average after the run: {os.getloadavg()[0]:.2f}\n\n{table(figures)}")


def _part(name: str) -> Callable[[Pace, Say], list[Figure]]:
    part: Callable[[Pace, Say], list[Figure]] = import_module(PARTS[name]).run
    return part


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
