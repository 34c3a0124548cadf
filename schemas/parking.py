"""Sources that are set aside: what they sent meanwhile, and where each of them stands.

A source of which most is refused is *set aside*: its requests go to a topic of their own, unread, until it is resumed.
Where each source stands is said in `sources.standings.v1`, one compacted partition that everyone reads in one order:
of several items with one key the last one in the log counts.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta
from pydantic import Field, TypeAdapter

from schemas.base import EPOCH, Codec, Contract, Item, UtcTime
from schemas.touchpoints import RawRequest

State = Literal["flowing", "parked", "resuming"]
"""`parked`: its requests are kept unread. `resuming`: so are new ones, while those from before are read in order."""


class Parked(Item, frozen=True, kw_only=True):
    """A request of a source that is set aside, with the place in the raw topic that it came from.

    The place names its dead letters, so that one that is read later, or twice, has the letters it would have had.
    """

    request: RawRequest
    topic: str
    partition: int
    offset: int
    index: Annotated[int, Meta(description="position in that record")]

    @property
    def origin(self) -> tuple[str, int, int]:
        """Topic, partition and offset of that record."""
        return (self.topic, self.partition, self.offset)


class Standing(Contract):
    """Whether a source's requests are read, since when, and why."""

    kind: Literal["standing"] = "standing"
    source: str
    state: State
    since: UtcTime
    cause: str = Field("", description="why, in words")

    @property
    def key(self) -> str:
        return f"{self.kind}|{self.source}"


class Backlog(Contract):
    """What waits of a source: what its partition of the parked topic has of it from `position` up to `end`."""

    source: str
    position: int
    end: int = Field(0, description="after its last record that was seen; not beyond `position`: nothing waits")
    requests: int = Field(0, description="how many wait, each once though it may have been parked twice")
    oldest_at: UtcTime | None = Field(None, description="when the first that waits was parked; None: none waits")
    lost: int = Field(0, description="requests that Kafka's retention took before they were read")
    tries: int = Field(0, description="trials of late; the next waits longer")
    tried_at: UtcTime = Field(EPOCH, description="when the last one was")

    @property
    def is_waiting(self) -> bool:
        """Whether there is anything left to read."""
        return self.position < self.end


class ReadProgress(Contract):
    """How far a partition of the parked topic is: what lies before `looked` is read, or waits in a backlog.

    Both in one item, so that an old one, by a worker that was frozen or knew little, costs reading twice at worst.
    """

    kind: Literal["ledger"] = "ledger"
    partition: int
    looked: int
    backlogs: tuple[Backlog, ...] = ()

    @property
    def key(self) -> str:
        return f"{self.kind}|{self.partition}"


Stage = Literal["gateway", "attribute", "normalise"]
"""Where something was not taken: refused as a request, or as a message that became a dead letter. `normalise` stands
in what earlier versions wrote, for `attribute`."""


class NotTaken(Contract):
    """How many requests (or, at `attribute`, messages) of a source one process did not take for one reason."""

    kind: Literal["not_taken"] = "not_taken"
    stage: Stage
    by: str = Field(description="host that counts; its count begins anew when its process does")
    source: str = Field(description="empty: a sender that nobody knows")
    reason: str
    count: int
    since: UtcTime = Field(description="the first since that process started")
    last_at: UtcTime
    detail: str = Field("", description="what was said of the last one")

    @property
    def key(self) -> str:
        return f"{self.kind}|{self.stage}|{self.by}|{self.source}|{self.reason}"


AnyStanding = Annotated[Standing | ReadProgress | NotTaken, Field(discriminator="kind")]
PARKED = Codec[Parked](Parked)
STANDINGS = TypeAdapter[list[Standing | ReadProgress | NotTaken]](list[AnyStanding])
