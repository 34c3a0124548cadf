"""An account from its rows, pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from schemas.facts import Opportunity, Seat
from services.dashboard import row_views
from services.dashboard.catalogue import Catalogue
from services.dashboard.days import Day, days_of, painful_at, scale_of
from services.dashboard.incidents import IncidentView
from services.dashboard.numbers import ratio
from services.dashboard.pages.account.crm_traits import owner_of, revenue_of, tier_of
from services.dashboard.pages.account.stays import Stay, stays_of
from services.dashboard.ranking import Burden
from services.dashboard.ranking_inputs import Weighed
from services.dashboard.scope import Scope
from services.dashboard.store import CellKey
from services.dashboard.views.accounts import AccountRow, CorrectionView, PhaseMove, TouchpointView

HURTS = 6


@dataclass(frozen=True, slots=True)
class Member:
    """A person at the account. `pain` is all there ever was; `felt` is null where nothing was said."""

    person_id: str
    persona_name: str
    title: str
    touchpoints: int
    pain: float
    felt: float | None
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Role:
    """A part of the buying committee, and who is known to have it; `lacking`: how many nobody knows."""

    name: str
    members: tuple[Member, ...]
    known: int
    required: int

    @property
    def lacking(self) -> int:
        return max(0, self.required - self.known)


@dataclass(frozen=True, slots=True)
class HurtBy:
    """What hurt it in the window."""

    id: str
    name: str
    phase: str
    burden: Burden


@dataclass(frozen=True, slots=True)
class AccountPage:
    """All of the page. `more`: where the earlier part of the timeline begins; `pain_by_day` ends with today."""

    as_of: datetime
    reach: Scope
    touchpoints: int
    account: AccountRow
    traits: dict[str, str]
    owner: str
    tier: str
    revenue: str
    pain: float
    pain_before: float | None
    pain_by_day: tuple[float, ...]
    window_days: int
    stays: tuple[Stay, ...]
    roles: tuple[Role, ...]
    others: tuple[Member, ...]
    completeness: float | None
    days: tuple[Day, ...]
    more: str
    hurts: tuple[HurtBy, ...]
    incidents: tuple[IncidentView, ...]
    deals: tuple[Opportunity, ...]
    moves: tuple[PhaseMove, ...]
    corrections: tuple[CorrectionView, ...]

    @property
    def is_empty(self) -> bool:
        return not self.touchpoints and not self.days

    @property
    def called(self) -> str:
        """The title of the window."""
        return self.account.name


def drawn(  # noqa: PLR0913 - an answer of the store each
    weighed: Weighed,
    row: Mapping[str, Any],
    touchpoints: Sequence[TouchpointView],
    more: str,
    people: Sequence[Mapping[str, Any]],
    incidents: tuple[IncidentView, ...],
    corrections: tuple[CorrectionView, ...],
) -> AccountPage:
    """`row`: of the account; `touchpoints`: newest first."""
    catalogue = weighed.catalogue
    account, traits = row_views.account_row(catalogue, row), row_views.traits(row["traits"])
    moves, days = row_views.phase_moves(row["transitions"]), days_of(touchpoints, scale_of(catalogue, [row]))
    burdens = {key: weighed.cell(key) for key in weighed.now.by_cell if key[1] in catalogue.types}
    befores = [burden.change.before for burden in burdens.values()]
    seats = [Seat.of(each) for each in orjson.loads(row.get("committee") or "[]")]
    roles, others = _roles(catalogue, seats, people)
    return AccountPage(
        as_of=weighed.as_of,
        reach=weighed.scope,
        touchpoints=weighed.now.total.volume,
        account=account,
        traits=traits,
        owner=owner_of(traits),
        tier=tier_of(traits),
        revenue=revenue_of(traits),
        pain=sum(burden.change.now for burden in burdens.values()),
        pain_before=None if weighed.before is None else sum(each or 0.0 for each in befores),
        pain_by_day=weighed.pain_by_day(*weighed.daily),
        window_days=weighed.window_days,
        stays=stays_of(catalogue, account, moves, painful_at(days), weighed.as_of),
        roles=roles,
        others=others,
        completeness=_share(row.get("committee_completeness")),
        days=days,
        more=more,
        hurts=_hurts(catalogue, burdens),
        incidents=incidents,
        deals=_deals(row),
        moves=moves,
        corrections=corrections,
    )


def _share(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value


def _deals(row: Mapping[str, Any]) -> tuple[Opportunity, ...]:
    """Open ones first, then the latest to change."""
    deals = [Opportunity.of(each) for each in orjson.loads(row.get("opportunities") or "[]")]
    return tuple(sorted(deals, key=lambda deal: (deal.status != "open", -deal.changed_at.timestamp())))


def _hurts(catalogue: Catalogue, burdens: Mapping[CellKey, Burden]) -> tuple[HurtBy, ...]:
    painful = sorted((key for key in burdens if burdens[key].pain), key=lambda key: (-burdens[key].pain, key))
    found = [HurtBy(key[1], catalogue.type_name(key[1]), key[0], burdens[key]) for key in painful]
    return tuple(each for each in found if each.id not in catalogue.verdicts)[:HURTS]


def member(catalogue: Catalogue, row: Mapping[str, Any]) -> Member:
    """`row`: sums of a person."""
    return Member(
        person_id=row["person_id"],
        persona_name=catalogue.persona_name(row["persona"]),
        title=row["title"],
        touchpoints=row["touchpoints"],
        pain=row["pain"],
        felt=ratio(row["emotion_sum"], row["statements"]),
        last_at=row["last_at"],
    )


def _roles(
    catalogue: Catalogue, seats: Sequence[Seat], people: Sequence[Mapping[str, Any]]
) -> tuple[tuple[Role, ...], tuple[Member, ...]]:
    """The committee's roles in the blueprint's order, and people without a part in it; the most hurt first."""
    ranked = sorted(people, key=lambda row: (-row["pain"], -row["touchpoints"], row["person_id"]))
    of: dict[str, list[Member]] = {}
    for row in ranked:
        of.setdefault(catalogue.buying_role(row["persona"]), []).append(member(catalogue, row))
    roles = tuple(Role(seat.role, tuple(of.pop(seat.role, ())), seat.known, seat.required) for seat in seats)
    return roles, tuple(one for members in of.values() for one in members)
