"""A part of the benchmarks in a process of its own, with a time limit: what goes wrong costs its figures alone."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib import import_module
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Final

from benchmarks.figures import Figure, Pace, Say
from benchmarks.processes import tree

#: So long an interrupted part may take to stop what it started.
GRACE_S: Final = 30.0

Run = Callable[[Pace, Say], list[Figure]]
"""A part; importable by its name."""


class PartFailed(Exception):
    """A part that has no figures, and why."""


def guarded(run: Run, pace: Pace, limit_s: float, *, grace_s: float = GRACE_S) -> list[Figure]:
    """Its figures. Raises PartFailed when it raises, dies or takes longer; nothing it started is left then."""
    context = get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    child = context.Process(target=_report, args=(run, pace, sending))
    child.start()
    sending.close()
    try:
        found = _outcome(child, receiving, limit_s)
    finally:
        _end(child, grace_s)
    if isinstance(found, str):
        raise PartFailed(found)
    return found


def of_module(name: str) -> Run:
    """The part of that module, which is imported where it runs: one that cannot be imported is a part that fails."""
    return partial(_run, name)


def say(line: str) -> None:
    """How it goes, on stderr."""
    print(line, file=sys.stderr, flush=True)


def _run(name: str, pace: Pace, say: Say) -> list[Figure]:
    figures: list[Figure] = import_module(name).run(pace, say)
    return figures


def _outcome(child: SpawnProcess, receiving: Connection, limit_s: float) -> list[Figure] | str:
    if not receiving.poll(limit_s):
        return f"it took longer than {limit_s:,.0f} s"
    try:
        found: list[Figure] | str = receiving.recv()
    except EOFError:
        child.join(GRACE_S)
        return f"its process ended with {child.exitcode}"
    return found


def _end(child: SpawnProcess, grace_s: float) -> None:
    """Ask it to stop what it started, as Ctrl-C does; what is left after `grace_s` is killed."""
    started = tree(child.pid or 0)
    if child.is_alive() and child.exitcode is None:
        child.join(0.5)  # it has told its figures and is about to end
        if child.is_alive():
            os.kill(child.pid or 0, signal.SIGINT)
        child.join(grace_s)
    for pid in {*started, *(tree(child.pid or 0) if child.is_alive() else ())}:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    child.join()


def _report(run: Run, pace: Pace, sending: Connection) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        found: list[Figure] | str = run(pace, say)
    except Exception as error:
        traceback.print_exc()
        found = f"{type(error).__name__}: {error}"
    sending.send(found)
    sending.close()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGINT)
