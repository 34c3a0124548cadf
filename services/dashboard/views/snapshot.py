"""What a page shows beside its own subject, and the whole of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.dashboard.views.accounts import AccountRow
from services.dashboard.views.journey_map import MapView
from services.dashboard.views.proposals import ProposalPage
from services.dashboard.views.signals import CaseView, SignalView
from services.dashboard.views.sources import Freshness, LeftOut


@dataclass(frozen=True, slots=True)
class Wait:
    """A part of Touchline that is not ready, and since when."""

    service: str
    state: str
    since: datetime | None
    detail: str


@dataclass(frozen=True, slots=True)
class Around:
    """What every page needs beside its own figures: how fresh they are, what the filters offer, who is asked for."""

    freshness: Freshness
    channels: tuple[str, ...] = ()
    tiers: tuple[str, ...] = ()
    account_name: str = ""
    left_out: tuple[LeftOut, ...] = ()

    @property
    def is_late(self) -> bool:
        """Whether a source is not as fresh as it should be."""
        return any(each.set_aside or each.state in ("stale", "behind") for each in self.freshness.sources)

    @property
    def true_up_to(self) -> datetime | None:
        """When nothing that ever sent sends any more: the newest event there is."""
        sent = [each for each in self.freshness.sources if each.last_received_at]
        if not sent or any(each.state == "fresh" for each in sent):
            return None
        return max(each.last_received_at for each in sent if each.last_received_at)


@dataclass(frozen=True, slots=True)
class Whole:
    """All that programs are told over the live stream."""

    map: MapView
    signals: tuple[SignalView, ...] = ()
    accounts: tuple[AccountRow, ...] = ()
    visitors: tuple[AccountRow, ...] = ()
    questions: ProposalPage = ProposalPage((), 0, None)
    cases: tuple[CaseView, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not self.map.totals.touchpoints


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one page shows. `found` is the answer to its question, None until the store has answered for the first time.

    `nearest`: when there is nothing in the window, the shortest one that has something.
    """

    as_of: datetime
    found: Any = None
    waiting: tuple[Wait, ...] = ()
    around: Around | None = None
    nearest: str = ""
