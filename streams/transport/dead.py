"""Dead letters: what can never be processed, with its original bytes, why, and where it came from. And their fuse."""

from __future__ import annotations

import base64
from collections import deque
from datetime import UTC, datetime
from uuid import NAMESPACE_URL

from schemas.errors import TouchlineError
from schemas.touchpoints import DeadLetter
from streams.ids import named_id

Origin = tuple[str, int, int]
"""(topic, partition, offset) of the record."""


class FuseBlown(TouchlineError):
    """Most of the input is refused: a wrong writer or a wrong reader, not poison. People must look."""


class Fuse:
    """Blows when more than `ratio` of the last `window` items were refused, counted from `minimum` items on."""

    def __init__(self, *, ratio: float = 0.5, minimum: int = 1_000, window: int = 10_000) -> None:
        self._ratio, self._minimum, self._window = ratio, minimum, window
        self._batches: deque[tuple[int, int]] = deque()
        self._items = self._refused = 0

    def note(self, items: int, refused: int) -> None:
        """Count a batch. Raises FuseBlown."""
        self._batches.append((items, refused))
        self._items += items
        self._refused += refused
        while self._batches and self._items - self._batches[0][0] >= self._window:
            gone_items, gone_refused = self._batches.popleft()
            self._items -= gone_items
            self._refused -= gone_refused
        if self._items >= self._minimum and self._refused > self._ratio * self._items:
            raise FuseBlown(f"{self._refused} of the last {self._items} items were refused")


def letter(
    stage: str, original: bytes, reason: str, message: str, origin: Origin, index: int, **about: str
) -> DeadLetter:
    """The letter for one item; the same item of the same record has the same id, however often it fails."""
    topic, partition, offset = origin
    try:
        text, encoding = original.decode(), "utf-8"
    except UnicodeDecodeError:
        text, encoding = base64.b64encode(original).decode(), "base64"
    return DeadLetter.model_validate(
        about
        | {
            "letter_id": named_id(NAMESPACE_URL, f"{stage}/{topic}/{partition}/{offset}/{index}"),
            "stage": stage,
            "reason": reason,
            "message": message[:500],
            "original": text,
            "encoding": encoding,
            "origin_topic": topic,
            "origin_partition": partition,
            "origin_offset": offset,
            "origin_index": index,
            "failed_at": datetime.now(UTC),
        }
    )
