"""What a refold must correct: the rows by which the store differs from the journey, and a line that says why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import NAMESPACE_URL

from schemas.facts import AccountsFact, Correction, SignalFact, Tombstone
from schemas.touchpoints import AttributedTouchpoint
from streams.friction.episodes import Signal
from streams.ids import named_id
from streams.journey.account import AccountJourney, Changes, changes_nothing
from streams.journey.causes import LATE, Cause, reasons_of
from streams.journey.correction_limit import Corrected
from streams.journey.facts import (
    account_fact,
    as_of_of,
    inputs_of,
    placed_digest,
    revision,
    signal_digest,
    signal_fact,
    told_as_of,
    touchpoint_fact,
)
from streams.journey.fold import Journey
from streams.journey.leaving import Left
from streams.journey.state import Placed
from streams.sentences import english, listed, said


@dataclass(slots=True)
class Stored:
    """What the store holds of an account: inputs to fold, and what to compare with.

    `gone` are the touchpoints that left, each with what it left at. Without a row of its own the account
    has neither phase nor blueprint.
    """

    items: dict[str, AttributedTouchpoint] = field(default_factory=dict)
    gone: dict[str, Left] = field(default_factory=dict)
    touchpoint_digests: dict[str, int] = field(default_factory=dict)
    signals: dict[str, SignalFact] = field(default_factory=dict)
    account_digest: int = 0
    max_revision: int = 0
    phase: str = ""
    segment: str = ""
    blueprint_version: int = 0
    blueprint_digest: int = 0

    def digest_of_signal(self, signal_id: str) -> int | None:
        """The digest of a signal that stands; None when there is none."""
        stored = self.signals.get(signal_id)
        return stored.digest if stored else None


def corrections(
    account: AccountJourney, journey: Journey, stored: Stored, as_of: datetime, causes: Iterable[Cause]
) -> list[AccountsFact]:
    """The rows by which the store differs from `journey`, and a line that says so.

    Sets `account.inputs` to what the store knew and what is new: a writer that was frozen and reads the same
    store cannot count as if it knew more than one that also knows what came since.
    """
    found = _difference(account, journey, stored)
    account.inputs = inputs_of(stored.max_revision) + _new_inputs(account, journey, stored)
    number = max(revision(account.inputs, as_of), stored.max_revision + 1)
    facts: list[AccountsFact] = [touchpoint_fact(account, p, number, digest) for p, digest in found.placed.values()]
    facts += [_tombstone(stored, event_id, number) for event_id in sorted(found.removed)]
    facts += [_tombstone(stored, event_id, number, is_kept=True) for event_id in sorted(_moved_in_time(found, stored))]
    facts += [signal_fact(account.account_id, s, number) for s in found.signals.values()]
    facts += [stored.signals[i].changed(withdrawn=True, revision=number) for i in sorted(found.withdrawn)]
    own = account_fact(account, as_of, number)
    if not facts and own.digest == stored.account_digest:
        return []
    judged_by = _other_blueprint(account, stored)
    told_before = found.placed.keys() & stored.items.keys()
    if told_before or found.removed or found.withdrawn or judged_by:
        now = Corrected(
            len(told_before), len(found.removed), len(found.signals), len(found.withdrawn), frozenset(causes)
        )
        facts.append(_line(account, number, now, as_of, what=_what(account, stored, found), judged_by=judged_by))
    return [*facts, own]


def corrected_from_memory(
    account: AccountJourney, items: Sequence[AttributedTouchpoint], changes: Changes, as_of: datetime
) -> list[AccountsFact]:
    """The line for what `items` changed of what had been told, if they did; of very many changes one line tells all."""
    if not (changes.retold or changes.withdrawn):
        return []
    causes = {Cause("links", item.cause) for item in items if item.cause}
    causes |= {changes.corrected} if changes.corrected else set()
    now = Corrected(changes.retold, 0, len(changes.signals), len(changes.withdrawn), frozenset(causes or {LATE}))
    return [_line(account, revision(account.inputs, told_as_of(account, as_of)), now, as_of)]


def _line(
    account: AccountJourney,
    number: int,
    now: Corrected,
    as_of: datetime,
    *,
    what: Iterable[str] = (),
    judged_by: str = "",
) -> Correction:
    """The line for a change; `what` says it in sentences where it stands alone."""
    correction_id, whole, is_of_many = account.correction_limit.line(_correction_id(account, number), now, as_of)
    changed = ([] if is_of_many else [*what]) or [*_sums(whole)]
    reasons = reasons_of(whole.causes, judged_by)
    return Correction(
        correction_id=correction_id,
        account_id=account.account_id,
        corrected_at=as_of,
        cause="; ".join(map(english, reasons)),
        cause_coded=listed(reasons),
        what=", ".join(map(english, changed)),
        what_coded=listed(changed),
        touchpoints_changed=whole.touchpoints,
        touchpoints_removed=whole.removed,
        signals_changed=whole.signals,
        signals_withdrawn=whole.withdrawn,
    )


def _sums(changed: Corrected) -> Iterator[str]:
    yield from _counted(
        judged=changed.touchpoints,
        gone=changed.removed,
        signals_changed=changed.signals,
        signals_withdrawn=changed.withdrawn,
    )


def as_of_at_least(stored: Stored, as_of: datetime) -> datetime:
    """`as_of`, but never before the time silence was counted to already: knowledge of time is knowledge."""
    return max(as_of_of(stored.max_revision), as_of)


@dataclass(frozen=True, slots=True)
class _Difference:
    """Touchpoints (with their digests) and signals that are new or differ, and the ids of those that no longer hold."""

    placed: dict[str, tuple[Placed, int]]
    removed: set[str]
    signals: dict[str, Signal]
    withdrawn: set[str]


def _difference(account: AccountJourney, journey: Journey, stored: Stored) -> _Difference:
    version, known = account.blueprint.version, stored.touchpoint_digests
    digests = {event_id: placed_digest(placed, version) for event_id, placed in journey.placed.items()}
    return _Difference(
        placed={e: (p, digests[e]) for e, p in journey.placed.items() if digests[e] != known.get(e)},
        removed=stored.items.keys() - journey.placed.keys(),
        signals={i: s for i, s in journey.signals.items() if signal_digest(s) != stored.digest_of_signal(i)},
        withdrawn=stored.signals.keys() - journey.signals.keys(),
    )


def _moved_in_time(found: _Difference, stored: Stored) -> Iterator[str]:
    """Touchpoints that a newer mapping dates otherwise: their row at the old time must go."""
    for event_id, (placed, _) in found.placed.items():
        before = stored.items.get(event_id)
        if before is not None and before.touchpoint.occurred_at != placed.item.touchpoint.occurred_at:
            yield event_id


def _other_blueprint(account: AccountJourney, stored: Stored) -> str:
    """Which blueprint judges now, as a sentence, when another one made the rows; empty otherwise."""
    now = account.blueprint
    if not stored.account_digest or (stored.blueprint_version, stored.blueprint_digest) == (now.version, now.digest):
        return ""
    if stored.blueprint_version == now.version:
        return said("blueprint_edited", now=now.version)
    if not stored.blueprint_version:
        return said("blueprint_unknown", now=now.version)
    return said("blueprint_other", now=now.version, before=stored.blueprint_version)


def _what(account: AccountJourney, stored: Stored, found: _Difference) -> Iterator[str]:
    """What changed, in sentences."""
    now = {"phase": account.state.phase, "segment": account.profile.segment}
    before = {"phase": stored.phase, "segment": stored.segment}
    if stored.account_digest and account.state.touchpoints:
        yield from (
            said(f"{name}_changed", now=now[name], before=was) for name, was in before.items() if was != now[name]
        )
    again = [placed for event_id, (placed, _) in found.placed.items() if event_id in stored.items]
    whose = sum(not p.item.attribution.decides_like(stored.items[p.item.event_id].attribution) for p in again)
    renamed = (
        sum(_says_only_the_version(p, stored) for p in again)
        if account.blueprint.version != stored.blueprint_version
        else 0
    )
    yield from _counted(
        attributed=whose,
        judged=len(again) - whose - renamed,
        renamed=renamed,
        added=len(found.placed) - len(again),
        gone=len(found.removed),
        signals_changed=len(found.signals),
        signals_withdrawn=len(found.withdrawn),
    )


def _says_only_the_version(placed: Placed, stored: Stored) -> bool:
    before = placed_digest(placed, stored.blueprint_version)
    return before == stored.touchpoint_digests[placed.item.event_id]


def _counted(**numbers: int) -> Iterator[str]:
    """A sentence for each key with a number."""
    return (said(key, count=number) for key, number in numbers.items() if number)


def _new_inputs(account: AccountJourney, journey: Journey, stored: Stored) -> int:
    """How many inputs the store did not know: touchpoints that came, left, or are attributed anew; a blueprint.

    A blueprint with a lower version than the stored rows' is no new knowledge: during a change of workers the
    older one must not win.
    """
    came = journey.placed.keys() - stored.items.keys()
    left = stored.items.keys() - journey.placed.keys()
    kept = journey.placed.keys() & stored.items.keys()
    changed = sum(not changes_nothing(stored.items[e], journey.placed[e].item) for e in kept)
    is_newer = bool(_other_blueprint(account, stored)) and account.blueprint.version >= stored.blueprint_version
    return len(came) + len(left) + changed + is_newer


def _correction_id(account: AccountJourney, number: int) -> str:
    return named_id(NAMESPACE_URL, f"touchline:correction:{account.account_id}:{number}")


def _tombstone(stored: Stored, event_id: str, number: int, *, is_kept: bool = False) -> Tombstone:
    item = stored.items[event_id]
    left = stored.gone.get(event_id, Left(item.knowledge))
    return Tombstone(
        account_id=item.account_id,
        event_id=event_id,
        occurred_at=item.touchpoint.occurred_at,
        knowledge=left.knowledge,
        mapping=left.mapping,
        revision=number,
        source=item.touchpoint.source,
        is_kept=is_kept,
    )
