"""Ids that turn out to be an erased person's only after the erasure: the ledger's records that erase them, too. Pure.

An id is theirs, too, if one event tells it together with an id that names them, or somebody decided so. A browser, a
line or a ticket passes nothing on: who else was seen with it may be somebody else. Two workers that read the same event
make the same records, so telling them twice is telling them once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from schemas.links import Decision, Edge, Erasure, Link, Membership
from schemas.touchpoints import Alias, CleanTouchpoint
from streams.identity.aliases import NAMING_KINDS, TICKETS, is_mailbox, kind_of
from streams.identity.edges import MAX_EDGES
from streams.identity.erasures import Ledger, place_of
from streams.identity.forgetting import links_of
from streams.identity.graph import MAX_DECIDED
from streams.identity.learning import implied

if TYPE_CHECKING:
    from streams.identity.knowledge import Knowledge

_DIGITS_OF_A_PART: Final = 13
"""Of a mark; as a number it is exact in JSON everywhere."""


def late_ids(knowledge: Knowledge, touchpoint: CleanTouchpoint) -> list[Erasure]:
    """What the ledger must be told because of this touchpoint; nearly always nothing."""
    ledger = knowledge.ledger
    if not ledger or not any(any(_erasures(ledger, name)) for name in touchpoint.aliases):
        return []
    return [one for link in implied(touchpoint) for one in spread(knowledge, link)]


def spread(knowledge: Knowledge, link: Link) -> Iterator[Erasure]:
    """The records by which what a link ties to an erased person is erased as they are, and what hangs on that."""
    ledger, reached = knowledge.ledger, set[Alias]()
    waiting = [(list(_erasures(ledger, known)), known, other, link) for known, other in ties(link)]
    while waiting and len(reached) < MAX_DECIDED:
        erasures, known, other, told = waiting.pop()
        missing = [one for one in erasures if not ledger.has_part(one.erasure_id, other)]
        if not missing or other in reached or not _is_theirs(knowledge, known, other, told):
            continue
        reached.add(other)
        yield from (_also(ledger, one, other) for one in missing)
        further = ((*tie, more) for more in links_of(knowledge, other) for tie in ties(more) if tie[0] == other)
        waiting += [(missing, *tie) for tie in further]


def ties(link: Link) -> Iterator[tuple[Alias, Alias]]:
    """(an id that names somebody, an id that a link says is theirs, too)."""
    if isinstance(link, Edge):
        for known, other in {(link.a, link.b), (link.b, link.a)} if link.a != link.b else ():
            if _names(known) and not is_mailbox(other) and not (link.typed and _names(other)):
                yield known, other
    elif isinstance(link, Decision) and link.verdict == "link":
        yield from (pair for pair in ((link.a, link.b), (link.b, link.a)) if _names(pair[0]))
    elif isinstance(link, Membership) and link.alias.startswith(TICKETS) and _names(link.account_id):
        yield link.account_id, link.alias


def _erasures(ledger: Ledger, name: Alias) -> Iterator[Erasure]:
    """Of an id, and of the account whose address it is."""
    yield from ledger.of(name)
    yield from ledger.of(place_of(name))


def _names(name: str) -> bool:
    return kind_of(name) in NAMING_KINDS


def _is_theirs(knowledge: Knowledge, known: Alias, other: Alias, told: Link) -> bool:
    """Whether nothing that is known stands against it."""
    graph, ledger = knowledge.graph, knowledge.ledger
    if isinstance(told, Membership):
        return all(map(ledger.names, knowledge.ties.accounts((other,)) - {known}))
    if (last := graph.decision(known, other)) is not None and last.verdict == "unlink":
        return False
    if isinstance(told, Edge) and told.typed:  # whose browser it is, if it is somebody's, is not who was typed there
        addresses = {name for name in graph.person(other).aliases if name.startswith("email:")}
        return all(map(ledger.names, addresses - {known}))
    return graph.degree(other) <= MAX_EDGES  # beyond that it is everybody's


def _also(ledger: Ledger, one: Erasure, name: Alias) -> Erasure:
    mark = ledger.mark(name)
    return one.changed(part=int(mark[:_DIGITS_OF_A_PART], 16), marks=(mark,), scoped=True)
