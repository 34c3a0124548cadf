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
    """The module to import when it is its turn, and how long it may take at the normal pace.

    `quick_s`: about what it takes with `--quick`; so much is kept for it where all parts together have a limit.
    """

    module: str
    limit_s: float = 300.0
    quick_s: float = 60.0


PARTS = {
    "core": Part("benchmarks.core", quick_s=20),
    "identity": Part("benchmarks.identity", quick_s=45),
    "tangles": Part("benchmarks.tangles", 900.0, quick_s=45),
    "attribution": Part("benchmarks.attribution", quick_s=30),
    "refold": Part("benchmarks.refold", quick_s=30),
    "memory": Part("benchmarks.memory", 600.0, quick_s=45),
    "emotion": Part("benchmarks.emotion", quick_s=30),
    "ordinary": Part("benchmarks.ordinary", quick_s=20),
    "friction": Part("benchmarks.friction", quick_s=45),
    "detection": Part("benchmarks.detection", quick_s=45),
    "start": Part("benchmarks.start", quick_s=100),
    "peer": Part("benchmarks.peer", 900.0, quick_s=140),
    "end_to_end": Part("benchmarks.end_to_end", 1200.0, quick_s=250),
    "pauses": Part("benchmarks.pauses", 1200.0),
    "held": Part("benchmarks.held", 1200.0, quick_s=75),
    "viewers": Part("benchmarks.viewers", quick_s=40),
    "alerts": Part("benchmarks.alerts", 600.0, quick_s=90),
    "alerts_service": Part("benchmarks.alerts_service", 600.0),
    "changes": Part("benchmarks.changes", 600.0, quick_s=50),
    "policies": Part("benchmarks.policies", 900.0, quick_s=90),
    "judging": Part("benchmarks.judging", 600.0, quick_s=40),
    "late_truth": Part("benchmarks.late_truth", 600.0, quick_s=90),
    "pages": Part("benchmarks.pages", 900.0, quick_s=90),
    "readers": Part("benchmarks.readers", 900.0, quick_s=90),
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
    code, until = 0, time.monotonic() + pace.within_s
    behind_s = sum(part.quick_s for part in parts.values())
    for name, part in parts.items():
        began = time.monotonic()
        left_s = until - began
        behind_s -= part.quick_s
        if left_s < LEAST_S:
            failed[name] = f"no time was left of {pace.within_s / 60:,.0f} minutes; --within gives more"
            continue
        say(f"{name} (load average {os.getloadavg()[0]:.2f})")
        limit_s = min(part.limit_s * pace.patience, _share_s(part, behind_s, left_s))
        try:
            figures += guarded(of_module(part.module), pace, limit_s)
        except PartFailed as why:
            figures += why.figures
            failed[name] = str(why)
            say(f"{name} failed: {why}")
        except KeyboardInterrupt:
            failed[name], code = "interrupted; the parts behind it were not run", INTERRUPTED
            break
        say(f"{name} took {time.monotonic() - began:,.0f} s")
    print(f"load average after the run: {os.getloadavg()[0]:.2f}\n\n{table(figures)}")
    print("".join(_missing(failed)), end="", flush=True)
    return code or bool(failed)


def _share_s(part: Part, behind_s: float, left_s: float) -> float:
    """All that those behind it do not need; where that is too little for all, what is left is divided by need."""
    return max(left_s - behind_s, left_s * part.quick_s / (part.quick_s + behind_s))


def _missing(failed: dict[str, str]) -> Iterable[str]:
    yield from (f"\nNot measured: {name}: {why}\n" for name, why in failed.items())


if __name__ == "__main__":
    sys.exit(main())
