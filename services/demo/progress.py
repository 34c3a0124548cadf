"""What the terminal says: status lines, and how far the feed is; in place on a terminal, else a line now and then."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO


class Terminal:
    """Lines and one progress line below them. Used by two threads."""

    def __init__(self, out: TextIO = sys.stderr, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out
        self._clock = clock
        self._in_place = out.isatty()
        self._lock = threading.Lock()
        self._shown = ""
        self._said_s = float("-inf")

    def say(self, line: str) -> None:
        """A line that stays."""
        with self._lock:
            self._write(f"{self._clear()}{line}\n{self._shown}")

    def progress(self, text: str, every_s: float) -> None:
        """How it goes now; at most one line in `every_s` where nothing can be overwritten."""
        with self._lock:
            if self._in_place:
                self._write(f"{self._clear()}{text}")
                self._shown = text
            elif self._clock() - self._said_s >= every_s:
                self._said_s = self._clock()
                self._write(f"{text}\n")

    def done(self, line: str) -> None:
        """The progress line gives way to one that stays."""
        with self._lock:
            self._write(f"{self._clear()}{line}\n")
            self._shown = ""

    def _clear(self) -> str:
        return "\r\x1b[K" if self._in_place else ""

    def _write(self, text: str) -> None:
        with suppress(OSError):  # where nobody reads any more, the feed goes on and can be stopped
            self._out.write(text)
            self._out.flush()


def history_line(sent: int, total: int, took_s: float) -> str:
    """`history     1,200 of 15,670 sent · 1,480/s · 10 s left`."""
    rate = sent / took_s if took_s > 0 else 0.0
    left = f" · {(total - sent) / rate:.0f} s left" if rate and sent < total else ""
    return f"history     {sent:,} of {total:,} events sent · {rate:,.0f}/s{left}"
