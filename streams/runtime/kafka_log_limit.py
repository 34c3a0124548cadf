"""Lines of Kafka's client, kept sparse: while a broker is away it says the same some hundred times a second."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

EVERY_S = 10.0
CHATTY = ("aiokafka", "kafka")


class Sparse(logging.Filter):
    """Lets each message of a chatty logger pass once in EVERY_S; the next that passes says how many did not.

    Two lines are the same message when they come from the same statement, whatever it puts in.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._passed_s: dict[tuple[str, int], float] = {}
        self._held: dict[tuple[str, int], int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is written."""
        if record.name.partition(".")[0] not in CHATTY:
            return True
        place, now_s = (record.pathname, record.lineno), self._clock()
        if now_s - self._passed_s.get(place, float("-inf")) < EVERY_S:
            self._held[place] = self._held.get(place, 0) + 1
            return False
        self._passed_s[place] = now_s
        if held := self._held.pop(place, 0):
            record.more_like_it = held
        return True
