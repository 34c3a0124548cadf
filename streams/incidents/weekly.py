"""The digest of the week: what hurt most, what got better, what was fixed, and what nobody has looked at. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from uuid import NAMESPACE_URL

from schemas.incidents import Digest, DigestLine, Past
from schemas.policies import LEVELS
from streams.ids import named_id
from streams.incidents.actions import ActionLog
from streams.incidents.digests import counted, part_of

WEEK = timedelta(days=7)
_MOST = 10


def weekly(
    channel: str, pasts: Iterable[Past], log: ActionLog, now: datetime, watched_since: datetime, page: str = ""
) -> Digest:
    """What a channel's people get of the last seven days. `page`: where to look; empty: nowhere that is known."""
    known = [past for past in pasts if past.opened_at < now]
    this = [past for past in known if past.opened_at >= now - WEEK and past.state != "withdrawn"]
    before = [past for past in known if now - 2 * WEEK <= past.opened_at < now - WEEK and past.state != "withdrawn"]
    has_before = watched_since <= now - 2 * WEEK
    parts = (
        part_of("What hurt most", _most(this, before if has_before else None)),
        part_of("What got better", _better(this, before) if has_before else [_TOO_EARLY]),
        part_of("What was fixed", _fixed(known, log, now)),
        part_of("What nobody has looked at", _unseen(known, log, page)),
    )
    return Digest(
        digest_id=named_id(NAMESPACE_URL, f"touchline:weekly:{channel}:{now:%G-%V}"),
        kind="weekly",
        title=f"The week until {now:%d %B}: {counted(len(this), 'incident')}",
        at=now,
        parts=tuple(part if part.lines else part.changed(lines=(DigestLine(words="Nothing"),)) for part in parts),
    )


_TOO_EARLY = DigestLine(words="Not known yet: Touchline has watched for less than two weeks")


def _most(this: Sequence[Past], before: Sequence[Past] | None) -> Iterator[DigestLine]:
    counts, accounts = _counts(this), _accounts(this)
    past = _counts(before or [])
    for name, count in counts.most_common(_MOST):
        compared = f"; {past[name]} the week before" if before is not None else ""
        yield DigestLine(
            words=f"{name}: {counted(count, 'incident')} at {counted(accounts[name], 'account')}{compared}"
        )


def _better(this: Sequence[Past], before: Sequence[Past]) -> Iterator[DigestLine]:
    now, past = _counts(this), _counts(before)
    fallen = sorted((now[name] - past[name], name) for name in past if now[name] < past[name])
    for _, name in fallen[:_MOST]:
        yield DigestLine(words=f"{name}: {counted(now[name], 'incident')}, after {past[name]} the week before")


def _fixed(known: Iterable[Past], log: ActionLog, now: datetime) -> Iterator[DigestLine]:
    for past in sorted(known, key=_order):
        standing = log.standing(past.events)
        if standing.done_at is not None and standing.done_at >= now - WEEK:
            yield DigestLine(words=f"{past.headline}: {standing.done_by} called it done")
        elif past.state == "closed" and past.ended_at is not None and past.ended_at >= now - WEEK:
            yield DigestLine(words=f"{past.headline}: over after {_span(past.ended_at - past.opened_at)}")


def _unseen(known: Iterable[Past], log: ActionLog, page: str) -> Iterator[DigestLine]:
    """By department, the one with the most first."""
    waiting: dict[str, list[Past]] = {}
    for past in known:
        standing = log.standing(past.events)
        if past.state == "told" and not (standing.taken_by or standing.done_by or standing.notes):
            waiting.setdefault(past.department or "No department", []).append(past)
    for name, pasts in sorted(waiting.items(), key=lambda one: (-len(one[1]), one[0])):
        oldest = min(past.opened_at for past in pasts)
        people = sorted({person for past in pasts for person in past.owners})
        whom = f" ({', '.join(people)})" if people else ""
        words = f"{name}{whom}: {counted(len(pasts), 'incident')} that nobody took, the oldest since {oldest:%Y-%m-%d}"
        yield DigestLine(words=words, url=page)


def _counts(pasts: Iterable[Past]) -> Counter[str]:
    return Counter(past.touchpoint or past.policy for past in pasts)


def _accounts(pasts: Iterable[Past]) -> Counter[str]:
    return Counter(name for name, _ in {(past.touchpoint or past.policy, past.account_id) for past in pasts})


def _order(past: Past) -> tuple[int, datetime, str]:
    return (-LEVELS.index(past.level), past.opened_at, past.incident_id)


def _span(length: timedelta) -> str:
    hours = length.total_seconds() / 3600
    return counted(round(hours / 24), "day") if hours >= 48 else counted(round(hours), "hour")
