"""The desk of a touchpoint type: what its figures say hurts, and when that is over. Pure.

All that is wrong with a type at one time is one incident.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple, Protocol
from uuid import NAMESPACE_URL

from schemas.blueprint import TouchpointType
from schemas.incidents import Desk, Part
from schemas.policies import Policy
from streams.ids import named_id
from streams.incidents.subjects import TYPE

_WORSE = 0.1
"""By so much more it must hurt to be described anew."""


class Pain(NamedTuple):
    """How much figures hurt, 0…1, and what they say."""

    severity: float
    words: str


class Check(Protocol):
    """Figures of one type, judged by one policy. `reach`: how far back they are known."""

    @property
    def policy(self) -> Policy: ...
    @property
    def kind(self) -> Literal["target", "unusual"]: ...
    @property
    def phase(self) -> str: ...
    @property
    def measure(self) -> str: ...
    @property
    def sources(self) -> tuple[str, ...]: ...
    @property
    def needs_sources(self) -> bool: ...
    @property
    def step_s(self) -> int: ...
    @property
    def reach(self) -> timedelta: ...

    def pain(self, slot: int, *, is_news: bool = False) -> Pain | None:
        """What hurts as of a slot (Unix time / step_s). `is_news`: also without what was only read anew."""

    def is_over(self, slot: int) -> bool:
        """Whether what hurt before does so no more."""


def looked(desk: Desk, kind: TouchpointType, checks: Iterable[Check], now: datetime) -> Desk:
    """The desk of a type after a look at its figures; the same object when nothing changed."""
    asking = {_key(check): check for check in checks}
    parts = dict(desk.parts)
    standing = {part_id.rpartition(":")[0]: part for part_id, part in parts.items() if part.closed_at is None}
    for key, part in standing.items():
        after = _gone_on(part, asking.get(key), now)
        if after is None:
            del parts[part.part_id]
        else:
            parts[part.part_id] = after
    for key, check in asking.items():
        pain = check.pain(_slot(now, check), is_news=True) if key not in standing else None
        if pain is not None:
            links = tuple(part.part_id for part in parts.values() if part.closed_at is None)
            part = _opened(kind, key, check, pain, now).changed(links=links)
            parts[part.part_id] = part
    return desk if parts == desk.parts else desk.changed(name=kind.name, parts=parts)


def desk_id(kind: TouchpointType) -> str:
    return f"{TYPE}{kind.id}"


def _key(check: Check) -> str:
    return f"{check.kind}:{check.policy.id}:{check.phase}:{check.measure}"


def _gone_on(part: Part, check: Check | None, now: datetime) -> Part | None:
    """What became of something that hurt; None: figures that came late say that it never did."""
    if check is None:
        return part.changed(closed_at=now)  # nobody asks any more
    slot = _slot(now, check)
    if check.is_over(slot):
        return part.changed(closed_at=now) if _ever_hurt(part, check, now) else None
    pain = check.pain(slot)
    if pain is not None and pain.severity >= part.severity + _WORSE:
        return part.changed(severity=min(1.0, pain.severity), words=pain.words, sources=check.sources)
    return part


def _ever_hurt(part: Part, check: Check, now: datetime) -> bool:
    if part.opened_at < now - check.reach:
        return True
    first, last = _slot(part.opened_at, check), _slot(now, check)
    return any(check.pain(slot) is not None for slot in range(first, last + 1))


def _opened(kind: TouchpointType, key: str, check: Check, pain: Pain, now: datetime) -> Part:
    since = slot = _slot(now, check)
    oldest = slot - int(check.reach.total_seconds()) // check.step_s
    while since > oldest and check.pain(since - 1, is_news=True) is not None:
        since -= 1
    event_id = named_id(NAMESPACE_URL, f"touchline:{key}:{kind.id}:{since}")
    return Part(
        part_id=f"{key}:{since}",
        kind=check.kind,
        what=check.policy.id,
        waits=True,
        severity=min(1.0, pain.severity),
        touchpoint_type=kind.id,
        phase=check.phase or kind.phase,
        opened_at=datetime.fromtimestamp(since * check.step_s, UTC),
        event_id=event_id,
        events=(event_id,),
        words=pain.words,
        sources=check.sources,
        needs_sources=check.needs_sources,
    )


def _slot(at: datetime, check: Check) -> int:
    return int(at.timestamp()) // check.step_s
