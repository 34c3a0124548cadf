"""When somebody last looked: a reader of any kind, or a page. Services write less often while nobody does."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

from services.embedded.clickhouse.roles import Role
from streams.runtime.clickhouse import LOOKED, PAGE

_AGENT: Final = "user-agent"


class Looks:
    """Belongs to the event loop. A start counts as a look: whoever looked at the process before is not known."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last_s = clock()

    def note(self, role: Role, headers: Mapping[str, str]) -> None:
        """A request comes. Of a service it is a look only where it says that it asks for a page."""
        if role.reads or headers.get(_AGENT, "").startswith(PAGE):
            self._last_s = self._clock()

    def headers(self, role: Role) -> dict[str, str]:
        """What an answer's summary says beside ClickHouse's own; only to services."""
        return {} if role.reads else {LOOKED: f"{self._clock() - self._last_s:.1f}"}
