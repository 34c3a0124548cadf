"""Which parts are one incident: those that share evidence, and those that name one another.

A bad score that is also a failed moment of truth is one incident, and so is a ticket that was late and then reopened.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import NamedTuple

from schemas.incidents import Part


class Burst(NamedTuple):
    """So many pains at one account within so long are one incident, and tagged `name`."""

    name: str
    least: int
    within: timedelta


def newest(parts: Iterable[Part]) -> list[Part]:
    """Each part once, as the highest revision has it; sorted by (opened_at, id)."""
    chosen: dict[str, Part] = {}
    for part in parts:
        known = chosen.get(part.part_id)
        if known is None or (part.revision, repr(part)) > (known.revision, repr(known)):
            chosen[part.part_id] = part
    return sorted(chosen.values(), key=_order)


def with_bursts(parts: Iterable[Part], bursts: Sequence[Burst]) -> list[Part]:
    """The parts, and for each burst a part that links what it is made of."""
    known = newest(parts)
    return [*known, *(made for burst in bursts for made in _bursts(known, burst))]


def grouped(parts: Sequence[Part]) -> list[tuple[Part, ...]]:
    """The parts as groups, each sorted by (opened_at, id): the connected components of what they share."""
    leader: dict[str, str] = {part.part_id: part.part_id for part in parts}
    holder: dict[str, str] = {}
    for part in parts:
        for event in part.proof:
            _join(leader, part.part_id, holder.setdefault(event, part.part_id))
        for link in part.links:
            if link in leader:
                _join(leader, part.part_id, link)
    groups: dict[str, list[Part]] = {}
    for part in parts:
        groups.setdefault(_leader(leader, part.part_id), []).append(part)
    return [tuple(sorted(group, key=_order)) for group in groups.values()]


def _order(part: Part) -> tuple[object, ...]:
    return (part.opened_at, part.derived, part.part_id)


def _join(leader: dict[str, str], one: str, other: str) -> None:
    first, second = sorted((_leader(leader, one), _leader(leader, other)))
    leader[second] = first


def _leader(leader: dict[str, str], name: str) -> str:
    while leader[name] != name:
        leader[name] = name = leader[leader[name]]
    return name


def _bursts(parts: Sequence[Part], burst: Burst) -> list[Part]:
    """A derived part for every stretch in which each window of `least` pains is short enough."""
    pains = [part for part in parts if not part.derived and part.kind == "signal"]
    found: list[list[Part]] = []
    reach = 0  # pains before this index are in a burst already
    for start in range(len(pains) - burst.least + 1):
        window = pains[start : start + burst.least]
        if window[-1].opened_at - window[0].opened_at > burst.within:
            continue
        if found and start < reach:
            found[-1] += pains[reach : start + burst.least]
        else:
            found.append(window)
        reach = start + burst.least
    return [_burst(burst, members) for members in found]


def _burst(burst: Burst, members: Sequence[Part]) -> Part:
    first = members[0]
    return Part(
        part_id=f"burst:{burst.name}:{first.part_id}",
        kind="burst",
        what=burst.name,
        derived=True,
        severity=max(part.severity for part in members),
        touchpoint_type=first.touchpoint_type,
        phase=first.phase,
        opened_at=first.opened_at,
        closed_at=members[-1].pained_at,
        event_id=first.event_id,
        events=tuple(dict.fromkeys(part.event_id for part in members)),
        links=tuple(part.part_id for part in members),
        words=f"{len(members)} painful moments in a short time",
    )
