"""The long form: `python -m tests.faults.kit [--faults kill,sigstop] [--kills 10] [--seed 1] [PROCESS…]`.

Prints a line of a table per fault and process; the exit code is 1 when a promise was broken. `--record` keeps the
lines and writes them into docs/reference/reliability.md; `--check` only says whether that page is what was kept.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.faults.kit import page
from tests.faults.kit.campaign import RECOVERY_BUDGET_S
from tests.faults.kit.disks import NotHere
from tests.faults.kit.faults import FAULTS, FREEZABLE, Ground, Options, reports
from tests.faults.kit.report import COLUMNS, Report, markdown, text_line


def main() -> int:
    """The faults chosen, one after the other; the map of everything sent so far is compared after each."""
    options = _parser().parse_args()
    if options.check:
        return _check()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # or the system would outlive us
    done: list[Report] = []
    commit = page.commit()
    print(text_line(COLUMNS), flush=True)
    for report in _reports(options):
        done.append(report)
        _tell(report)
        if options.record:
            page.keep(report, commit)
    print(f"\n{markdown([report.cells for report in done])}")
    print(f"the budget for a recovery is {RECOVERY_BUDGET_S:.0f} s, from the end of the harm until a new event is seen")
    return 0 if all(report.good for report in done) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.kit")
    parser.add_argument("components", nargs="*", metavar="PROCESS", help=f"of {', '.join(FREEZABLE)}, everything")
    parser.add_argument("--faults", default=",".join(FAULTS), help=f"of {', '.join(FAULTS)}; default: all")
    parser.add_argument("--kills", type=int, default=0, help="how often each; default: kill ten times, others once")
    parser.add_argument("--seed", type=int, default=int(time.time()) % 10_000)
    parser.add_argument("--rate", type=float, default=120.0, help="events a second")
    parser.add_argument("--freeze-s", type=float, default=60.0, help="how long a SIGSTOP lasts")
    parser.add_argument("--flood-s", type=float, default=30.0, help="how long a flood or a full disk lasts")
    parser.add_argument("--record", action="store_true", help="keep the lines; write docs/reference/reliability.md")
    parser.add_argument("--check", action="store_true", help="only compare the page with what was kept")
    return parser


def _reports(options: argparse.Namespace) -> Iterator[Report]:
    names = options.faults.split(",")
    if unknown := [name for name in names if name not in FAULTS]:
        raise SystemExit(f"no fault {', '.join(unknown)}; there are {', '.join(FAULTS)}")
    plan = Options(
        options.kills, options.seed, options.rate, tuple(options.components), options.freeze_s, options.flood_s
    )
    with tempfile.TemporaryDirectory(prefix="touchline-faults-", ignore_cleanup_errors=True) as folder:
        ground = Ground(Path(folder))
        try:
            for name in names:
                try:
                    yield from reports(ground, name, plan)
                except NotHere as error:
                    print(f"{name}: not run, {error}", file=sys.stderr, flush=True)
        finally:
            ground.close()


def _tell(report: Report) -> None:
    print(text_line(report.cells), flush=True)
    if report.note:
        print(f"    {report.note}", flush=True)
    if not report.good:
        print(report.detail, file=sys.stderr, flush=True)


def _check() -> int:
    if page.differs():
        print(f"{page.PAGE} is not what was kept: `python -m tests.faults.kit --record`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
