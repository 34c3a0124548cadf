"""When a message happened: what its sender says, and what the sender's clock is worth.

`timestamp` is what the caller chose, or what a server before us corrected; `originalTimestamp`, and a `timestamp` that
stands alone or says the same moment, come from the sender's clock. How wrong that is, `sentAt` tells beside the time of
receipt: our own, or `receivedAt` where a server before us received it. More than a minute ahead of it the clock is
fast, since nobody sends later than it is received: the stamp is moved back by as much. More than a minute behind, it is
a slow clock, an outage's retry or an archive sent again, which look the same. It is taken for a slow clock, and by at
most a day, only where a page sent it by an SDK that stamps `sentAt` anew each time it sends; else the stamp is kept and
the event flagged. What is imported keeps its times in either case.

A message without any stamp takes `sentAt`, else the time of receipt. Whatever is corrected depends on the receipts
alone, so reading a stored request again gives the same. Of several copies of an event the one received first counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from schemas.errors import UnmappableEvent
from schemas.touchpoints import RawRequest, Scalar
from streams.connectors import reading
from streams.connectors.results import Message

CLOCK_HEADERS = ("origin",)
"""What tells that a page sent a request, and no program that sends again what it kept."""
TOLERANCE = timedelta(minutes=1)
SLOWEST = timedelta(hours=24)
SAME_MOMENT = timedelta(seconds=1)
"""Some SDKs ask the clock twice for one message."""


_NOTHING: Mapping[str, Scalar] = MappingProxyType({})


class Moment(NamedTuple):
    """`told` are properties: what was corrected, or looks late. `stamped_by`: the transport's stamp that was all there
    was, or empty."""

    occurred_at: datetime
    stamped_by: str = ""
    notes: Mapping[str, Scalar] = _NOTHING


def moment(message: Message, envelope: Message, request: RawRequest) -> Moment:
    """When it happened. Raises UnmappableEvent for a stamp that is none."""
    chosen = _chosen(message)
    if chosen is not None:
        return Moment(chosen)
    sent, written = _sent_at(message, envelope)
    for name in ("originalTimestamp", "timestamp"):
        if message.get(name) not in (None, ""):
            return _by_clock(reading.stamp(message[name], name), "", sent, message, request)
    if written in (None, ""):
        return Moment(_received(message, request))
    return _by_clock(reading.stamp(written, "sentAt"), str(written), sent, message, request)


def _chosen(message: Message) -> datetime | None:
    """The time that the caller chose: a `timestamp` beside another one of the clock's."""
    stated, clock = message.get("timestamp"), message.get("originalTimestamp")
    chosen = _stamp(stated) if clock not in (None, "", stated) else None
    called = _stamp(clock) if chosen is not None else None
    return None if chosen and called and abs(chosen - called) < SAME_MOMENT else chosen


def _received(message: Message, request: RawRequest) -> datetime:
    """When the first server that says so received it; that cannot be later than we did."""
    written = message.get("receivedAt")
    before = _stamp(written) if written not in (None, "") else None
    return min(before or request.received_at, request.received_at)


def _sent_at(message: Message, envelope: Message) -> tuple[datetime | None, object]:
    """(the time of sending by the sender's clock, as written); none where it is not given, or no time."""
    written = message.get("sentAt")
    if written in (None, ""):
        written = envelope.get("sentAt")
    if written in (None, ""):
        return None, None
    return sending(written), written


def sending(written: object) -> datetime | None:
    """When a batch was sent, as its sender writes it; None for what is no time."""
    return _batch_stamp(written) if isinstance(written, str) else _stamp(written)


def _stamp(value: object) -> datetime | None:
    try:
        return reading.stamp(value, "")
    except UnmappableEvent:
        return None


_batch_stamp = lru_cache(maxsize=256)(_stamp)
"""All messages of a batch were sent at once."""


def by_clock(
    stated: datetime, sent: datetime | None, received: datetime, *, stamped_by: str = "", slow: bool = False
) -> Moment:
    """What the sender's clock says, corrected by how far it is off; a late one only where it is known to be `slow`."""
    if sent is None:
        return Moment(stated, stamped_by)
    off = sent - received
    is_slow = slow and -SLOWEST <= off < -TOLERANCE
    corrected = _stamp((stated - off).isoformat()) if off > TOLERANCE or is_slow else None
    if corrected is not None:
        return Moment(corrected, stamped_by, {"clock_corrected": True, "stated_at": stated.isoformat()})
    if off < -TOLERANCE:
        return Moment(stated, stamped_by, {"sent_late_s": -int(off.total_seconds())})
    return Moment(stated, stamped_by)


def _by_clock(
    stated: datetime, stamped_by: str, sent: datetime | None, message: Message, request: RawRequest
) -> Moment:
    received = _received(message, request)
    if _is_import(request):  # its times are of the data, and no clock's
        return Moment(stated, stamped_by) if sent is None or sent > received else by_clock(stated, sent, received)
    return by_clock(stated, sent, received, stamped_by=stamped_by, slow=_stamps_anew(message, request))


def _is_import(request: RawRequest) -> bool:
    return request.backfill or request.path.rstrip("/").endswith("/import")


def _stamps_anew(message: Message, request: RawRequest) -> bool:
    """Whether a page sent it by an SDK of which tests/integration/test_sdk_faults.py shows that each retry has another
    `sentAt`: Segment's for browsers."""
    if not request.headers.get("origin"):
        return False
    context = message.get("context")
    library = context.get("library") if isinstance(context, dict) else None
    if not isinstance(library, dict) or library.get("name") != "analytics.js":
        return False
    return "next-" in reading.text(library.get("version"))
