"""Links that were told anew or taken back, because a newer mapping no longer read their evidence so.

They are few. Of each the one that stands is kept here, beside what follows from it; so a link from before, which an
older resolver or an older reading may still tell, changes nothing any more.
"""

from __future__ import annotations

from collections.abc import Iterator

from schemas.links import AccountClaim, Decision, Edge, Link, Membership, RecordChange, supersedes
from streams.identity.aliases import is_person


class Retold:
    """By id."""

    def __init__(self) -> None:
        self._standing: dict[str, Link] = {}
        self._named = set[str]()

    def __bool__(self) -> bool:
        return bool(self._standing)

    def __iter__(self) -> Iterator[Link]:
        return iter(self._standing.values())

    def standing(self, link: Link) -> Link | None:
        """What was told anew of this link; None for nearly all."""
        return self._standing.get(link.link_id) if self._standing else None

    def stamped(self, link: Link) -> Link:
        """New evidence for a link, as it is to be told: in the generation that the link has reached."""
        known = self.standing(link)
        return link if known is None else link.changed(generation=known.generation)

    def take(self, link: Link) -> None:
        """A link is told anew, or one that was gets better evidence."""
        known = self.standing(link)
        if known is None or supersedes(link, known):
            self._standing[link.link_id] = link
            self._named.update(aliases_of(link))

    def drop(self, link: Link) -> None:
        """Forget that it was told anew."""
        self._standing.pop(link.link_id, None)

    def names(self, alias: str) -> bool:
        """Whether anything that was told anew speaks of an alias: it need not be new when a link says so first."""
        return alias in self._named


def aliases_of(link: Link) -> tuple[str, ...]:
    """The aliases of people and things that a link speaks of."""
    if isinstance(link, (Edge, Decision)):
        return (link.a, link.b) if isinstance(link, Edge) or link.about_people else (link.a,)
    if isinstance(link, Membership):
        return (link.alias, link.account_id) if is_person(link.account_id) else (link.alias,)
    if isinstance(link, RecordChange):
        return () if link.is_of_account else tuple(name for name in (link.record, link.into) if name)
    return () if isinstance(link, AccountClaim) else (link.alias,)


def accounts_of(link: Link) -> tuple[str, ...]:
    """The accounts that a link speaks of."""
    if isinstance(link, AccountClaim):
        return (link.account_id, link.value) if link.trait == "is" else (link.account_id,)
    if isinstance(link, RecordChange):
        return tuple(name for name in (link.record, link.into) if name) if link.is_of_account else ()
    if isinstance(link, Membership):
        return () if is_person(link.account_id) else (link.account_id,)
    return (link.b,) if isinstance(link, Decision) and not link.about_people else ()
