"""The ledger of erasures: whether an id, and so a touchpoint or a link, is of somebody who was erased.

It holds keyed hashes alone. Whether something is covered depends on the ledger and its own time, not on when it comes:
so a replay, a late event and a restored backup are all judged alike, in any order.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b

from schemas.links import AccountClaim, Decision, Declared, Edge, Erasure, Link, Membership, RecordChange
from schemas.touchpoints import AttributedTouchpoint, CleanTouchpoint, Recall
from streams.identity.aliases import NAMING_KINDS, kind_of
from streams.identity.domains import address_host, company_domain
from streams.sentences import said

EVER = datetime.max.replace(tzinfo=UTC)
ERASED = "[erased]"
CAUSE = said("erased")
"""What is said of it: no name."""
LEAST_KEY_BYTES = 16
_MARK_BYTES = 16
_MOST_PEOPLE = 500
_MOST_KEY_BYTES = 64
#: An id in a sentence: a kind, a colon and a value without blanks.
_NAMED = re.compile(r"\b[a-z_]+:[^\s,;\"]+")


class Ledger:
    """All erasures that are known. Without a key it can heed none: `unread` says how many it could not."""

    def __init__(self, key: bytes = b"") -> None:
        self._key = key[:_MOST_KEY_BYTES]
        self._until: dict[str, datetime] = {}
        self._before: dict[str, datetime] = {}
        self._held: dict[str, datetime] = {}
        self._lifted: dict[str, datetime] = {}
        self._told: dict[str, Erasure] = {}
        self._records: dict[str, tuple[str, ...]] = {}
        self.unread = set[str]()
        self.mark = lru_cache(maxsize=65_536)(self._mark)

    def __bool__(self) -> bool:
        return bool(self._until)

    def __iter__(self) -> Iterator[Erasure]:
        return iter(self._told.values())

    @property
    def key_id(self) -> str:
        """Which key this is; says nothing of the key."""
        return blake2b(b"key of the ledger", key=self._key, digest_size=8).hexdigest() if self._key else ""

    def take(self, erasure: Erasure) -> bool:
        """Take one in; whether anything new is covered, or it is told again."""
        if not self._key or erasure.key_id != self.key_id:
            self.unread.add(erasure.link_id)
            return False
        known = self._told.get(erasure.link_id)
        if known is not None and known.round >= erasure.round:
            return False
        self._told[erasure.link_id] = erasure
        for mark in erasure.marks:
            self._cover(mark, erasure)
            if erasure.link_id not in (records := self._records.get(mark, ())):
                self._records[mark] = (*records, erasure.link_id)
        return True

    def of(self, name: str) -> Iterator[Erasure]:
        """The records that speak of an id: erasures, suppressions and lifts."""
        return (self._told[link_id] for link_id in self._records.get(self.mark(name), ()))

    def has_part(self, erasure_id: str, name: str) -> bool:
        """Whether an erasure speaks of an id."""
        return any(one.erasure_id == erasure_id for one in self.of(name))

    def suppressed(self, name: str) -> list[Erasure]:
        """All records of the erasures by which what occurs from now on of an id is dropped."""
        is_held = self.until(name) == EVER
        held = {one.erasure_id for one in self.of(name) if is_held and one.suppress}
        return [one for one in self._told.values() if one.suppress and one.erasure_id in held]

    def _cover(self, mark: str, erasure: Erasure) -> None:
        """Up to when is the latest of all: the order in which they are told never shows."""
        latest = self._lifted if erasure.lifts else self._held if erasure.suppress else self._before
        latest[mark] = max(erasure.before, latest.get(mark, erasure.before))
        held, lifted = self._held.get(mark), self._lifted.get(mark)
        if held is not None and (lifted is None or lifted < held):
            self._until[mark] = EVER
            return
        ends = [end for end in (self._before.get(mark), held and lifted) if end is not None]
        if ends:  # a lift of what was never suppressed covers nothing
            self._until[mark] = max(ends)

    def until(self, name: str) -> datetime | None:
        """Up to when what is told of an id is gone; None: it was not erased."""
        return self._until.get(self.mark(name)) if self._until else None

    def names(self, name: str) -> bool:
        """Whether an id is of somebody who was erased, at whatever time."""
        return self.until(name) is not None

    def has(self, name: str, at: datetime) -> bool:
        """Whether what is told of an id at a time is gone."""
        until = self.until(name)
        return until is not None and at <= until

    def covers(self, touchpoint: CleanTouchpoint) -> bool:
        """Whether a touchpoint is of an erased person or account.

        What names another person is that one's, though an erased person used the same browser or ticket.
        """
        if not self._until:
            return False
        at, aliases = touchpoint.ordered_at, touchpoint.aliases
        naming = [name for name in aliases if kind_of(name) in NAMING_KINDS]
        if any(self.has(name, at) for name in naming or aliases):
            return True
        places = {touchpoint.network, *touchpoint.account_refs, *map(place_of, aliases)} - {""}
        return any(self.has(name, at) for name in places)

    def covers_link(self, link: Link) -> bool:
        """Whether a link speaks of an id that is gone as of the link's time."""
        if not self._until:
            return False
        at = link.decided_at if isinstance(link, Decision) else link.since
        return any(self.has(name, at) for name in named_by(link))

    def names_link(self, link: Link) -> bool:
        """Whether a link speaks of an id that was ever erased."""
        return bool(self._until) and any(self.names(name) for name in named_by(link))

    def without_names(self, sentence: str) -> str:
        """A sentence without the ids of those who were erased."""
        if not self._until:
            return sentence
        return _NAMED.sub(lambda found: ERASED if self.names(found[0]) else found[0], sentence)

    def marked(self, names: Iterable[str], marks: frozenset[str]) -> list[str]:
        """Those of the names that have one of these marks. Takes a microsecond each."""
        return [name for name in names if self._mark(name) in marks]

    def _mark(self, name: str) -> str:
        return blake2b(name.encode(), key=self._key, digest_size=_MARK_BYTES).hexdigest()


def sweep(items: Iterable[AttributedTouchpoint], ledger: Ledger, position: int) -> list[Recall]:
    """Of stored touchpoints, the recalls that take those away that are covered.

    The links alone do not tell of all: a browser that nobody was seen with is on none. `position` is the erasure's.
    """
    due: dict[str, set[str]] = {}
    for item in items:
        if ledger.covers(item.touchpoint):
            due.setdefault(item.account_id, set()).add(item.attribution.person_id)
    return [
        Recall(
            account_id=account_id,
            person_ids=tuple(people[start : start + _MOST_PEOPLE]),
            knowledge=position,
            cause=CAUSE,
        )
        for account_id, people in sorted((account_id, sorted(found)) for account_id, found in due.items())
        for start in range(0, len(people), _MOST_PEOPLE)
    ]


def place_of(name: str) -> str:
    """The account that an address would make: an erased account is known by its domain, too."""
    host = address_host(name) if "@" in name else ""
    return f"domain:{company_domain(host)}" if host else ""


def named_by(link: Link) -> tuple[str, ...]:
    """Every id of a person, a thing or an account that a link speaks of."""
    if isinstance(link, (Edge, Decision)):
        return (link.a, link.b)
    if isinstance(link, Membership):
        return (link.alias, link.account_id)
    if isinstance(link, AccountClaim):
        return (link.account_id, link.value) if link.trait == "is" else (link.account_id,)
    if isinstance(link, RecordChange):
        return (link.record, link.into) if link.into else (link.record,)
    assert isinstance(link, Declared)
    return (link.alias,)
