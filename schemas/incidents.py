"""Incidents: what hurts an account now, what people do about it, and what people were told.

An incident has no row of its own. It is a function of what the journey concluded; what must be remembered of it (who
was told, who took it) names the evidence, the ids of events, and so follows it through refold, merge and split.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final, Literal

from pydantic import Field, TypeAdapter, model_validator

from schemas.base import Contract, UtcTime
from schemas.policies import Level

Verb = Literal["take", "assign", "note", "silence", "done", "unsubscribe", "subscribe", "test"]
"""`unsubscribe` and `subscribe` are about a digest: their events name a channel and an address, as `digest_mark` has
it. `test` is a wish to try the channel `to`; its event is TRIAL and the channel."""
TRIAL = "channel:"
MAX_EVENTS = 200


def digest_mark(channel: str, address: str) -> str:
    """What stands for an address that a channel sends digests to; the address itself is not kept."""
    return f"digest:{channel}:{blake2b(address.lower().encode(), digest_size=16).hexdigest()}"


class IncidentAction(Contract):
    """What somebody did about an incident. The log of these is folded by (at, action_id)."""

    action_id: str
    at: UtcTime
    by: str = Field(description="who did it")
    verb: Verb
    events: tuple[str, ...] = Field(min_length=1, max_length=MAX_EVENTS, description="evidence of the incident")
    to: str = Field("", description="who is to take care of it (assign)")
    until: UtcTime | None = Field(None, description="no further word until then (silence)")
    text: str = Field("", max_length=2_000, description="a note, or why")

    @model_validator(mode="after")
    def _whole(self) -> IncidentAction:
        lacking = {"assign": not self.to, "silence": self.until is None, "note": not self.text}
        if lacking.get(self.verb, False):
            raise ValueError(f"`{self.verb}` needs {_NEEDED[self.verb]}")
        return self


_NEEDED = {"assign": "`to`: whom", "silence": "`until`: a time", "note": "`text`: the note"}
ACTIONS = TypeAdapter(list[IncidentAction])


class Carrier(Contract):
    """What is remembered of a touchpoint that carries pain."""

    source: str
    role: str = Field("", description="the person's role in buying; empty: not known")
    backfill: bool = Field(False, description="sent as history, or read anew by another mapping")
    received_at: UtcTime


class Part(Contract):
    """One painful thing: a signal, a touchpoint that is pain by definition, a fall back of the phase, a late source,
    a promise that is missed."""

    part_id: str
    kind: Literal["signal", "touchpoint", "phase", "burst", "source", "target", "unusual"]
    what: str = Field(description="the rule, the touchpoint type, the way the phase moved, the source, or the policy")
    derived: bool = Field(False, description="made of other parts: a tag of the incident, no pain of its own")
    waits: bool = Field(False, description="silence made it: it goes on until something ends it")
    severity: float
    revision: int = 0
    touchpoint_type: str = ""
    phase: str = ""
    person_id: str = ""
    opened_at: UtcTime
    closed_at: UtcTime | None = None
    event_id: str = Field(description="the touchpoint that carries it")
    events: tuple[str, ...] = Field(description="evidence, oldest first")
    links: tuple[str, ...] = Field((), description="parts it belongs together with")
    sources: tuple[str, ...] = Field((), description="of figures: the sources they come from")
    needs_sources: bool = Field(False, description="of figures: they prove nothing while one of these is late")
    words: str = Field("", description="what happened, in words")

    @property
    def proof(self) -> tuple[str, ...]:
        """All events that show it; a long list of evidence may lack the one that carries it."""
        return self.events if self.event_id in self.events else (*self.events, self.event_id)

    @property
    def pained_at(self) -> UtcTime:
        """When it last hurt: silence hurts from its deadline on, everything else until its last event."""
        return self.opened_at if self.waits or self.closed_at is None else self.closed_at


class Evidence(Contract):
    """One line of a message: what happened, when, and the event that shows it."""

    words: str
    at: UtcTime
    event_id: str
    url: str = Field("", description="empty: no `public_url` is configured")


class Message(Contract):
    """What people are told, ready to be put into any channel's form."""

    notice_id: str = Field(description="the same each time it is sent")
    incident_id: str
    kind: Literal["opened", "grown", "returned", "reminder", "closed", "withdrawn", "test"]
    policy: str
    headline: str
    level: Level
    account_id: str
    account: str = Field(description="its name, or its id")
    tier: str = ""
    crm_owner: str = Field("", description="who owns the account in the CRM, as it says; empty: not known")
    people: tuple[str, ...] = Field((), description="whom it hurt, by role")
    touchpoint: str = Field("", description="the touchpoint type's shown name")
    touchpoint_type: str = ""
    phase: str = ""
    moment_of_truth: bool = False
    since: UtcTime
    at: UtcTime
    evidence: tuple[Evidence, ...] = ()
    evidence_count: int = 0
    excellent: str = ""
    runbook: str = ""
    department: str = ""
    owners: tuple[str, ...] = ()
    taken_by: str = ""
    renewal_at: UtcTime | None = Field(None, description="when the account renews, where that is why it is told")
    remark: str = Field("", description="why it comes now, or comes late")
    where: str = Field(description="a link, or where to look")
    act: str = Field("", description="where to act on it, with `?do=take`, `silence` or `done`; empty: no such links")

    @property
    def is_over(self) -> bool:
        """Whether it says that an incident has ended, or never was."""
        return self.kind in ("closed", "withdrawn")

    @property
    def link(self) -> str:
        """Where to look, if that can be opened; empty where it is words."""
        return self.where if self.where.startswith(("https://", "http://")) else ""


