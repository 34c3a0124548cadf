"""Answers that are the same each time, kept within a number of bytes: keys and values are of a stranger's choosing."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class BoundedCache(Generic[Key]):
    """Key → bytes, from any thread; who was asked for longest ago goes first. Too large an entry is not kept."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._held_bytes = 0
        self._entries: OrderedDict[Key, tuple[bytes, int]] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def held_bytes(self) -> int:
        """What the entries weigh, by what `put` was told."""
        return self._held_bytes

    def get(self, key: Key) -> bytes | None:
        """What was put under `key`, if it is still there."""
        with self._lock:
            found = self._entries.get(key)
            if found is None:
                return None
            self._entries.move_to_end(key)
            return found[0]

    def put(self, key: Key, value: bytes, key_bytes: int) -> None:
        """Keeps `value`. `key_bytes`: what the key itself weighs."""
        weight = len(value) + key_bytes + _ENTRY_BYTES
        if weight > self._max_bytes // 8:
            return
        with self._lock:
            self._held_bytes += weight - self._entries.pop(key, (b"", 0))[1]
            self._entries[key] = value, weight
            while self._held_bytes > self._max_bytes:
                self._held_bytes -= self._entries.popitem(last=False)[1][1]


_ENTRY_BYTES = 512
"""What Python needs for an entry beside its bytes, generously."""
