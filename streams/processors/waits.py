"""What a stage waits for and knows that it does: said once, told by /healthz, and no stall."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

#: Who has waited for so long for somebody else says so.
PATIENCE_S = 5.0
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

    @contextmanager
    def for_an_answer(self, who: str, of: str) -> Iterator[None]:
        """While the block waits for `of` longer than PATIENCE_S, `who` does so knowingly: it may hang, too."""
        words = f"{of}, which has not answered for {PATIENCE_S:.0f} s"
        patience = asyncio.get_running_loop().call_later(PATIENCE_S, self.wait, who, words)
        try:
            yield
        finally:
            patience.cancel()
            self.go_on(who)

    @property
    def what(self) -> str:
        """All that is waited for; empty when nothing is."""
        return "; ".join(sorted({what for _, what in self._of.values()}))

    def __bool__(self) -> bool:
        return bool(self._of)
