"""What a page is: a name, an address, a question to the store, and the parts it is drawn in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable
from urllib.parse import quote

from services.dashboard.reader import Reader
from services.dashboard.scope import Scope

SUBJECT = "{about:path}"


class Answer(Protocol):
    """What a page's question found."""

    @property
    def is_empty(self) -> bool:
        """Nothing happened in the window with these filters."""


@runtime_checkable
class Narrowed(Protocol):
    """An answer about less than the filters say."""

    @property
    def reach(self) -> Scope:
        """What it is about, as filters: where the nearest window with data is looked for."""


Ask = Callable[[Reader, Scope], Awaitable[Answer]]


@dataclass(frozen=True)
class Page:
    """`parts` are ids of elements, in order; each is drawn by `<id of the page>/_<part>.html` and lives by itself.

    `about_customers`: the filters apply to all of it; false for what is about Touchline itself. `under`: the page of
    the navigation it belongs to, when it is not there itself. `tab`: its name among the kinds of one page. `standing`:
    parts that tell where somebody stands, whatever the filters. `has_side`: what its list names opens beside it, at an
    address under its own, where there is room for both. A path that ends with `{about:path}` is about one
    thing, and opens over other pages, too.
    """

    id: str
    name: str
    path: str
    parts: tuple[str, ...]
    ask: Ask
    about_customers: bool = True
    under: str = ""
    tab: str = ""
    standing: tuple[str, ...] = ()
    has_side: bool = False

    @property
    def is_about_one(self) -> bool:
        return self.path.endswith(SUBJECT)

    def address(self, subject: str = "") -> str:
        """Without a query."""
        return self.path.replace(SUBJECT, quote(subject, safe=""))
