"""Ids that follow from a name. Each is a version 5 UUID (RFC 9562), as text."""

from __future__ import annotations

from hashlib import sha1
from uuid import UUID


def named_id(namespace: UUID, name: str) -> str:
    """`str(uuid5(namespace, name))` at a third of its cost: several are made for every event."""
    made = bytearray(sha1(namespace.bytes + name.encode(), usedforsecurity=False).digest()[:16])
    made[6] = made[6] & 0x0F | 0x50
    made[8] = made[8] & 0x3F | 0x80
    text = made.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
