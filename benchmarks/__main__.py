"""The budgets, measured: `python -m benchmarks [--quick | --long] [--within MINUTES] [--only NAME…]`, or `make bench`.

Prints how it goes on stderr and one table on stdout. Nothing here fails for being slow; a run whose map
does not show exactly what was acked is void and says so. A part that fails, or takes longer than it may, loses only
what it had not told yet: the table is printed with what there is, below it what is missing and why, and the exit code
is 1.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.figures import LONG, NORMAL, QUICK, Figure, Pace, machine, table
from benchmarks.guarded import PartFailed, guarded, of_module, say

INTERRUPTED = 130
#: With less time left than this no further part is begun.
LEAST_S = 20.0


@dataclass(frozen=True, slots=True)
class Part:
    """The module to import when it is its turn, and how long it may take at the normal pace."""

    module: str
    limit_s: float = 300.0


PARTS = {
    "core": Part("benchmarks.core"),
    "identity": Part("benchmarks.identity"),
    "tangles": Part("benchmarks.tangles", 900.0),
    "attribution": Part("benchmarks.attribution"),
    "refold": Part("benchmarks.refold"),
    "memory": Part("benchmarks.memory", 600.0),
    "emotion": Part("benchmarks.emotion"),
    "ordinary": Part("benchmarks.ordinary"),
    "friction": Part("benchmarks.friction"),
    "detection": Part("benchmarks.detection"),
    "start": Part("benchmarks.start"),
    "peer": Part("benchmarks.peer", 900.0),
    "end_to_end": Part("benchmarks.end_to_end", 1200.0),
    "pauses": Part("benchmarks.pauses", 1200.0),
    "viewers": Part("benchmarks.viewers"),
    "alerts": Part("benchmarks.alerts", 600.0),
    "changes": Part("benchmarks.changes", 600.0),
    "policies": Part("benchmarks.policies", 900.0),
    "judging": Part("benchmarks.judging", 600.0),
    "late_truth": Part("benchmarks.late_truth", 600.0),
    "pages": Part("benchmarks.pages", 900.0),
    "readers": Part("benchmarks.readers", 900.0),
    "analysts": Part("benchmarks.analysts", 900.0),
}


def main() -> int:
    """Measure; 0 when every part has its figures, 1 when one has not."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="The budgets, measured.")
    parser.add_argument("--quick", action="store_true", help="see that it works: short windows, rough figures")
    parser.add_argument("--long", action="store_true", help="windows of minutes")
    parser.add_argument("--within", type=float, metavar="MINUTES", help="for all parts; 28 with --quick, else no limit")
    parser.add_argument("--only", action="append", choices=PARTS, help="this part; may be given more than once")
    given = parser.parse_args()
    pace = QUICK if given.quick else LONG if given.long else NORMAL
    if given.within is not None:
        pace = pace.model_copy(update={"within_s": given.within * 60})
    print("\n".join(machine()), flush=True)
    return measure({name: PARTS[name] for name in given.only or PARTS}, pace)


def measure(parts: dict[str, Part], pace: Pace) -> int:
    """Run the parts one after the other and print the table of those that have figures, whatever the others did."""
    figures: list[Figure] = []
    failed: dict[str, str] = {}
    code, until, last = 0, time.monotonic() + pace.within_s, [*parts][-1]
    for name, part in parts.items():
        left_s = until - time.monotonic()
        if left_s < LEAST_S:
            failed[name] = f"no time was left of {pace.within_s / 60:,.0f} minutes; --within gives more"
            continue
        say(f"{name} (load average {os.getloadavg()[0]:.2f})")
        limit_s = min(part.limit_s * pace.patience, left_s if name == last else left_s / 2)
        try:
            figures += guarded(of_module(part.module), pace, limit_s)
        except PartFailed as why:
            figures += why.figures
            failed[name] = str(why)
            say(f"{name} failed: {why}")
        except KeyboardInterrupt:
            failed[name], code = "interrupted; the parts behind it were not run", INTERRUPTED
            break
    print(f"load average after the run: {os.getloadavg()[0]:.2f}\n\n{table(figures)}")
    print("".join(_missing(failed)), end="", flush=True)
    return code or bool(failed)


def _missing(failed: dict[str, str]) -> Iterable[str]:
    yield from (f"\nNot measured: {name}: {why}\n" for name, why in failed.items())


if __name__ == "__main__":
    sys.exit(main())
