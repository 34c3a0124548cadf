"""How readers' statements share the processors, so that one is left for services, whoever else is busy."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import count
from typing import Final

SERVICES: Final = 1
"""ClickHouse's `priority` of a service's statement: who has a larger number pauses at its next block while it runs."""
READERS: Final = 10
"""And of the first of readers'."""
_LAST: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Share:
    """`threads` of one statement, and how many such statements go `at_once` without a pause."""

    threads: int
    at_once: int


def share(processors: int, most_threads: int) -> Share:
    """All processors but one are for readers; where there is only one, it is shared."""
    spare = max(processors - 1, 1)
    threads = min(most_threads, spare)
    return Share(threads, spare // threads)


def of_this_machine(most_threads: int) -> Share:
    """On the processors that this process may use."""
    return share(
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, most_threads
    )


class Ranks:
    """The `priority` of one reader's statement after the other: the later it began, the sooner it goes.

    So a short question is answered beside a long one, which goes on a block at a time until it is alone again.
    `at_once` neighbours have the same rank. May be used from any thread.
    """

    def __init__(self, at_once: int) -> None:
        self._begun = count()
        self._at_once = at_once

    def following(self) -> int:
        """Of the statement that begins now."""
        return _LAST - next(self._begun) // self._at_once % (_LAST - READERS)
