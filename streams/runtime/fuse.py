"""The fuse of a stage or a source: most of what comes is refused, so nothing more is taken.

Where a source's fuse blows, `streams/processors/attribute.py` sets the source aside; `parking_leader.py` and
`parking_worker.py` beside it try and resume it.
"""

from __future__ import annotations

from collections import deque

from schemas.errors import TouchlineError


class FuseBlown(TouchlineError):
    """Most of a stage's input is refused: a wrong writer or a wrong reader, not poison. People must look."""


class Fuse:
    """Is blown once more than `ratio` of the last `window` items were refused, counted from `minimum` items on."""

    def __init__(self, *, ratio: float = 0.5, minimum: int = 1_000, window: int = 10_000) -> None:
        self._ratio, self._minimum, self._window = ratio, minimum, window
        self._batches: deque[tuple[int, int]] = deque()
        self._items = self._refused = 0

    def note(self, items: int, refused: int) -> None:
        """Count a batch. Raises FuseBlown."""
        if not items and not refused:
            return
        self._batches.append((items, refused))
        self._items += items
        self._refused += refused
        while self._batches and self._items - self._batches[0][0] >= self._window:
            gone_items, gone_refused = self._batches.popleft()
            self._items -= gone_items
            self._refused -= gone_refused
        if self._items >= self._minimum and self._refused > self._ratio * self._items:
            raise FuseBlown(f"{self._refused:,} of the last {self._items:,} items were refused")


class SourceFuses:
    """A fuse for each source, so that one that talks nonsense says nothing about its neighbours.

    What was counted is gone with the process: a source is then refused `SOURCE_MINIMUM` items more, which are letters.
    """

    SOURCE_MINIMUM = 500
    SOURCE_WINDOW = 5_000
    MOST_SOURCES = 1_000
    """Names come with the requests; a program that invents them must not fill the memory."""

    def __init__(self) -> None:
        self._fuses: dict[str, Fuse] = {}

    def note(self, source: str, items: int, refused: int) -> None:
        """Count what became of one request of a source. Raises FuseBlown."""
        fuse = self._fuses.get(source)
        if fuse is None:
            if len(self._fuses) >= self.MOST_SOURCES:
                self._fuses.clear()
            fuse = self._fuses[source] = Fuse(minimum=self.SOURCE_MINIMUM, window=self.SOURCE_WINDOW)
        fuse.note(items, refused)

    def forget(self, source: str) -> None:
        """It begins anew: it was set aside, or is read again."""
        self._fuses.pop(source, None)
