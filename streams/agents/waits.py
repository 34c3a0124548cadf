"""What a stage waits for and knows that it does: said once, told by /healthz, and no stall."""

from __future__ import annotations

import logging
import time

_log = logging.getLogger("touchline.stage")


class Waits:
    """Who waits for what, and since when. Each part of a stage has a name here, so that none ends another's wait."""

    def __init__(self) -> None:
        self._of: dict[str, tuple[float, str]] = {}

    def wait(self, who: str, what: str) -> None:
        """Say, once, that `who` cannot go on before `what` is there."""
        since, _ = self._of.get(who, (None, ""))
        if since is None:
            since = time.monotonic()
            _log.warning("waiting: %s", what)
        self._of[who] = (since, what)

    def go_on(self, who: str) -> None:
        """What `who` waited for is there."""
        self._of.pop(who, None)

    @property
    def what(self) -> str:
        """All that is waited for; empty when nothing is."""
        return "; ".join(sorted({what for _, what in self._of.values()}))

    def __bool__(self) -> bool:
        return bool(self._of)
