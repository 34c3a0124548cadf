"""What a refold comes to: an account's stored history and what waits for it, folded and compared. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from schemas.touchpoints import AttributedTouchpoint, Recall
from streams.journey.account import AccountJourney, changes_nothing
from streams.journey.compiled import CompiledBlueprint
from streams.journey.correction_limit import CorrectionLimit
from streams.journey.corrections import Stored, as_of_at_least, corrections
from streams.journey.fold import merged
from streams.journey.leaving import NEVER, Left
from streams.processors.journey import fact_outputs, recalled_output
from streams.processors.memory import EVERYONE, Dirty, Live
from streams.runtime.outbox import Output


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What a refold comes to. `live` is None when nothing had to be folded, or nothing is left."""

    folded: bool
    live: Live | None
    facts: list[Output]
    recalled: list[Output]


@dataclass(frozen=True, slots=True)
class _SentBack:
    """A touchpoint on its way back to attribution, and with what."""

    item: AttributedTouchpoint
    knowledge: int
    cause: str
    refused: bool


def concluded(
    account_id: str,
    blueprint: CompiledBlueprint,
    entry: Dirty,
    stored: Stored,
    now: datetime,
    correction_limit: CorrectionLimit | None = None,
) -> Conclusion:
    """The refold itself: what is stored and what waits, folded and compared. Needs nothing of the event loop.

    `correction_limit`: the account's lines of before, where it was in memory.
    """
    known_before = bool(stored.items or stored.account_digest)
    items = _inputs(stored, entry)
    recalled = _recalled(items, stored, entry)
    if not (entry.items or entry.withdrawn or entry.must_read):
        return Conclusion(folded=False, live=None, facts=[], recalled=recalled)
    as_of = as_of_at_least(stored, now)
    account, journey = AccountJourney.rebuilt(account_id, blueprint, items, as_of)
    account.correction_limit = correction_limit or account.correction_limit
    facts = corrections(account, journey, stored, as_of, frozenset(entry.causes))
    return Conclusion(
        folded=True,
        live=Live(account, gone=_outread(items, stored)) if items else None,
        facts=fact_outputs(facts) if items or known_before else [],
        recalled=recalled,
    )


def _inputs(stored: Stored, entry: Dirty) -> list[AttributedTouchpoint]:
    """Stored and waiting touchpoints, without those that were withdrawn or had left before with more knowledge."""
    items = dict(stored.items)
    for item in entry.items:
        known = items.get(item.event_id)
        if stored.gone.get(item.event_id, NEVER).keeps_out(item):
            continue
        items[item.event_id] = item if known is None else merged(known, item)
    for event_id, leave in entry.withdrawn.items():
        if event_id in items and leave.takes(items[event_id]):
            del items[event_id]
            stored.gone[event_id] = leave
    return list(items.values())


def _outread(items: Iterable[AttributedTouchpoint], stored: Stored) -> dict[str, Left]:
    """What a newer mapping took away: no older copy of it may be stepped, once the account is in memory."""
    here = {item.event_id for item in items}
    return {event: left for event, left in stored.gone.items() if left.mapping > 1 and event not in here}


def _recalled(items: Iterable[AttributedTouchpoint], stored: Stored, entry: Dirty) -> list[Output]:
    """The touchpoints that recalls ask for by any of their copies, each once, as they will be stored.

    A copy that comes to an account its touchpoint has left is news for the account it went to: back to attribution.
    They go in the order of events, so that the account they come to need not step again.
    """
    best, sent = {item.event_id: item for item in items}, dict[str, _SentBack]()
    for item in entry.items:
        left = stored.gone.get(item.event_id, NEVER)
        if item.knowledge < left.knowledge and not left.is_newer_than(item):
            sent[item.event_id] = _SentBack(item, left.knowledge, "another copy of it has moved", refused=True)
    for event_id, leave in entry.withdrawn.items():
        stays = best.get(event_id)
        if stays is not None and stays.knowledge < leave.knowledge:  # only an older reading of it has moved
            sent[event_id] = _SentBack(stays, leave.knowledge, "another copy of it has moved", refused=False)
    asked = _asked(entry.recalls)
    for copy in [*stored.items.values(), *entry.items]:
        kept = best.get(copy.event_id)
        for recall in (asked.get(copy.attribution.person_id), asked.get(EVERYONE)):
            if kept is not None and recall is not None and recall.knowledge > kept.knowledge:
                before = sent.get(kept.event_id)
                if before is None or before.refused or before.knowledge < recall.knowledge:
                    sent[kept.event_id] = _SentBack(kept, recall.knowledge, recall.cause, refused=False)
    in_order = sorted(sent.values(), key=lambda back: back.item.sort_key)
    return [recalled_output(b.item, b.knowledge, b.cause, refused=b.refused) for b in in_order]


def _asked(recalls: Iterable[Recall]) -> dict[str, Recall]:
    """Of each person, the recall that knows most."""
    by_knowledge = sorted(recalls, key=lambda recall: recall.knowledge)
    return {person: recall for recall in by_knowledge for person in recall.person_ids or (EVERYONE,)}


def is_stored(item: AttributedTouchpoint, stored: Stored | None) -> bool:
    """Whether the store has this touchpoint so that another copy changes nothing."""
    if stored is None:
        return False
    if item.event_id in stored.gone:
        left = stored.gone[item.event_id]
        return left.is_newer_than(item) or (item.knowledge == left.knowledge and left.keeps_out(item))
    known = stored.items[item.event_id]
    return changes_nothing(known, merged(known, item))
