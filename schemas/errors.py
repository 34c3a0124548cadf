"""What can go wrong, as three kinds that decide what happens next.

TouchlineError
├── PermanentError      can never succeed      → dead letter, neighbours go on
│   ├── MalformedPayload
│   └── UnmappableEvent
├── TransientError      may succeed later      → wait and retry in place, for ever
│   └── StoreUnavailable
│       └── StoreFull
└── ConfigurationError  refused at start       → exit 78
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class TouchlineError(Exception):
    """Base of everything Touchline raises on purpose."""


class PermanentError(TouchlineError):
    """Can never succeed. `reason` is a short slug for metrics, the message a line for people."""

    reason = "permanent"

    def __init__(self, message: str, reason: str | None = None) -> None:
        super().__init__(message)
        if reason is not None:
            self.reason = reason


class MalformedPayload(PermanentError):
    """The bytes are not what the protocol says they are."""

    reason = "malformed"


class UnmappableEvent(PermanentError):
    """Well-formed, but lacks what a touchpoint needs."""

    reason = "unmappable"


class TransientError(TouchlineError):
    """A dependency is away; the same call may succeed later."""


class StoreUnavailable(TransientError):
    """ClickHouse does not answer, or asks us to come back."""


class StoreFull(StoreUnavailable):
    """ClickHouse has no disk space left for what it was asked to store; nothing of it is stored."""


class ConfigurationError(TouchlineError):
    """The configuration is refused. The message names file, line, field and a way out."""


def shown(value: object, limit: int = 80) -> str:
    """`value` for an error message: its repr, cut to `limit` characters."""
    text = repr(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def did_you_mean(word: str, known: Iterable[str], *, list_all: bool = True) -> str:
    """`; did you mean x?`, or (`list_all`) what there is when nothing is near and the list is short."""
    names = list(known)
    near = difflib.get_close_matches(word.lower(), names, n=1, cutoff=0.6)
    if near:
        return f"; did you mean `{near[0]}`?"
    return f"; known: {', '.join(names)}" if list_all and 0 < len(names) <= 16 else ""
