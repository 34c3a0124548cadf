"""What the sink does not store: rows of people and accounts that were erased, whoever replays what told of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from pydantic import TypeAdapter

from schemas.facts import Fact
from schemas.links import Carried, Erasure
from services.sink.batch import Item
from streams.identity.erasures import Ledger

LEDGER: Final = "SELECT payload FROM links FINAL WHERE kind = 'erasure'"
_ERASURE: TypeAdapter[Erasure] = TypeAdapter(Erasure)


class Rows(Protocol):
    """The part of Store that is used here; may raise StoreUnavailable."""

    def rows(self, sql: str, parameters: dict[str, object]) -> list[dict[str, object]]: ...


class Erased:
    """The ledger as the store has it, and as it grows: read at the first batch."""

    def __init__(self, store: Rows, ledger: Ledger) -> None:
        """`ledger`: with its key, empty."""
        self._store, self._ledger, self._is_read = store, ledger, False

    def kept(self, items: Sequence[Item]) -> Sequence[Item]:
        """The items that may be stored, without names in what is only said. Raises StoreUnavailable."""
        if not self._is_read and self._ledger.key_id:
            self._take(_ERASURE.validate_json(str(row["payload"])) for row in self._store.rows(LEDGER, {}))
            self._is_read = True
        self._take(item.link for item in items if isinstance(item.link, Erasure))
        if not self._ledger:
            return items
        return [kept for item in items if (kept := self._judged(item)) is not None]

    def _take(self, erasures: Iterable[Erasure]) -> None:
        for erasure in erasures:
            self._ledger.take(erasure)

    def _judged(self, item: Item) -> Item | None:
        ledger, link, fact = self._ledger, item.link, item.fact
        if link is not None:
            return None if not isinstance(link, (Erasure, Carried)) and ledger.covers_link(link) else item
        if fact is None or self._is_gone(fact):
            return None
        if fact.kind == "correction" and (cause := ledger.without_names(fact.cause)) != fact.cause:
            return Item(item.record, item.index, fact.changed(cause=cause, cause_coded=""))
        return item

    def _is_gone(self, fact: Fact) -> bool:
        match fact.kind:
            case "touchpoint":
                return self._ledger.covers(fact.input.touchpoint)
            case "proposal":
                return self._ledger.names(fact.a) or self._ledger.names(fact.b)
        return False
