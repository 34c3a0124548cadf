"""Names in a statement replaced by the expressions they stand for, with nothing else changed. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from services.embedded.clickhouse.parse import Unreadable

MAX_CHARS: Final = 256 << 10
_BEFORE_AN_ITEM: Final = frozenset([TokenType.COMMA, TokenType.SELECT, TokenType.DISTINCT])
_OPEN: Final = frozenset([TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE])
_CLOSE: Final = frozenset([TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE])

Span = tuple[int, int]


class Splice:
    """A text and the changes that are to be made in it; in what is put in, the changes are made too."""

    def __init__(self, text: str, tokens: list[Token]) -> None:
        self._text = text
        self._tokens = tokens
        self._at = {token.start: index for index, token in enumerate(tokens)}
        self._puts: dict[Span, Span] = {}
        self._items: dict[Span, Span] = {}

    def put(self, name: exp.Expr, alias: exp.Expr) -> None:
        """In the place of `name` what `alias` stands behind. Raises Unreadable when a place is not as it must be."""
        at = self._span(alias)
        if at not in self._items:
            self._items[at] = self._item(at)
        self._puts[self._span(name)] = self._items[at]

    def text(self) -> str:
        """The text with all changes. Raises Unreadable when it would be too long or names stand for each other."""
        names = sorted(self._puts)
        return _Writing(self._text, self._puts, names, [start for start, _ in names]).of((0, len(self._text)))

    def _span(self, identifier: exp.Expr) -> Span:
        meta = identifier.meta
        start, end = meta.get("start", 0), meta.get("end", -1) + 1
        written = self._text[start:end]
        if written != identifier.name and not (written[:1] in ("`", '"') and written[0] == written[-1]):
            raise Unreadable(f"the place of the name {identifier.name[:80]} is not clear")
        return start, end

    def _item(self, alias: Span) -> Span:
        """Where the expression before `AS alias` stands: back to the comma, or the word, that its item begins after."""
        last = self._at[alias[0]] - 1
        if self._tokens[last].token_type is not TokenType.ALIAS:
            raise Unreadable("an alias is written without AS")
        depth, first = 0, last
        while depth or self._tokens[first - 1].token_type not in _BEFORE_AN_ITEM:
            first -= 1
            kind = self._tokens[first].token_type
            depth += (kind in _CLOSE) - (kind in _OPEN)
            if first == 0 or depth < 0:
                raise Unreadable("the beginning of an expression was not found")
        return self._tokens[first].start, self._tokens[last - 1].end + 1


@dataclass(slots=True)
class _Writing:
    """Each item is written once, however often it is named, and no more in all than there is room for."""

    source: str
    puts: dict[Span, Span]
    names: list[Span]
    starts: list[int]
    known: dict[Span, str] = field(default_factory=dict)
    under_way: set[Span] = field(default_factory=set)
    written: int = 0

    def of(self, span: Span) -> str:
        """What stands at `span`, changed."""
        if span not in self.known:
            if span in self.under_way:
                raise Unreadable("two aliases are defined by each other")
            self.under_way.add(span)
            self.known[span] = "".join(self._pieces(*span))
        return self.known[span]

    def _pieces(self, at: int, stop: int) -> Iterator[str]:
        for index in range(bisect_left(self.starts, at), bisect_left(self.starts, stop)):
            start, end = self.names[index]
            yield self._counted(self.source[at:start])
            yield self._counted(f"({self.of(self.puts[start, end])})")
            at = end
        yield self._counted(self.source[at:stop])

    def _counted(self, piece: str) -> str:
        self.written += len(piece)
        if self.written > MAX_CHARS:
            raise Unreadable(f"with its aliases written out it is longer than {MAX_CHARS} characters")
        return piece
