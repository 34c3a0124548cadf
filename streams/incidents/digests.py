"""Many incidents in one message, for what can wait. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import NAMESPACE_URL

from schemas.incidents import Digest, DigestLine, DigestPart, Message
from schemas.policies import LEVELS
from streams.ids import named_id

MAX_LINES = 50


def daily(channel: str, messages: Sequence[Message], now: datetime) -> Digest:
    """What came for a channel since its last digest: each incident once, as it was last described, the worst first.

    The same messages make the same digest, so that one that is sent again can be recognised.
    """
    latest: dict[str, Message] = {}
    for message in sorted(messages, key=lambda one: (one.at, one.notice_id)):
        latest[message.incident_id] = message
    still = [one for one in latest.values() if not one.is_over]
    over = [one for one in latest.values() if one.is_over]
    names = ":".join(sorted(message.notice_id for message in messages))
    return Digest(
        digest_id=named_id(NAMESPACE_URL, f"touchline:digest:{channel}:{names}"),
        kind="daily",
        title=f"{counted(len(latest), 'incident')} that could wait",
        at=now,
        parts=tuple(part for part in (_part("Still open", still), _part("Over", over)) if part.lines),
    )


def part_of(title: str, lines: Iterable[DigestLine]) -> DigestPart:
    """A part, cut where nobody reads on; what is left out is counted."""
    every = tuple(lines)
    more = (DigestLine(words=f"and {len(every) - MAX_LINES} more"),) if len(every) > MAX_LINES else ()
    return DigestPart(title=title, lines=(*every[:MAX_LINES], *more))


def _part(title: str, messages: Iterable[Message]) -> DigestPart:
    ordered = sorted(messages, key=lambda one: (-LEVELS.index(one.level), one.since, one.incident_id))
    return part_of(title, map(_line, ordered))


def _line(message: Message) -> DigestLine:
    taken = f", {message.taken_by} takes care of it" if message.taken_by else ""
    said = f": {message.remark}" if message.remark else ""
    since = f"{message.since:%Y-%m-%d %H:%M} UTC"
    return DigestLine(words=f"{message.headline} ({message.level}, since {since}{taken}){said}", url=message.link)


def counted(count: int, what: str) -> str:
    """`1 incident`, `2 incidents`."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
