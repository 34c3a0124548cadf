"""Ends what nothing else ends: a reader's statement that looks at no clock.

ClickHouse looks at a statement's time and at KILL between blocks. One call of a function on a long text or array may
take minutes (`replaceRegexpAll` with a pattern that fails late, `has` within a lambda), and no thread can be stopped
from outside. The process can: whoever supervises it starts it again, and what was answered to services is on the disk.
"""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

EXIT_OVERDUE: Final = 75
_LOOK_EVERY_S: Final = 1.0
_log = logging.getLogger("touchline.warehouse")


def end_process(what: str) -> None:
    """At once, as a kill does: the thread that will not stop would keep every other way from its end."""
    _log.critical("ending, to be started again: a reader's statement runs on long after its time: %s", what)
    logging.shutdown()
    os._exit(EXIT_OVERDUE)


class Overdue:
    """Looks, in a thread of its own, for statements without a sign of life for `after_s`.

    `end` gets what is known of the first one.
    """

    def __init__(self, after_s: float, end: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._after_s, self._end, self._clock = after_s, end, clock
        self._alive: dict[object, tuple[float, str]] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="overdue", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Safe to call twice, and before `start`."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    @contextmanager
    def watched(self, what: str) -> Iterator[Callable[[], AbstractContextManager[None]]]:
        """Gives what is to be entered while the statement waits for somebody else: it is alive then, and after that.

        Any thread may use it.
        """
        key = object()

        @contextmanager
        def waiting() -> Iterator[None]:
            self._alive[key] = (math.inf, what)
            try:
                yield
            finally:
                self._alive[key] = (self._clock(), what)

        self._alive[key] = (self._clock(), what)
        try:
            yield waiting
        finally:
            del self._alive[key]

    def look(self) -> None:
        """Now."""
        late = self._clock() - self._after_s
        for seen_at, what in list(self._alive.values()):
            if seen_at < late:
                self._end(what)
                return

    def _run(self) -> None:
        while not self._over.wait(_LOOK_EVERY_S):
            self.look()