class DigestLine(Contract):
    """One line of a digest."""

    words: str
    url: str = ""


class DigestPart(Contract):
    """Lines under a heading."""

    title: str
    lines: tuple[DigestLine, ...]


class Digest(Contract):
    """Many things in one message, ready to be put into a channel's form."""

    digest_id: str = Field(description="the same each time it is sent")
    kind: Literal["daily", "weekly"]
    title: str
    at: UtcTime
    parts: tuple[DigestPart, ...]


class Sending(Contract):
    """One notice on its way through one channel."""

    channel: str
    digest: bool = Field(False, description="together with others, in the digest of the day")
    state: Literal["due", "trying", "sent", "gave_up"] = "due"
    attempts: int = 0
    next_at: UtcTime
    due_at: UtcTime | None = Field(None, description="when it was to be sent first; empty: when the message was made")
    tried_at: UtcTime | None = None


class Notice(Contract):
    """A message and where it is to go. `sendings` is empty when no channel wants it."""

    message: Message
    sendings: tuple[Sending, ...]


class Thread(Contract):
    """One conversation about one incident: its id stays, whatever becomes of the incident."""

    thread_id: str
    events: tuple[str, ...]
    opened_at: UtcTime
    state: Literal["held", "told", "closed", "withdrawn"]
    level: Level
    policies: tuple[str, ...] = ()
    channels: tuple[str, ...] = Field((), description="where it was opened")
    told_at: UtcTime | None = None
    held_since: UtcTime | None = None
    held_for: str = Field("", description="the source that is stale")
    held_why: str = Field("", description="what is known of it, in words")
    missing_since: UtcTime | None = None
    ended_at: UtcTime | None = None
    resumed_at: UtcTime | None = Field(None, description="the time of the `done` after which it came back")
    notices: tuple[Notice, ...] = ()
    posts: dict[str, str] = Field({}, description="channel → how it calls the message that it changes as this goes on")
    last: Message | None = Field(None, description="how the incident was last described")

    @property
    def is_over(self) -> bool:
        return self.state in ("closed", "withdrawn")


WARD: Final = "ward:"
PAST: Final = "past:"


def is_desk(key: str) -> bool:
    """Whether a key of the desks' topic is an account; the others are how far the watch has come, and what is past."""
    return not key.startswith((WARD, PAST))


class Desk(Contract):
    """All that the alerts service remembers of one account."""

    account_id: str
    name: str = ""
    tier: str = ""
    segment: str = ""
    owner: str = Field("", description="who owns the account, where one of its traits says so")
    dates: dict[str, UtcTime] = Field({}, description="account traits that policies ask for and that are days")
    revision: int = Field(0, description="of the account's own row")
    parts: dict[str, Part] = {}
    gone: dict[str, int] = Field({}, description="parts that were withdrawn, with the revision that said so")
    carriers: dict[str, Carrier] = {}
    threads: tuple[Thread, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not (self.parts or self.threads or self.carriers)


class Past(Contract):
    """What is kept of an incident that people were told of, for the digest of the week."""

    incident_id: str
    account_id: str
    headline: str
    policy: str
    level: Level
    touchpoint: str = ""
    department: str = ""
    owners: tuple[str, ...] = ()
    opened_at: UtcTime
    ended_at: UtcTime | None = None
    state: Literal["held", "told", "closed", "withdrawn"]
    events: tuple[str, ...] = Field(description="some of its evidence: what people did about it names events")


class Ward(Contract):
    """What the alerts service remembers of a partition: since when it watches, and when each source was heard."""

    partition: int
    blueprint_digest: int
    since: UtcTime = Field(description="what happened before is history and told to nobody")
    until: UtcTime = Field(description="how long it has watched with this blueprint")
    sources: dict[str, UtcTime] = Field({}, description="source → when it was first heard")
    weekly: dict[str, Sending] = Field({}, description="channel → its next digest of the week; kept by partition 0")
    heard: dict[str, UtcTime] = Field({}, description="source → the newest moment that it told of as it happened")


class Delivery(Contract):
    """A line of the delivery log."""

    notice_id: str
    incident_id: str
    account_id: str
    policy: str
    kind: str
    level: Level
    channel: str = Field(description="empty: no channel wanted it, nobody was told")
    at: UtcTime
    outcome: Literal["sent", "retry", "gave_up", "nobody"]
    attempt: int = 0
    answer: str = Field("", description="what the receiver said, cut; secrets masked")


DELIVERIES = TypeAdapter(list[Delivery])
