"""What a page is: a name, an address, a question to the store, and the parts it is drawn in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from services.dashboard.reader import Reader
from services.dashboard.scope import Scope


class Answer(Protocol):
    """What a page's question found."""

    @property
    def is_empty(self) -> bool:
        """Nothing happened in the window with these filters."""


Ask = Callable[[Reader, Scope], Awaitable[Answer]]


@dataclass(frozen=True)
class Page:
    """`parts` are ids of elements, in order; each is drawn by `<id of the page>/_<part>.html` and lives by itself.

    `about_customers`: the filters apply to all of it; false for what is about Touchline itself.
    """

    id: str
    name: str
    path: str
    parts: tuple[str, ...]
    ask: Ask
    about_customers: bool = True
