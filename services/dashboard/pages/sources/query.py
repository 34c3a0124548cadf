"""What the page of sources shows."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from services.dashboard.errands import Resent, Trial
from services.dashboard.letters import Refusals
from services.dashboard.pages.sources.vendors import VENDORS, Vendor
from services.dashboard.reader import Reader
from services.dashboard.scope import Scope
from services.dashboard.views.accounts import TouchpointView
from services.dashboard.views.proposals import ProposalPage
from services.dashboard.views.sources import Freshness, SourceFreshness
from services.dashboard.words import account_name, became_words

HOURS = 24
LATEST = 15
MOST_FINDINGS = 20


@dataclass(frozen=True, slots=True)
class Sent:
    """A source, and what it sent in the last day; `hours`: the oldest first; `feeds`: names of touchpoint types."""

    source: SourceFreshness
    hours: tuple[int, ...]
    feeds: tuple[str, ...]

    @property
    def is_late(self) -> bool:
        return bool(self.source.set_aside) or self.source.state in ("stale", "behind")

    @property
    def total(self) -> int:
        return sum(self.hours)


@dataclass(frozen=True, slots=True)
class Came:
    """An event that came in, and what became of it."""

    event_id: str
    at: datetime
    source: str
    vendor_type: str
    account_id: str
    account: str
    kind: str
    phase: str
    persona: str
    pain: float
    became: str


@dataclass(frozen=True, slots=True)
class Nobody:
    """A word that stands where an id should, so that it names nobody and is left out."""

    source: str
    literal: str
    messages: int
    since: datetime


@dataclass(frozen=True, slots=True)
class TrialView:
    """A test event, and what became of it; `touchpoint` is None while it is on its way."""

    sent: Trial
    touchpoint: TouchpointView | None
    account: str


@dataclass(frozen=True, slots=True)
class SourcesPage:
    """How recent each source is and what it sent, what came last, and what is asked of people.

    `open_organisations`: ids of those that claim nothing but domains where anyone has a mailbox, and the domains.
    """

    freshness: Freshness
    questions: ProposalPage
    sent: tuple[Sent, ...]
    latest: tuple[Came, ...]
    letters: tuple[Refusals, ...] = ()
    resent: Mapping[str, Resent] = field(default_factory=dict)
    trial: TrialView | None = None
    open_organisations: tuple[tuple[str, str], ...] = ()
    nobodies: tuple[Nobody, ...] = ()
    vendors: tuple[Vendor, ...] = VENDORS

    @property
    def is_empty(self) -> bool:
        return False


async def ask(reader: Reader, _: Scope) -> SourcesPage:
    """Raises StoreUnavailable."""
    now = reader.clock()
    since = (now - timedelta(hours=HOURS - 1)).replace(minute=0, second=0, microsecond=0)
    freshness, questions, flow, latest, strangers, nobodies = await asyncio.gather(
        reader.freshness(),
        reader.open_questions(),
        reader.store.flow(since),
        reader.store.latest(since, LATEST),
        reader.open_organisations(),
        reader.nobodies(),
    )
    rows = flow
    sent = sorted((_sent(reader, one, rows) for one in freshness.sources), key=lambda one: not one.is_late)
    open_ones = tuple((account, ", ".join(domains)) for account, domains in strangers.items())[:MOST_FINDINGS]
    came = tuple(_came(reader, row) for row in latest)
    letters, resent = reader.letters.refusals(), dict(reader.errands.resent)
    trial = await _trial(reader, now)
    written = tuple(Nobody(row["source"], row["literal"], row["messages"], row["first_at"]) for row in nobodies)
    return SourcesPage(freshness, questions, tuple(sent), came, letters, resent, trial, open_ones, written)


async def _trial(reader: Reader, now: datetime) -> TrialView | None:
    sent = reader.errands.followed(now)
    if sent is None:
        return None
    found = await reader.touchpoint(sent.event_id)
    if found is None:
        return TrialView(sent, None, "")
    name = found.account.name if found.account else account_name(found.touchpoint.account_id, "")
    return TrialView(sent, found.touchpoint, name)


def _sent(reader: Reader, source: SourceFreshness, rows: Sequence[Mapping[str, Any]]) -> Sent:
    mine = [row for row in rows if row["source"] == source.source]
    hours, kinds = [0] * HOURS, dict.fromkeys([""], 0)
    for row in mine:
        hours[min(max(row["hour"], 0), HOURS - 1)] += row["n"]
        if row["on_map"]:
            kinds[row["touchpoint_type"]] = kinds.get(row["touchpoint_type"], 0) + row["n"]
    commonest = sorted((kind for kind in kinds if kind), key=lambda kind: (-kinds[kind], kind))
    return Sent(source, tuple(hours), tuple(map(reader.catalogue.type_name, commonest)))


def _came(reader: Reader, row: Mapping[str, Any]) -> Came:
    catalogue = reader.catalogue
    return Came(
        event_id=row["event_id"],
        at=row["received_at"],
        source=row["source"],
        vendor_type=row["vendor_type"],
        account_id=row["account_id"],
        account=account_name(row["account_id"], row["name"]),
        kind=catalogue.type_name(row["touchpoint_type"]),
        phase=catalogue.phase_name(row["phase"]),
        persona=catalogue.persona_name(row["persona"]),
        pain=row["pain"],
        became=became_words(bool(row["on_map"]), row["traffic"]),
    )
