"""A part of the benchmarks in a process of its own, with a time limit: what it told before it failed stays."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
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

Run = Callable[[Pace, Say], Iterable[Figure]]
"""A part; importable by its name. What it yields is told at once, so that nothing that happens later takes it back;
told again by the same name, the later value stands."""


class PartFailed(Exception):
    """A part that has not all its figures, and why."""

    def __init__(self, why: str, figures: Iterable[Figure] = ()) -> None:
        """`figures`: what it told before."""
        super().__init__(why)
        self.figures = list(figures)


def guarded(run: Run, pace: Pace, limit_s: float, *, grace_s: float = GRACE_S) -> list[Figure]:
    """Its figures. Raises PartFailed when it raises, dies or takes longer; nothing it started is left then."""
    context = get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    child = context.Process(target=_report, args=(run, pace, sending))
    child.start()
    sending.close()
    told: list[Figure] = []
    try:
        why = _outcome(child, receiving, limit_s, told)
    finally:
        _end(child, grace_s)
    figures = [*{(figure.part, figure.what): figure for figure in told}.values()]
    if why:
        raise PartFailed(why, figures)
    return figures


def each(steps: Mapping[str, Callable[[], Iterable[Figure]]], say: Say) -> Iterator[Figure]:
    """The figures of all steps, one after the other. Raises PartFailed behind the last for those that failed."""
    failed = []
    for name, step in steps.items():
        try:
            yield from step()
        except Exception as error:
            traceback.print_exc()
            failed.append(f"{name}: {_words(error)}")
            say(f"  {failed[-1]}")
    if failed:
        raise PartFailed("; ".join(failed))


def of_module(name: str) -> Run:
    """The part of that module, which is imported where it runs: one that cannot be imported is a part that fails."""
    return partial(_run, name)


def say(line: str) -> None:
    """How it goes, on stderr."""
    print(line, file=sys.stderr, flush=True)


def _run(name: str, pace: Pace, say: Say) -> Iterable[Figure]:
    figures: Iterable[Figure] = import_module(name).run(pace, say)
    return figures


def _outcome(child: SpawnProcess, receiving: Connection, limit_s: float, found: list[Figure]) -> str:
    """Why it has not all its figures; nothing when it has. What it tells is put into `found`."""
    until = time.monotonic() + limit_s
    try:
        while receiving.poll(max(0.0, until - time.monotonic())):
            told: Figure | str = receiving.recv()
            if isinstance(told, str):
                return told
            found.append(told)
    except EOFError:
        child.join(GRACE_S)
        return f"its process ended with {child.exitcode}"
    return f"it took longer than {limit_s:,.0f} s"


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
    why = ""
    try:
        for figure in run(pace, say):
            sending.send(figure)
    except Exception as error:
        traceback.print_exc()
        why = _words(error)
    sending.send(why)
    sending.close()


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, PartFailed) else f"{type(error).__name__}: {error}"


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGINT)
