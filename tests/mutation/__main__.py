"""`python -m tests.mutation [GROUP…]`, or `make mutation`: which mistakes do the tests notice?

They are put into the pure core, and into the statements of the pages.

Prints the mutants that no test noticed and that `equivalent.toml` does not explain; the exit code is 1 when there are
any. `--record` writes the score into docs/reference/mutation.md.
"""

from __future__ import annotations

import argparse
import os
import sys

from tests.mutation import store
from tests.mutation.bench import Mutant, Tally, run
from tests.mutation.explained import explained
from tests.mutation.groups import GROUPS
from tests.mutation.page import Line, keep

NAMES = (*GROUPS, store.NAME)
AGAIN = "only those that the run before left unnoticed"


def main() -> int:
    """The groups chosen, one after the other."""
    options = _parser().parse_args()
    known = explained()
    open_ones = 0
    for name in options.groups or NAMES:
        tallies = _run(name, options)
        open_ones += sum(told(tally, known) for tally in tallies)
        if options.record:
            keep(_line(tally, known) for tally in tallies if not tally.unclear)
    return 1 if open_ones else 0


def _run(name: str, options: argparse.Namespace) -> list[Tally]:
    if name == store.NAME:
        return [store.run(options.most, options.which)]
    return run(GROUPS[name], options.most, options.which, options.jobs)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description="Do the tests notice mistakes?")
    parser.add_argument("groups", nargs="*", choices=[*NAMES, []], metavar="GROUP", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--most", type=int, default=25, help="mutants of one file or method, by a fixed seed")
    parser.add_argument("--again", dest="which", action="store_const", const="unnoticed", default="all", help=AGAIN)
    parser.add_argument("--show", dest="which", action="store_const", const="none", help="what the run before found")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many mutants at once")
    parser.add_argument("--record", action="store_true", help="write the score into docs/reference/mutation.md")
    return parser


def told(tally: Tally, known: dict[Mutant, str]) -> int:
    """Print a file's score and what is open; how many that are."""
    left = [mutant for mutant in tally.survived if mutant not in known]
    of_them = f", {tally.unclear} without a verdict" if tally.unclear else ""
    print(f"{tally.file}: {tally.killed} of {tally.tried} noticed, {len(left)} open{of_them}", flush=True)
    for mutant in left:
        print(f"  {mutant.function}\n    - {mutant.was}\n    + {mutant.became}", flush=True)
    return len(left) + tally.unclear


def _line(tally: Tally, known: dict[Mutant, str]) -> Line:
    equivalent = sum(mutant in known for mutant in tally.survived)
    return Line(tally.file, tally.mutants, tally.tried, tally.killed, equivalent)


if __name__ == "__main__":
    sys.exit(main())
