"""What a worker knows of identity at its start: all links at once, the fast way."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from schemas.ids import BARE
from schemas.links import AccountClaim, Decision, Edge, Erasure, Link, RecordChange
from schemas.touchpoints import Alias
from streams.identity.edges import Seen
from streams.identity.forgetting import forget, known_names

if TYPE_CHECKING:
    from streams.identity.knowledge import Knowledge


def load(knowledge: Knowledge, links: Iterable[Link | Seen | Erasure], position: int) -> None:
    """Take in links whose recalls and questions were sent before, the fast way: at a worker's start."""
    knowledge.graph.defer()
    asking = set[Alias]()
    for link in links:
        if isinstance(link, Seen):
            knowledge.graph.collect(link)
        elif isinstance(link, Erasure):
            knowledge.ledger.take(link)
        elif link.generation:
            knowledge.retold.take(link)
        else:
            asking |= _collect(knowledge, link)
    for link in knowledge.retold:  # whatever is older than these is known now
        asking |= _collect(knowledge, link)
    asking |= knowledge.graph.derive_all()
    knowledge.addresses.add_all()
    asking |= knowledge.followers.look_again(asking)  # whoever is in an account is among them
    for account in sorted(name for name in asking if name.startswith(BARE)):
        knowledge.directory.follow(account, knowledge.followers.followed(account))
    knowledge.proposals.look_again(asking, position, knowledge.addresses.at_claimed_hosts())
    if knowledge.ledger:
        _forget_all(knowledge, position)
    knowledge.proposals.news.clear()
    knowledge.position = max(knowledge.position, position)


def _forget_all(knowledge: Knowledge, position: int) -> None:
    """After a start: what was read before it was known who was erased. A second for a million ids."""
    forget(knowledge, knowledge.ledger, list(filter(knowledge.ledger.names, known_names(knowledge))), position)


def _collect(knowledge: Knowledge, link: Link) -> set[Alias]:
    """Take in a link at a start; returns the aliases of which something may be asked."""
    if isinstance(link, Edge):
        knowledge.see(link)
    elif isinstance(link, Decision) and link.about_people:
        knowledge.decide(link)
    elif isinstance(link, (AccountClaim, RecordChange)):
        knowledge.change(link)
    else:
        knowledge.take_in(link)
        return {link.a if isinstance(link, Decision) else link.alias}
    return set()
