"""Whether a log still holds what was read from it. Pure.

A broker that lost the tail of a log gives its offsets to other records. The offset alone does not tell; the leader
epoch does: each record was written in one, every new leader (and every restarted broker) begins another, and Kafka says
where an epoch ended. If the epoch of the last record that we read ended before our place, what we read there is gone.
A topic that was deleted and made again begins its epochs anew; its id differs.
"""

from __future__ import annotations

import json
import struct
from bisect import bisect_right, insort
from collections.abc import Iterator
from dataclasses import dataclass, field

_BATCH = struct.Struct(">qii")
"""Of a record batch: first offset, bytes that follow the length, leader epoch."""
_LENGTH_ENDS = 12
_RUNS_KEPT = 16


@dataclass(frozen=True, slots=True)
class Return:
    """A group went back in a log, and why. `at` in ISO 8601, UTC."""

    at: str
    expected: int
    resumed: int
    recreated: bool = False

    def sentence(self, place: str) -> str:
        """In words."""
        what = "the topic was deleted and made again" if self.recreated else "the log had lost its tail"
        return f"{place}: {what}; read again from offset {self.resumed} (had been at {self.expected}) at {self.at}"


@dataclass(frozen=True, slots=True)
class Mark:
    """What a commit says beside its offset: the epoch of the record before it, the topic's id, the last return."""

    epoch: int | None = None
    topic_id: str = ""
    back: Return | None = None

    def text(self) -> str:
        """As the commit's metadata."""
        fields: dict[str, object] = {"epoch": self.epoch, "topic": self.topic_id}
        if self.back is not None:
            fields["back"] = [self.back.at, self.back.expected, self.back.resumed, self.back.recreated]
        return json.dumps(fields, separators=(",", ":"))

    @classmethod
    def read(cls, text: str | None) -> Mark:
        """What `text` wrote; an empty one for anything else: commits of older versions and of other programs."""
        try:
            fields = json.loads(text or "{}")
            epoch, topic_id, back = fields.get("epoch"), fields.get("topic", ""), fields.get("back")
            if not (epoch is None or isinstance(epoch, int)) or not isinstance(topic_id, str):
                return cls()
            return cls(epoch, topic_id, Return(*back) if back else None)
        except (ValueError, AttributeError, TypeError):
            return cls()


@dataclass(slots=True)
class Lineage:
    """The leader epochs of what was read of one partition, and the topic it was read from."""

    topic_id: str = ""
    back: Return | None = None
    is_checked: bool = False
    _runs: list[tuple[int, int]] = field(default_factory=list)

    def note(self, offset: int, epoch: int) -> None:
        """The record at `offset` was written in `epoch`, and those behind it as far as nothing else is noted."""
        at = bisect_right(self._runs, (offset, epoch))
        if at and self._runs[at - 1][1] == epoch:
            return
        insort(self._runs, (offset, epoch))
        del self._runs[:-_RUNS_KEPT]

    def before(self, offset: int) -> int | None:
        """The epoch of the last record before `offset`, if it is known."""
        at = bisect_right(self._runs, (offset, -1))
        return self._runs[at - 1][1] if at else None

    def take_up(self, committed: int, mark: Mark) -> None:
        """Go on from what a commit says."""
        if mark.epoch is not None:
            self.note(committed - 1, mark.epoch)
        self.topic_id = self.topic_id or mark.topic_id
        self.back = self.back or mark.back

    def mark(self, offset: int) -> Mark:
        """What to say beside a commit of `offset`."""
        return Mark(self.before(offset), self.topic_id, self.back)


def epochs(records: bytes) -> Iterator[tuple[int, int]]:
    """First offset and leader epoch of each batch of a fetch; the last one may be cut short."""
    at = 0
    while at + _BATCH.size <= len(records):
        first, length, epoch = _BATCH.unpack_from(records, at)
        yield first, epoch
        at += _LENGTH_ENDS + length
