"""What a resolver forgets of somebody who was erased: every link that speaks of one of their ids, up to then."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from schemas.links import Link
from schemas.touchpoints import Recall
from streams.identity.erasures import CAUSE, Ledger
from streams.identity.memberships import Memberships
from streams.identity.recalls import Recalls

if TYPE_CHECKING:
    from streams.identity.knowledge import Knowledge


def known_names(knowledge: Knowledge) -> set[str]:
    """Every id that any link speaks of."""
    kept = (knowledge.memberships, knowledge.ties, knowledge.staff)
    return {
        *knowledge.graph.aliases(),
        *(name for memberships in kept for name in memberships.names()),
        *knowledge.declared.names(),
        *knowledge.records.names(),
        *knowledge.directory.claims.names(),
    }


def links_of(knowledge: Knowledge, name: str) -> list[Link]:
    """Every link that speaks of an id, also those that do not count."""
    graph, kept = knowledge.graph, (knowledge.memberships, knowledge.ties, knowledge.staff)
    return [
        *graph.links(name),
        *(link for memberships in kept for link in _of_memberships(memberships, name)),
        *knowledge.declared.of((name,)),
        *knowledge.records.links(name),
        *knowledge.directory.claims.links(name),
    ]


def _of_memberships(memberships: Memberships, name: str) -> Iterator[Link]:
    yield from memberships.all_of(name)
    for alias in set(memberships.members(name)):
        yield from (link for link in memberships.all_of(alias) if name in (_account(link),))


def _account(link: Link) -> str:
    return str(getattr(link, "account_id", "") or getattr(link, "b", ""))


def forget(knowledge: Knowledge, ledger: Ledger, names: Iterable[str], position: int) -> list[Recall]:
    """Forget what is covered of these ids; returns the recalls of all whose attribution that may change.

    What is told of them from later is kept apart (`Knowledge.told_since`): their record may be taken for the erased
    one's, and is then told again.
    """
    recalls = Recalls(knowledge)
    for name in sorted(names):
        recalls.add(name)
        for link in links_of(knowledge, name):
            if ledger.covers_link(link):
                knowledge.retract(link, position, recalls)
            elif link.evidence:  # what an account was only seen with is known without
                knowledge.told_since[link.link_id] = link
    return recalls.commands(position, CAUSE)
