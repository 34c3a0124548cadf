"""Ids that follow from a name. Each is a version 5 UUID (RFC 9562), as text."""

from __future__ import annotations

from hashlib import sha1
from uuid import UUID

#: The digit that names the variant, by the hash's own digit there: its two lower bits stay.
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def named_id(namespace: UUID, name: str) -> str:
    """`str(uuid5(namespace, name))` at a quarter of its cost: several are made for every event."""
    text = sha1(namespace.bytes + name.encode(), usedforsecurity=False).hexdigest()
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{_VARIANT[text[16]]}{text[17:20]}-{text[20:32]}"
