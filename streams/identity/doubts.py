"""Links that nothing may be evidence for any more, because a newer mapping reads their events otherwise. Pure.

A newer reading repeats what an older one taught, where it says the same. So a link whose evidence has been read by a
newer mapping than taught it was not repeated. It is told anew from the best evidence that is stored, or is taken back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from schemas.links import Link, Membership
from schemas.touchpoints import CleanTouchpoint
from streams.identity.learning import OUR_PEOPLE, implied


def is_doubted(link: Link, readings: Mapping[str, int]) -> bool:
    """Whether its evidence was not repeated. `readings`: event → version of the mapping whose reading of it stands.

    Who our own people are is not doubted: the touchpoints that say so are stored without it, so none could be found.
    """
    if isinstance(link, Membership) and link.account_id.startswith(OUR_PEOPLE):
        return False
    return not link.retracted and readings.get(link.evidence, 0) > link.mapping


def evidence(touchpoints: Iterable[CleanTouchpoint], doubted: Mapping[str, Link]) -> dict[str, Link]:
    """The best evidence that these touchpoints are for links that are doubted, by the links' ids."""
    found: dict[str, Link] = {}
    for touchpoint in touchpoints:
        for link in implied(touchpoint):
            key = link.link_id
            if key in doubted and (key not in found or link.outdoes(found[key])):  # type: ignore[arg-type]
                found[key] = link.changed(mapping=touchpoint.mapping)
    return found


def told_anew(doubted: Mapping[str, Link], found: Mapping[str, Link]) -> Iterator[Link]:
    """What is to be told instead of doubted links, with what was `found` for them; nothing for those that stand."""
    for key, link in doubted.items():
        best, generation = found.get(key), link.generation + 1
        if best is None:
            yield link.changed(generation=generation, retracted=True, mapping=1)
        elif _said(best) != _said(link):
            yield best.changed(generation=generation)


def _said(link: Link) -> Link:
    """What it says, whoever said it how."""
    return link.changed(mapping=1, generation=0, scoped=True)
