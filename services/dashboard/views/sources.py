"""What each source sent, how fresh it is, and what was left out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

SourceState = Literal["fresh", "stale", "behind", "never"]


@dataclass(frozen=True, slots=True)
class IgnoredMessages:
    """Messages of a source that concerned no customer, and why, as a word of its connector."""

    reason: str
    messages: int


@dataclass(frozen=True, slots=True)
class OtherTraffic:
    """Touchpoints of a source that are not of customers: `bot`, `internal`, `test` or `declined`.

    `counted`: how many of them are on the map; the blueprint's `traffic.count` says which kinds are. `example`: the
    host or the program of the latest.
    """

    traffic: str
    touchpoints: int
    counted: int
    example: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Touchpoints of a window and its filters that are off the map, because the blueprint counts no such `traffic`.

    `example`: the host or the program of the latest.
    """

    traffic: str
    touchpoints: int
    example: str


@dataclass(frozen=True, slots=True)
class SetAside:
    """What a source sends is kept unread, because most of it was refused. `requests`: how many wait."""

    resuming: bool
    since: datetime
    cause: str
    requests: int


@dataclass(frozen=True, slots=True)
class RefusedRequests:
    """What was not taken of a sender for one reason; `dead`: of messages that became dead letters, else of requests.

    `detail`: what was said of the last one.
    """

    dead: bool
    reason: str
    count: int
    since: datetime
    last_at: datetime
    detail: str


@dataclass(frozen=True, slots=True)
class SourceFreshness:
    """How recent a source's data is. `lag_s`: age of its newest stored event; null when there is none.

    `behind`: the pipeline is, so nobody can say from the store whether the source is fresh or stale.
    `late_after_s`: so long is it silent at most at its usual hours; `rhythm`: what is usual of it, in words.
    `ignored`: within the last day, commonest first. `set_aside`: null while the source is read.
    `traffic`: what came within the last day and is not of customers, commonest first. `refused`: what was not taken,
    of those reasons that were met within the last day.
    """

    source: str
    state: SourceState
    last_occurred_at: datetime | None
    last_received_at: datetime | None
    last_written_at: datetime | None
    lag_s: float | None
    late_after_s: float = 0.0
    rhythm: str = ""
    ignored: tuple[IgnoredMessages, ...] = ()
    set_aside: SetAside | None = None
    traffic: tuple[OtherTraffic, ...] = ()
    refused: tuple[RefusedRequests, ...] = ()


@dataclass(frozen=True, slots=True)
class StageBehind:
    """A stage that does not keep up. `since`: what its input had then is not done; `stands_still`: nor is anything.

    `waits_for`: a later stage that must move first; empty when there is none.
    """

    stage: str
    since: datetime
    records: int
    stands_still: bool
    waits_for: str = ""


@dataclass(frozen=True, slots=True)
class Freshness:
    """`pipeline_lag_s`: newest event's way from receipt to store, more while a stage is behind; null without any.

    `strangers`: what was refused of senders that nobody knows.
    """

    as_of: datetime
    pipeline_lag_s: float | None
    sources: tuple[SourceFreshness, ...]
    behind: tuple[StageBehind, ...] = ()
    strangers: tuple[RefusedRequests, ...] = ()
