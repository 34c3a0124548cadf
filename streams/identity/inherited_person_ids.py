"""Person ids from before ids carried their source: who had one keeps it.

A person is named by one of their aliases, and so is a deal or a ticket that nobody is known of. What an alias without
a directory named then, it names now under its new form. Where two directories had an alias of one number, it is
theirs who used it first; the other one's person is named anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from schemas.ids import FAMILY, parts
from schemas.links import AccountClaim, Decision, Edge, Link, Membership, RecordChange
from schemas.touchpoints import Alias
from streams.identity.directories import Directories

#: What may never have been on a link: its directory is the one whose things were there first.
_THINGS = frozenset({"crm_deal", "crm_ticket", "ticket"})
_NAMING = _THINGS | {"crm_contact", "support_user"}


class Kept:
    """What links say that were written before; order does not show."""

    def __init__(self) -> None:
        self._owner: dict[Alias, tuple[datetime, Alias]] = {}
        self._first: dict[str, tuple[datetime, str]] = {}

    def current(self, link: Link, directories: Directories) -> Link:
        """A link as it is read now; one of before is noted."""
        now: Link = directories.link(link)
        if not link.scoped:
            self.note(link, now)
        return now

    def note(self, before: Link, now: Link) -> None:
        """A link as it was written, and as it is read now."""
        since = before.decided_at if isinstance(before, Decision) else before.since
        for old, new in zip(_aliases(before), _aliases(now), strict=True):
            found = parts(new)
            if found is None:
                continue
            if found.kind in _NAMING and (old not in self._owner or (since, new) < self._owner[old]):
                self._owner[old] = (since, new)
            family, used = FAMILY[found.kind], (since, found.directory)
            self._first[family] = min(used, self._first.get(family, used))

    def name(self, alias: Alias) -> str:
        """What the id of a person is made of who is named by this alias."""
        found = parts(alias) if self._first else None
        if found is None or found.kind not in FAMILY:
            return alias
        owner = self._owner.get(found.bare)
        if owner is not None:
            return found.bare if owner[1] == alias else alias
        first = self._first.get(FAMILY[found.kind])
        is_first = found.kind in _THINGS and first is not None and first[1] == found.directory
        return found.bare if is_first else alias


def _aliases(link: Link) -> Iterator[Alias]:
    if isinstance(link, (Edge, Decision)):
        yield from (link.a, link.b)
    elif isinstance(link, Membership):
        yield from (link.alias, link.account_id)
    elif isinstance(link, RecordChange):
        yield link.record
    elif not isinstance(link, AccountClaim):
        yield link.alias
