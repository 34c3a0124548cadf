"""Room on the disk: what ClickHouse cannot be trusted with when there is none.

Inserts and merges reserve space and fail when there is none. But chdb does not say when a file cannot be written after
that: on a disk that others fill meanwhile it ends a part with empty files and says that all is well, and a merged part
of that kind takes the place of good ones. The files that say what a table is are written without looking at all. So
nothing is written while little is free, what was written while there was little counts as not stored, and merges
stop before it comes to that.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

from services.embedded.clickhouse.errors import NOT_ENOUGH_SPACE, ClickHouseError

LOOK_EVERY_S: Final = (0.02, 1.0)
"""Where little is free, and where much is."""
_FASTEST_BYTES_A_S: Final = 8 << 30
"""No disk is filled faster than that."""
_TIGHT_KEPT: Final = 1_000


def free_bytes(folder: Path) -> int:
    """Free where `folder` lies."""
    return shutil.disk_usage(folder).free


def check_room(folder: Path, needed_bytes: int) -> None:
    """Raises ClickHouseError 243 when less is free where `folder` lies."""
    free = free_bytes(folder)
    if free < needed_bytes:
        what = f"{free >> 20} MiB free at {folder}, {needed_bytes >> 20} MiB are needed to change anything"
        raise ClickHouseError.made(NOT_ENOUGH_SPACE, what)


class RoomWatch:
    """Looks all the time, in a thread of its own: the oftener, the sooner the fastest disk could be full.

    `merges(False)` is called when merges must stop, `merges(True)` when they may go on; both may raise, and are called
    again then.
    """

    def __init__(
        self, free: Callable[[], int], merges: Callable[[bool], None], *, needed_bytes: int, merge_bytes: int
    ) -> None:
        """`needed_bytes`: with less, nothing may be written. `merge_bytes`: with less, nothing is merged."""
        self._free, self._merges = free, merges
        self._needed_bytes, self._merge_bytes = needed_bytes, merge_bytes
        self._tight: deque[float] = deque(maxlen=_TIGHT_KEPT)
        self._may_merge = True
        self._pause_s = LOOK_EVERY_S[0]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="room", daemon=True)

    def start(self) -> None:
        """Looks once before it returns."""
        self.look()
        self._thread.start()

    def stop(self) -> None:
        """Safe to call twice, and before `start`."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def look(self) -> None:
        """Now."""
        free = self._free()
        shortest_s, longest_s = LOOK_EVERY_S
        self._pause_s = min(max((free - self._merge_bytes) / _FASTEST_BYTES_A_S, shortest_s), longest_s)
        if free < self._needed_bytes:
            self._tight.append(time.monotonic())
        # going on needs more than stopping, or a disk that is just so full would be merged on and off
        may = free >= self._merge_bytes * (1.0 if self._may_merge else 1.5)
        if may != self._may_merge:
            self._merges(may)
            self._may_merge = may

    def check(self, since: float) -> None:
        """Raises ClickHouseError 243 when there was too little at any moment since then (`time.monotonic()`)."""
        self.look()
        if self._tight and self._tight[-1] >= since:
            what = f"less than {self._needed_bytes >> 20} MiB were free meanwhile: what was written may not be whole"
            raise ClickHouseError.made(NOT_ENOUGH_SPACE, what)

    def _run(self) -> None:
        while not self._over.wait(self._pause_s):
            try:
                self.look()
            except Exception:  # noqa: BLE001, S110 - the folder or the engine is just going: the next look will show
                continue
